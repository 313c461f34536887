import { canonicalize, sha256Hex } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import { crossFaults } from './cross-faults';
import { listFindings, MAX_FINDINGS, type Finding } from './finding';
import { policySchema, type Policy } from './policy-schema';
import { faultsOf } from './schema-faults';
import { readSource, UnreadableDocument, type PolicySource } from './source';

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
  return { policy: data, version: policyVersion(source.value), source };
}

/** The version of a document: its digest. */
export function policyVersion(document: JsonValue): string {
  return `sha256:${sha256Hex(canonicalize(document))}`;
}
