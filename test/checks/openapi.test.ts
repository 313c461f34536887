import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import { ownService } from '../support/own-service';

/** The document from which callers generate clients. `UPDATE_OPENAPI=1 npm run check:openapi` rewrites it. */
const COMMITTED = join(__dirname, '../../docs/openapi.json');

let document: OpenAPIObject;

const service = ownService();
beforeAll(async () => {
  ({ body: document } = await service.api.call<OpenAPIObject>(null, 'GET', '/api/openapi.json'));
});

it('docs/openapi.json is the document that the service serves', () => {
  if (process.env.UPDATE_OPENAPI === '1') {
    writeFileSync(COMMITTED, JSON.stringify(document));
    execFileSync(process.execPath, [require.resolve('prettier/bin/prettier.cjs'), '--write', COMMITTED]);
  }
  expect(JSON.parse(readFileSync(COMMITTED, 'utf8'))).toEqual(document);
});

describe('the document', () => {
  it.each([
    ['post', '/api/approvals'],
    ['get', '/api/approvals'],
    ['get', '/api/approvals/{id}'],
    ['get', '/api/approvals/{id}/events'],
    ['post', '/api/approvals/{id}/decision'],
    ['post', '/api/approvals/{id}/cancel'],
    ['post', '/api/approvals/{id}/ack'],
    ['get', '/health'],
    ['get', '/health/live'],
    ['get', '/health/ready'],
  ] as const)('has %s %s', (method, path) => {
    expect(document.paths[path]?.[method]?.responses).toBeDefined();
  });

  it.each([
    ['post', '/api/approvals'],
    ['post', '/api/approvals/{id}/decision'],
    ['post', '/api/approvals/{id}/cancel'],
  ] as const)('says what %s %s takes', (method, path) => {
    const { requestBody } = document.paths[path]?.[method] ?? {};
    expect(JSON.stringify(requestBody)).toMatch(
      /"application\/json":\{"schema":\{"\$ref":"#\/components\/schemas\//,
    );
  });

  it.each([
    ['post', '/api/approvals', '201'],
    ['post', '/api/approvals', '200'],
    ['get', '/api/approvals', '200'],
    ['get', '/api/approvals/{id}', '200'],
    ['post', '/api/approvals/{id}/decision', '200'],
    ['post', '/api/approvals/{id}/cancel', '200'],
    ['post', '/api/approvals/{id}/ack', '200'],
  ] as const)('says what %s %s answers with %s', (method, path, status) => {
    const response = document.paths[path]?.[method]?.responses[status];
    expect(JSON.stringify(response)).toContain('#/components/schemas/');
  });

  it('says null where an answer may be null, and a list only where it is one', () => {
    interface Schema {
      readonly properties?: Readonly<Record<string, { readonly items?: { readonly type?: string } }>>;
    }
    const schemas = (document.components?.schemas ?? {}) as Readonly<Record<string, Schema>>;
    const lists = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      Object.entries(properties)
        .filter(([, { items }]) => items?.type === 'string' || items?.type === 'number')
        .map(([property]) => `${name}.${property}`),
    );
    expect(lists).toEqual([
      'EvaluationView.rules',
      'EvaluationView.tokens',
      'ChallengeView.passkeys',
      'CheckpointsView.checkpoints',
      'ConsentStartView.passkeys',
      'EnrolmentStartView.existing',
    ]);
    // OpenAPI 3.0 knows one type for each schema.
    expect(JSON.stringify(schemas)).not.toContain('"type":[');
  });

  it('refers to nothing that it does not hold', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    const known = Object.keys(document.components?.schemas ?? {});
    expect(references.map(([, name]) => name).filter((name) => !known.includes(name ?? ''))).toEqual([]);
    expect(references.length).toBeGreaterThan(5);
  });
});

it('the page is served to anyone', async () => {
  const response = await fetch(`${service.app.url}/api/docs`);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('swagger-ui');
});
