import { keySetSchema } from '../../../src/receipts/key-set';
import { readReceipt } from '../../../src/receipts/verify-receipt';
import { cli } from '../../support/cli';
import { Api } from '../../support/api';
import { issueKey, keyIs } from '../../support/keys';
import { setStage, strike, type Stage } from '../../support/stage';
import { OPERATOR_KEY } from '../../support/well-known';

const CLAIM = 'prod-deployer';
const ASKER = 'API key ci-runner, owner olivia@example.org';

let stage: Stage;
let impostor: Api;

beforeAll(async () => {
  stage = await setStage();
  const agent = await issueKey(stage.database, 'agent', 'ci-runner', 'olivia@example.org');
  await keyIs(true, stage.service.url, agent);
  impostor = new Api(stage.service.url, { agent, operator: OPERATOR_KEY });
});
afterAll(strike);

const publishedKeys = async () =>
  keySetSchema.parse(await (await fetch(`${stage.service.url}/.well-known/jwks.json`)).json());

const asOperator = async (...args: string[]): Promise<string> => {
  const env = { COUNTERSIGN_URL: stage.service.url, COUNTERSIGN_KEY: OPERATOR_KEY };
  return (await cli(['approvals', ...args], env)).out;
};

describe('security 15: agents see only their own, and who asks is the authenticated key', () => {
  it('beside the label that it claims: on the card, in /pending, in the API and on the command line', async () => {
    const { body: asked } = await impostor.enqueue({ agentId: CLAIM, toolInput: { command: 'make who' } });
    expect(asked.requestedBy).toEqual({ key: 'ci-runner', owner: 'olivia@example.org' });
    expect((await stage.api.call('operator', 'GET', `/api/approvals/${asked.id}`)).body.requestedBy).toEqual(
      asked.requestedBy,
    );

    const { text } = await stage.chat.card(asked.id);
    expect(text).toContain(`\nAgent (claimed): ${CLAIM}\nAsked by: ${ASKER}\n`);

    expect(await stage.chat.ask('/pending')).toContain(`Asked by ${ASKER}, which calls itself ${CLAIM}`);

    expect(await asOperator('list')).toMatch(new RegExp(`ci-runner +${CLAIM} +Bash +make who`));
    const shown = await asOperator('show', asked.id);
    expect(shown).toMatch(new RegExp(`^Asked by: +${ASKER}$`, 'm'));
    expect(shown).toMatch(new RegExp(`^Agent \\(claimed\\): +${CLAIM}$`, 'm'));
  });

  it('as it was when it asked: the owner stays with the request', async () => {
    const { body: asked } = await impostor.enqueue({ agentId: CLAIM });
    await stage.database.query(`update api_keys set owner = 'somebody-else' where name = 'ci-runner'`);
    expect((await stage.api.call('operator', 'GET', `/api/approvals/${asked.id}`)).body.requestedBy).toEqual(
      asked.requestedBy,
    );
    const { body: approved } = await stage.api.decide(asked.id, 'approved');
    expect(await readReceipt(String(approved.receipt), await publishedKeys())).toMatchObject({
      agentId: CLAIM,
      keyId: 'ci-runner',
      keyOwner: 'olivia@example.org',
    });
  });

  it('and a label with look-alike letters is warned about', async () => {
    const { body: asked } = await impostor.enqueue({ agentId: 'prоd-deployer', sessionId: 'sеssion' });
    const { text } = await stage.chat.card(asked.id);
    expect(text).toContain('Look-alike letters in the agent');
    expect(text).toContain('Look-alike letters in the session');
  });
});
