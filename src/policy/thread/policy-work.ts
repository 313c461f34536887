import type { PolicyChange } from '../../kernel/announcement';
import type { Finding } from '../document/finding';
import type { ReplayResult } from '../replay-result';
import type { PastRequest } from '../request-history';
import type { Suggestions } from '../suggest/suggest-rules';
import type { ToolShapes } from '../tool-shapes';

/** Work on documents and requests that a thread does, so that the event loop serves the agents meanwhile. */
export type Work =
  /** `active`: the stored document that the text would replace; null: none. */
  | { readonly kind: 'check'; readonly text: string; readonly active: string | null }
  | { readonly kind: 'replay'; readonly text: string }
  | { readonly kind: 'suggest'; readonly active: string | null };

/** The result of a check, as it passes from one thread to another. */
export interface CheckedDocument {
  /** True without an error; warnings are advice. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** Null if the document cannot be read. */
  readonly read: AcceptedDocument | null;
}

export interface AcceptedDocument {
  readonly version: string;
  /** The canonical form. */
  readonly document: string;
  readonly change: PolicyChange;
  /** True if the active document demands two people for this change. */
  readonly needsSecondPerson: boolean;
}

/** `findings`: the document cannot be read. */
export type Replayed = { readonly result: ReplayResult } | { readonly findings: readonly Finding[] };

export interface Results {
  readonly check: CheckedDocument;
  readonly replay: Replayed;
  readonly suggest: Suggestions;
}

/** The data with which a thread starts. */
export interface ThreadData {
  readonly work: Work;
  readonly shapes: ToolShapes;
}

/** A page of the history, oldest first; null: there are no more. */
export type ToThread = readonly PastRequest[] | null;

/** The thread has read a page, or is done. */
export type FromThread =
  { readonly kind: 'read' } | { readonly kind: 'done'; readonly result: Results[Work['kind']] };
