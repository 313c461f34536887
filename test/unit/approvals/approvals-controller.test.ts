import type { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../../../src/access/identity';
import { Standing } from '../../../src/access/standing';
import type { Approval } from '../../../src/approvals/approval';
import type { DecisionSignatures } from '../../../src/approvals/decision-signatures';
import type { ShownDisplays } from '../../../src/approvals/display';
import type { FinishedApprovals } from '../../../src/approvals/finished-approvals';
import type { ApprovalPages } from '../../../src/approvals/approval-pages';
import type { ApprovalStream } from '../../../src/approvals/approval-stream';
import { ApprovalsController } from '../../../src/approvals/approvals.controller';
import type { OpenAnswers } from '../../../src/access/open-answers';
import type { ActivePolicy } from '../../../src/policy/active-policy';

it('an answer is not written for a caller that hung up while it waited', async () => {
  const raw = { destroyed: false };
  const large = {
    get status(): never {
      throw new Error('written');
    },
  };
  const queries = {
    execute: () => {
      raw.destroyed = true;
      return Promise.resolve(large as unknown as Approval);
    },
  };
  const nothing: unknown = {};
  const pending = { approval: { status: 'pending' }, characters: 1_000_000 };
  const open = { hold: () => Promise.resolve(new AbortController().signal) };
  const controller = new ApprovalsController(
    nothing as CommandBus,
    queries as unknown as QueryBus,
    { get: () => Promise.resolve(pending) } as unknown as FinishedApprovals,
    nothing as ApprovalStream,
    nothing as ApprovalPages,
    open as unknown as OpenAnswers,
    nothing as ActivePolicy,
    nothing as ShownDisplays,
    nothing as DecisionSignatures,
  );
  const caller: Identity = {
    keyId: 'k',
    owner: null,
    role: 'agent',
    channel: 'api',
    standing: new Standing(),
  };
  const reply = { raw } as unknown as FastifyReply;
  await expect(controller.get({ id: 'x' }, { wait: 1 }, caller, reply)).rejects.toThrow('hung up');
});
