import { toolEffect } from '../../../agents/claude-code/claude-code-tools';
import { seen, skipped, warning, type Check } from '../check';

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
    where connector = 'hook' and created_at > now() - make_interval(days => $1)
    order by id desc limit $2) as recent`,
};

/** Checks that this version knows the effect of every tool that Claude Code uses. */
export const agentToolsCheck: Check = {
  name: 'agent-tools',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const rows = await reached.database.query<{ tool: string | null }>(TOOLS_USED, [DAYS, MAX_REQUESTS]);
    const used = rows.flatMap(({ tool }) => (tool === null ? [] : [JSON.parse(tool) as string]));
    const unknown = used.filter((name) => toolEffect(name) === null).sort();
    const note = `${used.length} tools asked for by the hook in ${DAYS} days`;
    if (unknown.length === 0) return seen(note);
    const named = unknown.slice(0, MAX_NAMED).map((name) => JSON.stringify(name));
    const more = unknown.length > named.length ? ` and ${unknown.length - named.length} more` : '';
    return seen(
      note,
      warning(
        `this version does not know these tools of Claude Code: ${named.join(', ')}${more}`,
        'read their cards with care, and upgrade Countersign; each use is asked for like any other',
      ),
    );
  },
};
