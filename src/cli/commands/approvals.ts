import { Command, InvalidArgumentError, Option } from 'commander';
import type { Approval, ApprovalFilter, ApprovalPage } from '../../agent-side/client/approval-wire';
import type { CountersignClient } from '../../agent-side/client';
import { about } from '../approvals/about';
import { approvalLines, listLines } from '../approvals/approval-text';
import { findApproval } from '../approvals/find-approval';
import { show } from '../output';
import { withServiceOptions, type ServiceOptions } from '../service-options';

const STATUSES = ['pending', 'approved', 'rejected', 'expired', 'cancelled'] as const;
const MAX_LISTED = 200;

interface ListOptions extends ServiceOptions {
  readonly status: (typeof STATUSES)[number] | 'any';
  readonly limit: number;
}

interface DecisionOptions extends ServiceOptions {
  readonly reason?: string;
}

/** `countersign approvals`: lists and decides requests when Telegram is unavailable. */
export function approvalsCommand(): Command {
  return new Command('approvals')
    .description('Requests: list, show, approve, reject, cancel')
    .addCommand(
      withServiceOptions(
        new Command('list').description('Requests, newest first; the pending ones by default'),
      )
        .addOption(new Option('--status <status>', 'which').choices([...STATUSES, 'any']).default('pending'))
        .option('--limit <n>', `at most so many, up to ${MAX_LISTED}`, limit, 50)
        .action(list),
    )
    .addCommand(
      withServiceOptions(
        new Command('show')
          .description('One request, with its complete action')
          .argument('<id>', 'short or full id'),
      ).action((id: string, options: ServiceOptions) =>
        about(options, async (client) => {
          const approval = await findApproval(client, id);
          show(approval, approvalLines(approval), options);
        }),
      ),
    )
    .addCommand(
      ending('approve', 'Approve a request; needs an operator’s key', (client, id, reason) =>
        client.decide(id, 'approved', reason),
      ),
    )
    .addCommand(
      ending('reject', 'Reject a request; needs an operator’s key', (client, id, reason) =>
        client.decide(id, 'rejected', reason),
      ),
    )
    .addCommand(
      ending('cancel', 'Take a request back, undecided', (client, id, reason) => client.cancel(id, reason)),
    );
}

function ending(
  name: string,
  description: string,
  end: (client: CountersignClient, id: string, reason?: string) => Promise<Approval>,
): Command {
  return withServiceOptions(new Command(name).description(description).argument('<id>', 'short or full id'))
    .option('--reason <text>', 'why; the agent and the operators read it')
    .action((id: string, options: DecisionOptions) =>
      about(options, async (client) => {
        const asked = await findApproval(client, id);
        const ended = await end(client, asked.id, options.reason);
        show(ended, approvalLines(ended), options);
      }),
    );
}

/** The newest requests, at most `most`; the service returns smaller pages when requests are large. */
async function newest(
  client: CountersignClient,
  most: number,
  filter: ApprovalFilter,
): Promise<ApprovalPage> {
  const items: Approval[] = [];
  let cursor: string | null = null;
  do {
    const limit = most - items.length;
    const page: ApprovalPage = await client.list({ ...filter, limit, ...(cursor && { cursor }) });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null && items.length < most);
  return { items, nextCursor: cursor };
}

function list(options: ListOptions): Promise<void> {
  return about(options, async (client) => {
    const { status, limit: most } = options;
    const page = await newest(client, most, status === 'any' ? {} : { status });
    const none = status === 'any' ? 'No requests.' : `No ${status} requests.`;
    const more = page.nextCursor === null ? [] : ['… and more; --limit shows up to 200'];
    show(page, page.items.length === 0 ? [none] : [...listLines(page.items), ...more], options);
  });
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_LISTED) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_LISTED}.`);
}
