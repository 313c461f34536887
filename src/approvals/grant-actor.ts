import type { Actor } from '../kernel/actor';
import type { Grant } from '../policy/grants/grant-store';

/** The grant as the one that decided; its name says what was granted, and by whom. */
export function grantActor({ id, words, by }: Pick<Grant, 'id' | 'words' | 'by'>): Actor {
  return { kind: 'grant', id, name: `${words} (granted by ${by.name})` };
}
