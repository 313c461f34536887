/** The words for each property that a later version will enforce. A version never enforces half of a document. */
const ENFORCED =
  'This version enforces people, groups, approvals, rejections, reasons, passkeys, destinations, chains, claims, rotas, timeouts and grants, and refuses what it cannot enforce';

/** Members of the document, and of a class, whose part has not landed. */
const LATER: Readonly<Record<'document' | 'class', ReadonlySet<string>>> = {
  document: new Set(),
  class: new Set(['digest']),
};

export interface Words {
  readonly message: string;
  readonly fix: string;
}

/** The refusal of a property that this version cannot enforce. */
function unenforced(property: string): Words {
  return {
    message: `\`${property}\` is not enforced by this version. ${ENFORCED}.`,
    fix: `Remove \`${property}\`, or install a version that enforces it.`,
  };
}

/** The refusal of an unknown member whose name is known from a later version; null for any other name. */
export function unenforcedMember(place: 'document' | 'class', name: string): Words | null {
  return LATER[place].has(name) ? unenforced(name) : null;
}
