import canonicalize from 'canonicalize';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { KnownEnd } from '../../../audit/chain-verifier';
import { CHECKPOINT_TYPE, sealContent, type SealedRow } from '../../../audit/seal';
import { walkChain, type ChainVerdict } from '../../../audit/walk-chain';
import { api, bodyOf } from './api';
import { hex, sha256 } from './digest';
import { canVerifyEd25519 } from './ed25519';
import { TEXTS } from './texts';

/** Rows per request. */
const PAGE = 1000;
const HASH = /^sha256:[0-9a-f]{64}$/;

const readKeys = () => bodyOf(api.GET('/.well-known/jwks.json')) as unknown as Promise<JSONWebKeySet>;

const readCheckpoints = async () => (await bodyOf(api.GET('/api/audit/checkpoints'))).checkpoints;

async function* readBatches(): AsyncGenerator<readonly SealedRow[]> {
  for (let after: number | null = 0; after !== null;) {
    const query = { after: String(after), limit: String(PAGE) };
    const page: { items: readonly SealedRow[]; nextAfter: number | null } = await bodyOf(
      api.GET('/api/audit/sealed', { params: { query } }),
    );
    yield page.items;
    after = page.nextAfter;
  }
}

/** The same rule as `sealHash` of the service, with the browser's own SHA-256. */
async function hashOf({ seal, row }: SealedRow): Promise<string | null> {
  if (row === null) return null;
  return `sha256:${hex(await sha256(canonicalize(sealContent(seal.number, seal.previous, row)) ?? ''))}`;
}

/** Verifies a checkpoint as `readCheckpoint` of the service does. @returns null if no key of the service signed it. */
async function readCheckpoint(jws: string, keys: JSONWebKeySet): Promise<KnownEnd | null> {
  try {
    const options = { algorithms: ['EdDSA'] };
    const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(keys), options);
    const { iss, number, seq, hash } = JSON.parse(new TextDecoder().decode(payload)) as Record<
      string,
      unknown
    >;
    const isSound =
      protectedHeader.typ === CHECKPOINT_TYPE &&
      iss === 'countersign' &&
      Number.isSafeInteger(number) &&
      Number.isSafeInteger(seq) &&
      typeof hash === 'string' &&
      HASH.test(hash);
    return isSound ? { number: Number(number), seq: Number(seq), hash } : null;
  } catch {
    return null;
  }
}

/**
 * Verifies the whole log in this browser, by the rules of `countersign audit verify`.
 *
 * @throws Error if the browser knows no Ed25519
 */
export async function verifyAudit(report: (rows: number) => void): Promise<ChainVerdict> {
  if (!(await canVerifyEd25519())) throw new Error(TEXTS.audit.unable);
  const [keys, signed] = await Promise.all([readKeys(), readCheckpoints()]);
  const checkpoints: KnownEnd[] = [];
  for (const jws of signed) {
    const checkpoint = await readCheckpoint(jws, keys);
    if (checkpoint === null) {
      const firstBad = { seq: 0, reason: TEXTS.audit.badCheckpoint };
      return { rows: 0, sealedUpTo: null, checkpoints: 0, uncovered: 0, firstBad };
    }
    checkpoints.push(checkpoint);
  }
  const hashesOf = (batch: readonly SealedRow[]) => Promise.all(batch.map(hashOf));
  return walkChain({ batches: readBatches, checkpoints, hashesOf }, report);
}

/** The file of `countersign audit export`. The browser keeps its parts, not this page. */
export async function exportAudit(report: (rows: number) => void): Promise<Blob> {
  const parts: Blob[] = [];
  const add = (lines: readonly object[]) =>
    parts.push(new Blob(lines.map((line) => `${JSON.stringify(line)}\n`)));
  let rows = 0;
  for await (const batch of readBatches()) {
    add(batch);
    report((rows += batch.length));
  }
  add((await readCheckpoints()).map((checkpoint) => ({ checkpoint })));
  add([await readKeys()]);
  return new Blob(parts, { type: 'application/x-ndjson' });
}
