import { readPolicy, type ReadPolicy } from '../document/read-policy';
import { listFindings, type Fault, type Finding } from '../document/finding';
import { UnreadableDocument } from '../document/source';
import type { ToolShapes } from '../tool-shapes';
import { caseFaults } from './cases';
import { executedEditFaults } from './executed-edits';
import { pairFaults } from './pair-faults';
import { peopleFaults } from './people-faults';
import { ruleFaults } from './rule-faults';

export interface CheckedPolicy {
  /** True without an error; warnings are advice. */
  readonly ok: boolean;
  /** In the order of the text. */
  readonly findings: readonly Finding[];
  /** Null if the document cannot be read. */
  readonly policy: ReadPolicy | null;
}

/**
 * Checks a policy document: its form, each rule, rules against each other, and the cases of every rule. Only a document
 * without an error may become active.
 */
export function checkPolicy(text: string, shapes: ToolShapes): CheckedPolicy {
  try {
    const read = readPolicy(text);
    const { rules } = read.policy;
    const faults: Fault[] = [
      ...rules.flatMap((rule, index) => ruleFaults(rule, index, shapes)),
      ...pairFaults(rules),
      ...peopleFaults(read.policy),
      ...executedEditFaults(rules, shapes),
      ...rules.flatMap((rule, index) => caseFaults(rule, index, shapes)),
    ];
    const ok = !faults.some(({ severity }) => severity === 'error');
    return { ok, findings: listFindings(faults.map((fault) => read.source.locate(fault))), policy: read };
  } catch (error) {
    if (!(error instanceof UnreadableDocument)) throw error;
    return { ok: false, findings: listFindings(error.findings), policy: null };
  }
}
