import fc from 'fast-check';
import type {
  Acknowledgement,
  Approval,
  ApprovalRequest,
  SettledApproval,
} from '../../../src/approvals/approval';
import type { Actor, Person } from '../../../src/kernel/actor';
import type { JsonObject, JsonValue } from '../../../src/kernel/json';
import { hostileText } from './hostile-text';

export const ALICE: Person = { kind: 'person', channel: 'telegram', id: '1001', name: 'Alice' };

/** A pending request for a shell command, asked at noon for half an hour. */
export function anApproval(changes: Partial<ApprovalRequest> = {}): Approval {
  return {
    id: '019fbc3e-7a00-7000-8000-0123456789ab',
    keyId: 'deploy-key',
    owner: null,
    agentId: 'deployer',
    sessionId: 'session-1',
    toolName: 'Bash',
    toolInput: { command: 'rm -rf build' },
    toolUseId: null,
    summary: null,
    cwd: '/srv/app',
    metadata: {},
    connector: null,
    policy: null,
    required: null,
    decisions: [],
    inputDigest: `sha256:${'0'.repeat(64)}`,
    correlationId: 'correlation-1',
    traceparent: null,
    createdAt: new Date('2026-08-01T12:00:00Z'),
    expiresAt: new Date('2026-08-01T12:30:00Z'),
    ...changes,
    status: 'pending',
  };
}

export function settled(
  approval: Approval,
  status: 'approved' | 'rejected' | 'expired' | 'cancelled',
  {
    by = ALICE,
    reason = null,
    acknowledged = null,
  }: { by?: Actor; reason?: string | null; acknowledged?: Acknowledgement | null } = {},
): SettledApproval {
  const settledAt = new Date('2026-08-01T12:03:10Z');
  return status === 'approved' || status === 'rejected'
    ? { ...approval, status, settledAt, receipt: 'a.b.c', decision: { by, reason }, acknowledged }
    : { ...approval, status, settledAt, receipt: 'a.b.c', by, reason, acknowledged };
}

const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    hostileText,
    fc.constantFrom(null, true, false, 0, 1.5, 1e300),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(hostileText, tie('value'), { maxKeys: 4 }),
  ),
})).value;

const anyInput = fc.dictionary(hostileText, json, { maxKeys: 5 });
const long = fc.oneof(
  hostileText,
  hostileText.map((text) => text.repeat(5)),
);

const knownInput: fc.Arbitrary<[string, JsonObject]> = fc.oneof(
  fc
    .record({ command: long, description: hostileText })
    .map((input): [string, JsonObject] => ['Bash', input]),
  fc.record({ file_path: hostileText, content: long }).map((input): [string, JsonObject] => ['Write', input]),
  fc
    .record({ file_path: hostileText, old_string: hostileText, new_string: long, replace_all: fc.boolean() })
    .map((input): [string, JsonObject] => ['Edit', input]),
  fc
    .record({
      file_path: hostileText,
      edits: fc.array(fc.record({ old_string: hostileText, new_string: hostileText }), { maxLength: 12 }),
    })
    .map((input): [string, JsonObject] => ['MultiEdit', input]),
  fc
    .record({ notebook_path: hostileText, new_source: long })
    .map((input): [string, JsonObject] => ['NotebookEdit', input]),
  fc.tuple(fc.constantFrom('Bash', 'Write', 'Edit', 'MultiEdit', 'WebFetch'), anyInput),
  fc.tuple(hostileText, anyInput),
);

/** Any request, as an enemy would fill it in. */
export const hostileApproval: fc.Arbitrary<Approval> = fc
  .record({
    tool: knownInput,
    agentId: long,
    sessionId: long,
    summary: fc.option(long),
    cwd: fc.option(long),
    metadata: anyInput,
  })
  .map(({ tool: [toolName, toolInput], ...others }) => anApproval({ toolName, toolInput, ...others }));
