import { accountOf } from '../../../src/access/identity';
import { DecideApprovalCommand } from '../../../src/approvals/commands/decide-approval';
import { Api, type ApprovalJson } from '../../support/api';
import { issueKey, keyIs, revokeKey } from '../../support/keys';
import { ownService } from '../../support/own-service';

let alice: Api;
let bob: Api;
let nobodys: Api;

const service = ownService();
beforeAll(async () => {
  const pair = async (name: string, owner: string | null, operatorOwner = owner) => {
    const agent = await issueKey(service.database, 'agent', `${name}-agent`, owner);
    const operator = await issueKey(service.database, 'operator', `${name}-operator`, operatorOwner);
    await keyIs(true, service.app.url, operator);
    return new Api(service.app.url, { agent, operator });
  };
  alice = await pair('alice', 'alice@example.org', 'Alice@Example.org');
  bob = await pair('bob', 'bob@example.org');
  nobodys = await pair('nobodys', null);
});

const refusalsOf = (id: string) =>
  service.database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where approval_id = $1 and type = 'approval.decision-refused' order by seq`,
    [id],
  );

async function askedBy(api: Api): Promise<ApprovalJson> {
  const { status, body } = await api.enqueue();
  expect(status).toBe(201);
  return body;
}

it('security 1: an operator key does not decide what an agent key of the same owner asked: 403, still pending, audited', async () => {
  const { id } = await askedBy(alice);
  for (const verdict of ['approved', 'rejected'] as const) {
    const refused = await alice.decide(id, verdict);
    expect([refused.status, refused.body.code]).toEqual([403, 'access.same-owner']);
  }
  expect((await alice.get(id)).body.status).toBe('pending');
  const rows = await refusalsOf(id);
  expect(rows.map(({ actor }) => actor)).toEqual(['api:alice-operator', 'api:alice-operator']);
  expect(rows.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
    { reason: 'same-owner', decision: 'approved' },
    { reason: 'same-owner', decision: 'rejected' },
  ]);
  const decided = await bob.decide(id, 'approved');
  expect([decided.status, decided.body.decision?.by.id]).toEqual([200, 'bob-operator']);
  // Once it is decided, the truth is told, to the owner too.
  expect((await alice.decide(id, 'approved')).status).toBe(409);
  expect(JSON.parse((await refusalsOf(id))[2]?.data ?? '')).toEqual({
    reason: 'already-settled',
    decision: 'approved',
  });
});

it('security 1: a passkey does not decide what the key of its person asked', async () => {
  const { id } = await askedBy(alice);
  const decideAs = (name: string) =>
    service.app.commands.execute(
      new DecideApprovalCommand(
        id,
        { kind: 'person', channel: 'console', id: accountOf(name), name },
        'approved',
        null,
        null,
      ),
    );
  await expect(decideAs('alice@example.org')).rejects.toMatchObject({ code: 'access.same-owner' });
  expect(await decideAs('bob@example.org')).toMatchObject({ status: 'approved' });
});

it('security 1: the same owner may take the request back', async () => {
  const { id } = await askedBy(alice);
  expect((await alice.cancel(id, 'not needed', 'operator')).body.status).toBe('cancelled');
});

it('security 1: it stays so after the key that asked was revoked', async () => {
  await issueKey(service.database, 'agent', 'carol-agent', 'bob@example.org').then(async (agent) => {
    await keyIs(true, service.app.url, agent);
    const { id } = await askedBy(new Api(service.app.url, { agent, operator: '' }));
    await revokeKey(service.database, 'carol-agent');
    expect((await bob.decide(id, 'approved')).body.code).toBe('access.same-owner');
    expect((await alice.decide(id, 'approved')).status).toBe(200);
  });
});

it('security 1: keys without an owner, such as the bootstrap pair, are not compared', async () => {
  const bootstrap = service.api;
  for (const [asker, decider] of [
    [nobodys, nobodys],
    [bootstrap, bootstrap],
    [bootstrap, alice],
    [alice, bootstrap],
    [nobodys, alice],
  ] as const) {
    const { id } = await askedBy(asker);
    expect((await decider.decide(id, 'approved')).status).toBe(200);
  }
});
