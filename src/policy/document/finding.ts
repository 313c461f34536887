/** A fault of a policy document at its place. Lines and columns count from 1. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly line: number;
  readonly column: number;
  /** Number of characters of that line that are at fault; at least 1. */
  readonly length: number;
  /** The rule's id; null for a fault outside the rules. */
  readonly rule: string | null;
  readonly message: string;
  /** The mend, as an instruction. */
  readonly fix: string;
}

/** A fault that does not know its place in the text yet. */
export interface Fault {
  readonly severity: 'error' | 'warning';
  readonly path: readonly (string | number)[];
  /** The name of the member is at fault, not its value. */
  readonly ofKey?: boolean;
  /** The part of a text value that is at fault, in UTF-16 code units. */
  readonly range?: { readonly start: number; readonly end: number };
  readonly message: string;
  readonly fix: string;
}

/** Maximum number of findings that a check shows. */
export const MAX_FINDINGS = 100;

/** Findings in the order of the text. Of too many, it shows errors before warnings, and says at the end that there are more. */
export function listFindings(found: readonly Finding[]): readonly Finding[] {
  const inOrder = found.toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (inOrder.length <= MAX_FINDINGS) return inOrder;
  const [errors, warnings] = [inOrder.filter(isError), inOrder.filter((finding) => !isError(finding))];
  const ranked = [...errors, ...warnings];
  const hidden = new Set(ranked.slice(MAX_FINDINGS - 1));
  const [first] = hidden;
  if (!first) return inOrder;
  return [
    ...inOrder.filter((finding) => !hidden.has(finding)),
    {
      ...first,
      rule: null,
      message: 'There are more findings than are shown.',
      fix: 'Mend these, and check again.',
    },
  ];
}

const isError = ({ severity }: Finding): boolean => severity === 'error';
