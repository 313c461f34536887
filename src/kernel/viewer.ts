/** An operator who reads: sees the requests that the policy sends to their groups (ADR 60). */
export interface Reader {
  /** The owner of the key or session, in lower case; empty: it belongs to nobody. */
  readonly person: string;
  /** False for a session that an OpenID provider opened: it is never an admin's. */
  readonly mayBeAdmin: boolean;
}

/** The requests that a caller may see: those made with one key, those that a person sees, or all. */
export type Viewer = { readonly keyId: string } | Reader | 'everything';

/** The person who reads; null: everybody's requests are read, or those of a key. */
export const readerIn = (viewer: Viewer): Reader | null =>
  viewer !== 'everything' && 'person' in viewer ? viewer : null;

export function mayView(viewer: Viewer, { keyId }: { readonly keyId: string }): boolean {
  return viewer === 'everything' || !('keyId' in viewer) || viewer.keyId === keyId;
}
