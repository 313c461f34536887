import type { EventBus } from '@nestjs/cqrs';
import { ProcessRateLimits } from '../../../src/access/process-rate-limits';
import type { ApprovalStore } from '../../../src/approvals/approval-store';
import {
  DecideApprovalCommand,
  DecideApprovalHandler,
} from '../../../src/approvals/commands/decide-approval';
import type { Receipts } from '../../../src/receipts/receipts';
import type { SettlementFeed } from '../../../src/approvals/settlement-feed';
import type { RefusalLog } from '../../../src/audit/refusal-log';
import { parseConfig } from '../../../src/config/environment';
import type { Person } from '../../../src/kernel/actor';
import { DomainError } from '../../../src/kernel/errors';

const OLIVIA: Person = { kind: 'person', channel: 'telegram', id: '1', name: 'Olivia' };

it('attempts that the database could not serve do not count against the operator’s limit', async () => {
  const find = jest.fn(() => Promise.reject(new DomainError('database.unavailable', 'read-only')));
  const handler = new DecideApprovalHandler(
    { find } as unknown as ApprovalStore,
    new ProcessRateLimits(
      { recordFlood: () => Promise.resolve(true) } as unknown as RefusalLog,
      parseConfig({ RATE_LIMIT_OPERATOR_PER_MINUTE: '1' }),
    ),
    {} as SettlementFeed,
    {} as Receipts,
    {} as EventBus,
  );
  const decide = () => handler.execute(new DecideApprovalCommand('id', OLIVIA, 'approved', null));
  for (let n = 0; n < 3; n++) await expect(decide()).rejects.toMatchObject({ code: 'database.unavailable' });
  find.mockImplementation(() => Promise.reject(new DomainError('approval.not-found', 'none')));
  await expect(decide()).rejects.toMatchObject({ code: 'approval.not-found' });
  await expect(decide()).rejects.toMatchObject({ code: 'access.rate-limited' });
});
