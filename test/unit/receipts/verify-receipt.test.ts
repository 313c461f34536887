import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BoundInput } from '../../../src/kernel/canonical-json';
import type { PublicKey } from '../../../src/receipts/key-set';
import {
  readReceipt,
  ReceiptRefused,
  UsedReceipts,
  verifyReceipt,
} from '../../../src/receipts/verify-receipt';
import {
  claims,
  DAY_MS,
  encoded,
  EXPECTED,
  HEADER,
  hmacSigned,
  KEYS,
  KID,
  PUBLIC_KEY_FORMS,
  SETTLED_AT,
  signed,
} from './receipt-samples';

/** Made by the last commit that signed version 1, with a key of their own. Never make them again. */
const VERSION_1 = JSON.parse(readFileSync(join(__dirname, 'version-1-receipts.json'), 'utf8')) as {
  readonly keys: PublicKey[];
  readonly action: BoundInput;
  readonly agentId: string;
  readonly sessionId: string;
  readonly receipts: readonly {
    readonly status: string;
    readonly approvalId: string;
    readonly receipt: string;
  }[];
};

const soon = new Date(SETTLED_AT.getTime() + 1000);
const use = (receipt: string, expected = EXPECTED, now = soon) => verifyReceipt(receipt, KEYS, expected, now);

it('accepts what the service signs', async () => {
  await expect(use(signed(claims()))).resolves.toEqual(claims());
});

describe('the signature', () => {
  it('is refused with alg none, with and without something in its place', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      const unsigned = `${encoded({ ...HEADER, alg })}.${encoded(claims())}.`;
      for (const receipt of [unsigned, `${unsigned}AAAA`, unsigned.slice(0, -1)])
        await expect(use(receipt)).rejects.toThrow(ReceiptRefused);
    }
  });

  it('is refused as HS256 with the public key in any of its forms', async () => {
    for (const form of PUBLIC_KEY_FORMS)
      await expect(use(hmacSigned(claims(), form))).rejects.toThrow(ReceiptRefused);
  });

  it.each([
    ['another typ', { ...HEADER, typ: 'JWT' }],
    ['the typ of a checkpoint', { ...HEADER, typ: 'countersign-checkpoint+jwt' }],
    ['the typ in another case', { ...HEADER, typ: 'Countersign-Receipt+JWT' }],
    ['no typ', { alg: 'EdDSA', kid: KID }],
    ['no kid', { alg: 'EdDSA', typ: HEADER.typ }],
    ['an unknown kid', { ...HEADER, kid: 'another' }],
    ['a kid that is a path', { ...HEADER, kid: '../../dev/null' }],
    ['a critical extension', { ...HEADER, crit: ['b64'], b64: true }],
    ['a place to get the key from', { ...HEADER, jku: 'http://127.0.0.1:9/keys' }],
    ['an algorithm of the same family', { ...HEADER, alg: 'Ed448' }],
  ])('is refused with %s', async (_what, header) => {
    await expect(use(signed(claims(), header))).rejects.toThrow(ReceiptRefused);
  });

  it('is refused when it brings its own key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const jwk = publicKey.export({ format: 'jwk' });
    for (const header of [{ ...HEADER, jwk }, HEADER])
      await expect(use(signed(claims(), header, privateKey))).rejects.toThrow(ReceiptRefused);
  });

  it('is refused when any one character of the receipt is another', async () => {
    const receipt = signed(claims());
    const at = [0, 10, receipt.indexOf('.') + 5, receipt.lastIndexOf('.') - 3, receipt.lastIndexOf('.') + 5];
    for (const i of at) {
      const changed = receipt.slice(0, i) + (receipt[i] === 'A' ? 'B' : 'A') + receipt.slice(i + 1);
      await expect(use(changed)).rejects.toThrow(ReceiptRefused);
    }
  });

  it.each(['', '.', '..', 'a.b', 'a.b.c', 'a.b.c.d', '{}', `${encoded('[]')}.${encoded('{}')}.AAAA`])(
    'is refused when the receipt is %j',
    async (receipt) => {
      await expect(use(receipt)).rejects.toThrow(ReceiptRefused);
    },
  );

  it('is refused when the key was retired before the date of the receipt, and good until then', async () => {
    const iat = SETTLED_AT.getTime() / 1000;
    const retired = (exp: number) => ({ keys: KEYS.keys.map((key) => ({ ...key, exp })) });
    await expect(readReceipt(signed(claims()), retired(iat - 1))).rejects.toThrow(/retired/);
    await expect(readReceipt(signed(claims()), retired(iat))).resolves.toMatchObject({ iat });
  });
});

