import { NewRequest } from '../../../src/approvals/new-request';
import { inputDigest } from '../../../src/kernel/canonical-json';
import type { JsonObject } from '../../../src/kernel/json';

const request = (toolInput: JsonObject) =>
  NewRequest.of({ agentId: 'deployer', sessionId: 's', toolName: 'query', toolInput, cwd: null });

describe('a new request', () => {
  it("keeps the members of the tool's input in the agent's order, at every depth", async () => {
    const { text } = await request({ sql: 'select 1', database: { port: 5432, host: 'db' } });
    expect(text).toContain('"toolInput":{"sql":"select 1","database":{"port":5432,"host":"db"}}');
  });

  it('ends with the name of the tool and the id of its use, which searches read', async () => {
    const { text } = await request({ z: 1, a: 2 });
    expect(text.endsWith(',"toolName":"query","toolUseId":null}')).toBe(true);
  });

  it('has the same digests for every order of the members', async () => {
    const one = await request({ sql: 'select 1', database: 'shop' });
    const other = await request({ database: 'shop', sql: 'select 1' });
    expect(one.inputDigest).toBe(other.inputDigest);
    expect(one.bodyDigest()).toEqual(other.bodyDigest());
    expect(one.inputDigest).toBe(
      inputDigest({ toolName: 'query', toolInput: { sql: 'select 1', database: 'shop' }, cwd: null }),
    );
  });
});
