import { ADAPTERS } from '../../../agents/adapters';
import type { KnownAgent } from '../../../cards/known-agents/known-agent';
import { seen, skipped, warning, type Check, type Finding } from '../check';

const DAYS = 7;
const MAX_REQUESTS = 10_000;
const MAX_NAMED = 10;

/** A request's text ends with the tool's name and the tool use id. It may be long, so the query reads only its end. */
const TOOLS_USED = {
  name: 'doctor-agent-tools',
  text: `
  select distinct substring(right(request, 4000)
    from '"toolName":("(?:[^"\\\\]|\\\\.)*"),"toolUseId":(?:null|"(?:[^"\\\\]|\\\\.)*")}$') as tool
  from (
    select request from approvals
    where connector = $3 and created_at > now() - make_interval(days => $1)
    order by id desc limit $2) as recent`,
};

/** The tools that this version does not know, as a warning. */
function warningOf(agent: KnownAgent, used: readonly string[]): Omit<Finding, 'check'>[] {
  const unknown = used.filter((name) => agent.tool(name) === null).sort();
  if (unknown.length === 0) return [];
  const named = unknown.slice(0, MAX_NAMED).map((name) => JSON.stringify(name));
  const more = unknown.length > named.length ? ` and ${unknown.length - named.length} more` : '';
  return [
    warning(
      `this version does not know these tools of ${agent.name}: ${named.join(', ')}${more}`,
      'read their cards with care, and upgrade Countersign; each use is asked for like any other',
    ),
  ];
}

/** Checks that this version knows the effect of every tool that agents with known tools use. */
export const agentToolsCheck: Check = {
  name: 'agent-tools',
  async examine({ reached }) {
    const { database } = reached;
    if (database === null) return skipped('needs the database');
    const notes: string[] = [];
    const findings: Omit<Finding, 'check'>[] = [];
    for (const { agent, connector } of ADAPTERS) {
      if (agent === null) continue;
      const parameters = [DAYS, MAX_REQUESTS, connector];
      const rows = await database.query<{ tool: string | null }>(TOOLS_USED, parameters);
      const used = rows.flatMap(({ tool }) => (tool === null ? [] : [JSON.parse(tool) as string]));
      notes.push(`${used.length} tools asked for by the ${connector} in ${DAYS} days`);
      findings.push(...warningOf(agent, used));
    }
    return seen(notes.join(', '), ...findings);
  },
};