describe('the claims', () => {
  it.each([
    ['another issuer', { iss: 'somebody' }],
    ['another audience than the agent it names', { aud: 'other' }],
    ['a list of audiences', { aud: ['claude-code', 'other'] }],
    ['a life of more than a day', { exp: claims().exp + 1 }],
    ['another beginning than its date', { nbf: claims().nbf - 1 }],
    ['another version', { bindingVersion: 3 }],
    ['the claims of two versions', { bindingVersion: 1 }],
    ['no key that asked', { keyId: undefined }],
    ['an unknown status', { status: 'APPROVED' }],
    ['a claim too many', { scope: 'everything' }],
    ['a claim too few', { jti: undefined }],
    ['a digest of another kind', { inputDigest: 'md5:0' }],
  ])('are refused with %s', async (_what, change) => {
    await expect(readReceipt(signed(claims(change)), KEYS)).rejects.toThrow(ReceiptRefused);
  });

  it('are refused when one of them is given twice', async () => {
    const twice = JSON.stringify(claims()).replace('{', '{"status":"rejected",');
    await expect(readReceipt(signed(twice), KEYS)).rejects.toThrow(ReceiptRefused);
  });
});

describe('what a later version states', () => {
  it.each([
    ['bindingVersion', { bindingVersion: 3 }],
    ['status', { status: 'escalated' }],
    ['decidedBy.kind', { decidedBy: { kind: 'oracle', id: '1', name: 'Delphi' } }],
    ['quorum', { quorum: 2 }],
  ])('is refused by the name of the unknown %s, with advice to upgrade', async (name, change) => {
    await expect(use(signed(claims(change)))).rejects.toThrow(`does not know its ${name}; upgrade`);
  });
});

describe('receipts of version 1, as that version signed them', () => {
  const { keys, action, agentId, sessionId, receipts } = VERSION_1;

  it.each(receipts)('are genuine: $status', async ({ status, approvalId, receipt }) => {
    expect(await readReceipt(receipt, { keys })).toMatchObject({ bindingVersion: 1, status, approvalId });
  });

  it('allow what was approved, and nothing else', async () => {
    for (const { status, approvalId, receipt } of receipts) {
      const acted = verifyReceipt(receipt, { keys }, { approvalId, agentId, sessionId, action }, soon);
      if (status === 'approved') await expect(acted).resolves.toMatchObject({ approvalId });
      else await expect(acted).rejects.toThrow(status);
    }
  });
});

describe('acting on a receipt', () => {
  it.each(['rejected', 'expired', 'cancelled'])('is refused when it says %s', async (status) => {
    await expect(use(signed(claims({ status })))).rejects.toThrow(status);
  });

  const { action } = EXPECTED;
  it.each([
    ['request', { ...EXPECTED, approvalId: '0190a000-0000-7000-8000-000000000002' }],
    ['agent', { ...EXPECTED, agentId: 'other' }],
    ['session', { ...EXPECTED, sessionId: 'session-2' }],
    ['tool', { ...EXPECTED, action: { ...action, toolName: 'Write' } }],
    ['action', { ...EXPECTED, action: { ...action, toolInput: { command: 'make deploy ' } } }],
    ['action', { ...EXPECTED, action: { ...action, cwd: '/' } }],
    ['action', { ...EXPECTED, action: { ...action, cwd: null } }],
  ])('is refused for another %s', async (what, expected) => {
    await expect(use(signed(claims()), expected)).rejects.toThrow(`for another ${what}`);
  });

  it('is refused from 24 hours after the settlement on, and as evidence the receipt stays valid', async () => {
    const after = (ms: number) => new Date(SETTLED_AT.getTime() + ms);
    const receipt = signed(claims());
    await expect(use(receipt, EXPECTED, after(DAY_MS - 1))).resolves.toBeDefined();
    await expect(use(receipt, EXPECTED, after(DAY_MS))).rejects.toThrow('too old');
    await expect(readReceipt(receipt, KEYS)).resolves.toMatchObject({ status: 'approved' });
  });

  it('allows for a clock that is a minute behind, and no more', async () => {
    const before = (ms: number) => new Date(SETTLED_AT.getTime() - ms);
    await expect(use(signed(claims()), EXPECTED, before(60_000))).resolves.toBeDefined();
    await expect(use(signed(claims()), EXPECTED, before(60_001))).rejects.toThrow('not valid yet');
  });

  it('is refused the second time, however often it is tried, until it is too old anyway', () => {
    const used = new UsedReceipts();
    used.use(claims(), soon);
    for (const later of [0, 1000, DAY_MS - 2000]) {
      expect(() => used.use(claims(), new Date(soon.getTime() + later))).toThrow('used before');
    }
    expect(() => used.use(claims({ jti: 'another' }), soon)).not.toThrow();
  });
});
