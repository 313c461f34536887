import { canonicalize, sha256Hex } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import { crossFaults } from './cross-faults';
import { listFindings, MAX_FINDINGS, type Fault, type Finding } from './finding';
import { policySchema, type Policy } from './policy-schema';
import { faultsOf } from './schema-faults';
import { MAX_DOCUMENT_CHARACTERS, readSource, UnreadableDocument, type PolicySource } from './source';

/** A document that this version enforces, its version, and the place of each part. */
export interface ReadPolicy {
  readonly policy: Policy;
  /** `sha256:` and the hex SHA-256 of the canonical form of the document as it is written. */
  readonly version: string;
  readonly source: PolicySource;
}

/**
 * Reads a policy document from YAML or JSON.
 *
 * @throws UnreadableDocument with the faults and their places
 */
export function readPolicy(text: string): ReadPolicy {
  const source = readSource(text);
  const { data, error } = policySchema.safeParse(source.value);
  const findings: Finding[] = [];
  for (const fault of error ? faultsOf(error.issues) : crossFaults(data)) {
    findings.push(source.locate(fault));
    // One more than is shown: it says that there are more.
    if (findings.length > MAX_FINDINGS) break;
  }
  if (findings.length > 0 || !data) throw new UnreadableDocument(listFindings(findings));
  // Replicas read the stored canonical form, which repeats the values of aliases.
  const canonical = canonicalize(source.value);
  if (canonical.length > MAX_DOCUMENT_CHARACTERS)
    throw new UnreadableDocument([source.locate(tooLong(canonical))]);
  return { policy: data, version: `sha256:${sha256Hex(canonical)}`, source };
}

const tooLong = ({ length }: string): Fault => ({
  severity: 'error',
  path: [],
  message: `With its aliases written out, the document has ${length} characters; at most ${MAX_DOCUMENT_CHARACTERS} are stored.`,
  fix: 'Say the same with fewer rules: lists and globs match many values.',
});

/**
 * Reads the canonical form of a document that was checked before it was stored. JSON takes a hundredth of the time of YAML.
 *
 * @throws UnreadableDocument if this version cannot enforce it
 */
export function readStored(document: string): Policy {
  const { data } = policySchema.safeParse(JSON.parse(document));
  const [fault] = data ? crossFaults(data) : [];
  // The reader of texts says what is wrong, and where.
  return data && fault === undefined ? data : readPolicy(document).policy;
}

/** The version of a document: its digest. */
export function policyVersion(document: JsonValue): string {
  return `sha256:${sha256Hex(canonicalize(document))}`;
}
