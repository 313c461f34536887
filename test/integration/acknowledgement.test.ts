import { Api, type ApprovalJson } from '../support/api';
import { buttonsOf } from '../support/sandbox-client';
import { setStage, strike, type Stage } from '../support/stage';

let stage: Stage;
let api: Api;

beforeAll(async () => {
  stage = await setStage();
  api = stage.api;
});
afterAll(strike);

async function decided(): Promise<ApprovalJson> {
  const { body } = await api.enqueue();
  return (await api.decide(body.id, 'approved')).body;
}

const auditOf = (id: string) =>
  stage.database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where approval_id = $1 and type = 'approval.acknowledged'`,
    [id],
  );

describe('the acknowledgement', () => {
  it.each([
    ['answered', 'Answered: the agent received it'],
    ['resumed', 'Agent resumed: it says that it went on'],
    ['ran', 'Ran: the agent reports that the tool ran'],
    ['failed', 'Failed: the agent reports that the tool failed'],
    ['gone', 'Agent gone: it will not go on'],
  ] as const)(
    '%s is shown by the approval, the audit log and the last lines of the card',
    async (outcome, line) => {
      const { body: asked } = await api.enqueue();
      const card = await stage.chat.card(asked.id);
      await stage.chat.press(card.messageId, 'Reject');
      expect(await api.acknowledge(asked.id, outcome)).toMatchObject({
        status: 200,
        body: { status: 'rejected', acknowledged: outcome },
      });
      expect((await api.get(asked.id)).body.acknowledged).toBe(outcome);
      expect(await auditOf(asked.id)).toEqual([
        { actor: 'api:bootstrap-agent', data: JSON.stringify({ outcome }).replace(':', ' : ') },
      ]);
      const shown = await stage.chat.find(
        'the acknowledgement on the card',
        ({ messageId, text }) => messageId === card.messageId && text.includes(line),
      );
      expect(buttonsOf(shown)).toEqual([]);
      expect(shown.text).toContain('Rejected by Olivia');
    },
  );

  it('of a pending request is refused with the true state', async () => {
    const { body } = await api.enqueue();
    expect(await api.acknowledge(body.id, 'resumed')).toMatchObject({
      status: 409,
      body: { code: 'approval.not-settled', approval: { id: body.id, status: 'pending' } },
    });
  });

  it('of a request whose time is up settles it first', async () => {
    const { body } = await api.enqueue();
    await stage.database.query(`update approvals set expires_at = created_at where id = $1`, [body.id]);
    expect((await api.acknowledge(body.id, 'resumed')).body).toMatchObject({
      status: 'expired',
      acknowledged: 'resumed',
    });
  });

  it('may be repeated, and is one row in the audit log', async () => {
    const { id } = await decided();
    const answers = await Promise.all(Array.from({ length: 5 }, () => api.acknowledge(id, 'resumed')));
    for (const { status, body } of answers) expect([status, body.acknowledged]).toEqual([200, 'resumed']);
    expect(await auditOf(id)).toHaveLength(1);
  });

  it.each([
    ['gone', 'answered'],
    ['answered', 'resumed'],
    ['answered', 'ran'],
    ['resumed', 'failed'],
  ] as const)('%s may become %s, and never again what it was', async (less, more) => {
    const { id } = await decided();
    await api.acknowledge(id, less);
    expect(await api.acknowledge(id, more)).toMatchObject({ status: 200, body: { acknowledged: more } });
    expect(await api.acknowledge(id, less)).toMatchObject({
      status: 409,
      body: { code: 'approval.already-acknowledged', approval: { acknowledged: more } },
    });
  });

  it('ran and failed, said at the same moment, are one of the two', async () => {
    const { id } = await decided();
    const said = await Promise.all(
      (['ran', 'failed'] as const).map((outcome) => api.acknowledge(id, outcome)),
    );
    expect(said.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await auditOf(id)).toHaveLength(1);
  });

  it('gone may become resumed, and resumed may not become gone', async () => {
    const { id } = await decided();
    await api.acknowledge(id, 'gone');
    expect(await api.acknowledge(id, 'resumed')).toMatchObject({
      status: 200,
      body: { acknowledged: 'resumed' },
    });
    expect(await api.acknowledge(id, 'gone')).toMatchObject({
      status: 409,
      body: { code: 'approval.already-acknowledged', approval: { acknowledged: 'resumed' } },
    });
  });

  it('belongs to agents, and takes nothing but the outcomes', async () => {
    const { id } = await decided();
    const path = `/api/approvals/${id}/ack`;
    expect((await api.call('operator', 'POST', path, { outcome: 'gone' })).status).toBe(403);
    expect((await api.call('agent', 'POST', path, { outcome: 'approved' })).status).toBe(400);
    expect((await api.get(id)).body.acknowledged).toBeNull();
  });

  it('of what is not there is not found', async () => {
    expect((await api.acknowledge('019b0000-0000-7000-8000-000000000001', 'gone')).status).toBe(404);
  });
});
