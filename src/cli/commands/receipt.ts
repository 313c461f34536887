import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { keySetSchema, type KeySet } from '../../receipts/key-set';
import type { ReceiptClaims } from '../../receipts/receipt-claims';
import { readReceipt, ReceiptRefused } from '../../receipts/verify-receipt';
import { visibleLine } from '../../escalation/visible-text';
import { readKeys } from '../key-set-file';
import { Findings, show } from '../output';
import { withUrlOption } from '../service-options';

interface VerifyOptions {
  readonly url: string;
  readonly jwks?: string;
  readonly json?: boolean;
}

/** The longest that the service may take to hand out its keys. */
const KEYS_WITHIN_MS = 15_000;

/** `countersign receipt`: signed statements of settled requests. */
export function receiptCommand(): Command {
  return new Command('receipt')
    .description('Receipts: verify')
    .addCommand(
      withUrlOption(
        new Command('verify')
          .description('Whether a receipt is genuine, and what it states; needs no API key')
          .argument('<file>', 'the receipt, or - for standard input'),
      )
        .addOption(new Option('--jwks <file>', 'the public keys; without, the service is asked for them'))
        .option('--json', 'print the result as JSON')
        .action(verify),
    );
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const receipt = readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  const keys = options.jwks === undefined ? await publishedKeys(options.url) : readKeys(options.jwks);
  let claims: ReceiptClaims;
  try {
    claims = await readReceipt(receipt, keys);
  } catch (error) {
    if (!(error instanceof ReceiptRefused)) throw error;
    show({ ok: false, reason: error.message, claims: null }, [error.message], options);
    throw new Findings();
  }
  show({ ok: true, reason: null, claims }, linesOf(claims), options);
}

async function publishedKeys(url: string): Promise<KeySet> {
  try {
    const answer = await fetch(`${url.replace(/\/+$/, '')}/.well-known/jwks.json`, {
      signal: AbortSignal.timeout(KEYS_WITHIN_MS),
      redirect: 'error',
    });
    return keySetSchema.parse(await answer.json());
  } catch (cause) {
    throw new Error(`${url} does not hand out its keys; give a copy of them with --jwks`, { cause });
  }
}

/** Names come from agents: what cannot be seen is made visible. */
function linesOf(claims: ReceiptClaims): string[] {
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const { decidedBy: by } = claims;
  return [
    `The receipt is genuine: ${claims.status}${by ? ` by ${visibleLine(by.name)} (${by.kind} ${visibleLine(by.id)})` : ''}`,
    `Settled: ${at(claims.iat)}`,
    `Request: ${claims.approvalId}`,
    `Agent: ${visibleLine(claims.agentId)}`,
    `Session: ${visibleLine(claims.sessionId)}`,
    `Tool: ${visibleLine(claims.toolName)}`,
    `Input: ${claims.inputDigest}`,
    `Shown: ${claims.displayDigest ?? 'no card'}`,
    `To be acted on before: ${at(claims.exp)}`,
  ];
}
