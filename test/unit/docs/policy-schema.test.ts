import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { policyJsonSchema } from '../../../src/policy/document/policy-schema';
import { CHECKOUT } from '../../support/processes';

/** The schema with which editors complete a policy. `UPDATE_POLICY_SCHEMA=1` rewrites it. */
const COMMITTED = join(CHECKOUT, 'docs/policy.schema.json');

it('docs/policy.schema.json is the schema that the service publishes', () => {
  const schema: unknown = JSON.parse(JSON.stringify(policyJsonSchema()));
  if (process.env.UPDATE_POLICY_SCHEMA === '1') {
    writeFileSync(COMMITTED, JSON.stringify(schema));
    execFileSync(process.execPath, [require.resolve('prettier/bin/prettier.cjs'), '--write', COMMITTED]);
  }
  expect(JSON.parse(readFileSync(COMMITTED, 'utf8'))).toEqual(schema);
});
