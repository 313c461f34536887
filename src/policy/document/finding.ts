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
