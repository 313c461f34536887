import type { Config } from '../../../config/environment';
import { describeError } from '../../../kernel/describe-error';
import { keySetSchema, type KeySet, type PublicKey } from '../../../receipts/key-set';
import { SigningKey } from '../../../receipts/signing-key';
import { SigningKeyFile } from '../../../receipts/signing-key-file';
import { SigningKeyStore } from '../../../receipts/signing-key-store';
import { readReceipt, ReceiptRefused } from '../../../receipts/verify-receipt';
import { error, seen, skipped, warning, type Check, type Finding } from '../check';
import type { ServiceDoor } from '../service-door';

/** Enough recent receipts to detect a key that is wrong since lately. */
const RECEIPTS = 20;

/** Ids begin with the time of creation: the newest are at the end of the primary key. */
const NEWEST_RECEIPTS = {
  name: 'doctor-receipts',
  text: 'select approval_id, jws from receipts order by approval_id desc limit $1',
};

type Found = Omit<Finding, 'check'>;

/** The signing key of the service on this machine; null: there is none yet. */
type Kept = { readonly key: SigningKey | null; readonly where: string } | { readonly fault: Found };

async function keptKey({ signing, dataDir }: Config): Promise<Kept> {
  const file = new SigningKeyFile(dataDir);
  try {
    return signing.key === null
      ? { key: await file.read(), where: file.path }
      : { key: await SigningKey.from(signing.key), where: 'APPROVAL_SIGNING_KEY' };
  } catch (reason) {
    const message = `nothing can be signed: ${signing.key === null ? '' : 'APPROVAL_SIGNING_KEY '}${describeError(reason)}`;
    return {
      fault: error(
        message,
        'bring the key back from a copy, or make another with "openssl genpkey -algorithm ed25519", readable by the service',
      ),
    };
  }
}

/** Compares the key on this machine with the published keys and returns the findings. */
function standing(key: SigningKey | null, where: string, published: readonly PublicKey[]): Found[] {
  // Before the first start.
  if (published.length === 0) return [];
  if (key === null) {
    return [
      warning(
        `${where} is not there, and this installation has signed: the next start makes another key`,
        'bring it back from a copy, or start the service and run "countersign keys rotate-signing" to retire the lost one',
      ),
    ];
  }
  const known = published.find(({ kid }) => kid === key.kid);
  if (known === undefined) {
    return [
      warning(
        `the key of ${where} (${key.kid}) was never in use: the replicas that run sign with another`,
        'restart the replicas one after the other; then "countersign keys rotate-signing" retires the one before',
      ),
    ];
  }
  if (known.exp === undefined) return [];
  return [
    warning(
      `the key of ${where} (${key.kid}) is retired, or about to be`,
      'nothing, while the service runs: it puts another in its place. In APPROVAL_SIGNING_KEY: put a new one there, restart',
    ),
  ];
}

function tooMany(published: readonly PublicKey[]): Found[] {
  const inUse = published.filter(({ exp }) => exp === undefined).length;
  if (inUse <= 1) return [];
  return [
    warning(
      `${inUse} signing keys count as in use: replicas have keys of their own, or a lost one was never retired`,
      'give all replicas one APPROVAL_SIGNING_KEY (docs/deployment-guide.md, section 2), then "countersign keys rotate-signing"',
    ),
  ];
}

/** The keys that the service publishes; null if it does not answer, which another check reports. */
async function served(service: ServiceDoor): Promise<KeySet | null> {
  const answer = await service.get('/.well-known/jwks.json', keySetSchema).catch(() => null);
  return answer?.body ?? null;
}

async function receiptFaults(
  receipts: readonly { approval_id: string; jws: string }[],
  keys: KeySet,
): Promise<Found[]> {
  for (const { approval_id: id, jws } of receipts) {
    try {
      await readReceipt(jws, keys);
    } catch (reason) {
      if (!(reason instanceof ReceiptRefused)) throw reason;
      return [
        error(
          `the receipt of ${id} does not verify, and no agent acts on it: ${reason.message}`,
          'see that the service uses this database; docs/runbooks/CountersignReceiptsFailing.md',
        ),
      ];
    }
  }
  return [];
}

/** Checks that the service can sign receipts and that their recipients can verify them. */
export const signingKeyCheck: Check = {
  name: 'signing-key',
  async examine({ reached, config, service }) {
    const kept = await keptKey(config);
    if ('fault' in kept) return seen('unusable', kept.fault);
    if (reached.database === null) return skipped('needs the database');
    const { key, where } = kept;
    const published = await new SigningKeyStore(reached.database).all();
    const receipts = await reached.database.query<{ approval_id: string; jws: string }>(NEWEST_RECEIPTS, [
      RECEIPTS,
    ]);
    const keys = (await served(service)) ?? { keys: published };
    return seen(
      `${key === null ? 'none yet' : `${key.kid} of ${where}`}; the newest ${receipts.length} receipts looked at`,
      ...standing(key, where, published),
      ...tooMany(published),
      ...(await receiptFaults(receipts, keys)),
    );
  },
};
