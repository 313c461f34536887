import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { keySetSchema, type KeySet } from '../../receipts/key-set';
import type { ReceiptClaims } from '../../receipts/receipt-claims';
import { registrySchema, verifyAssertions, type Registry } from '../../receipts/verify-assertions';
import { readReceipt, ReceiptRefused } from '../../receipts/verify-receipt';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { askerOf, CLAIMED_AGENT } from '../../cards/asker';
import { readKeys } from '../key-set-file';
import { Findings, show } from '../output';
import { publicAnswer } from '../public-answer';
import { withServiceOptions } from '../service-options';

interface VerifyOptions {
  readonly url: string;
  readonly jwks?: string;
  readonly people?: string;
  readonly json?: boolean;
}

/** Text in another form is not a receipt, so the command does not fetch the keys for it. */
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const NO_KEYS: KeySet = { keys: [] };

/** `countersign receipt`: verifies the signed statements of settled requests. */
export function receiptCommand(): Command {
  return new Command('receipt')
    .description('Receipts: verify')
    .addCommand(
      withServiceOptions(
        new Command('verify')
          .description('Verify a receipt and print what it states; needs no API key')
          .argument('<file>', 'the receipt, or several, one a line; - for standard input'),
      )
        .addOption(new Option('--jwks <file>', 'the public keys; without, the service is asked for them'))
        .addOption(
          new Option(
            '--people <file>',
            'the registry of "countersign people export": also verifies what passkeys have signed',
          ),
        )
        .action(verify),
    );
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const receipts = readFileSync(file === '-' ? 0 : file, 'utf8')
    .trim()
    .split(/\s*\n\s*/);
  const keys = receipts.some((receipt) => COMPACT_JWS.test(receipt)) ? await keysFor(options) : NO_KEYS;
  const registry = options.people === undefined ? null : readRegistry(options.people);
  const [only = ''] = receipts;
  const against = { keys, registry };
  await (receipts.length === 1 ? verifyOne(only, against, options) : verifyAll(receipts, against, options));
}

interface Against {
  readonly keys: KeySet;
  /** Null: signatures of passkeys are not verified. */
  readonly registry: Registry | null;
}

/** @returns the people whose passkeys have signed; null: that was not verified */
async function read(receipt: string, { keys, registry }: Against) {
  const claims = await readReceipt(receipt, keys);
  return { claims, signedBy: registry && verifyAssertions(claims, registry) };
}

function readRegistry(path: string): Registry {
  try {
    return registrySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new Error(`${path}: is not a registry that "countersign people export" wrote`, { cause });
  }
}

async function verifyOne(receipt: string, against: Against, options: VerifyOptions): Promise<void> {
  let claims: ReceiptClaims;
  let signedBy: string[] | null;
  try {
    ({ claims, signedBy } = await read(receipt, against));
  } catch (error) {
    if (!(error instanceof ReceiptRefused)) throw error;
    show({ ok: false, reason: error.message, claims: null }, [error.message], options);
    throw new Findings();
  }
  show(
    { ok: true, reason: null, claims, ...(signedBy && { signedBy }) },
    [...linesOf(claims), ...signedLines(signedBy)],
    options,
  );
}

/** Verifies many receipts and lists only those that are not genuine. */
async function verifyAll(
  receipts: readonly string[],
  against: Against,
  options: VerifyOptions,
): Promise<void> {
  const bad: { readonly line: number; readonly reason: string }[] = [];
  for (const [index, receipt] of receipts.entries()) {
    try {
      await read(receipt, against);
    } catch (error) {
      if (!(error instanceof ReceiptRefused)) throw error;
      bad.push({ line: index + 1, reason: error.message });
    }
  }
  const ok = bad.length === 0;
  const lines = ok
    ? [`All ${receipts.length} receipts are genuine.`]
    : bad.map(({ line, reason }) => `line ${line}: ${reason}`);
  show({ ok, receipts: receipts.length, bad }, lines, options);
  if (!ok) throw new Findings();
}

const keysFor = ({ jwks, url }: VerifyOptions): Promise<KeySet> | KeySet =>
  jwks === undefined ? publishedKeys(url) : readKeys(jwks);

async function publishedKeys(url: string): Promise<KeySet> {
  try {
    return await publicAnswer(url, '/.well-known/jwks.json', keySetSchema);
  } catch (cause) {
    throw new Error(`${url} does not hand out its keys; give a copy of them with --jwks`, { cause });
  }
}

const signedLines = (signedBy: readonly string[] | null): string[] => {
  if (signedBy === null) return [];
  return signedBy.length === 0
    ? ['Signed by no passkey']
    : [`Signed by the passkeys of: ${visibleLine(signedBy.join(', '))}`];
};

/** Makes invisible characters visible, since the names come from agents. */
function linesOf(claims: ReceiptClaims): string[] {
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const { decidedBy: by } = claims;
  return [
    `The receipt is genuine: ${claims.status}${by ? ` by ${visibleLine(by.name)} (${by.kind} ${visibleLine(by.id)})` : ''}`,
    `Settled: ${at(claims.iat)}`,
    `Request: ${claims.approvalId}`,
    ...(claims.bindingVersion === 1
      ? []
      : [`Asked by: ${askerOf({ keyId: claims.keyId, owner: claims.keyOwner })}`]),
    `${CLAIMED_AGENT}: ${visibleLine(claims.agentId)}`,
    `Session: ${visibleLine(claims.sessionId)}`,
    `Tool: ${visibleLine(claims.toolName)}`,
    `Input: ${claims.inputDigest}`,
    `Shown: ${claims.displayDigest ?? 'no card'}`,
    `To be acted on before: ${at(claims.exp)}`,
  ];
}
