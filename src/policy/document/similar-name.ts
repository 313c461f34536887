/** The known name that a misspelt one probably means; null if none is close. */
export function similarName(name: string, known: readonly string[]): string | null {
  const [closest] = known
    .map((candidate) => ({ candidate, edits: editsBetween(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.edits - b.edits);
  return closest?.candidate ?? null;
}

/** Levenshtein distance; names longer than any known one count as different. */
function editsBetween(a: string, b: string): number {
  if (a.length > 64) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of a.split('').entries()) {
    let before = i + 1;
    row = row.map((_, j) => {
      if (j === 0) return before;
      const replaced = (row[j - 1] ?? 0) + (b[j - 1] === letter ? 0 : 1);
      before = Math.min(replaced, (row[j] ?? 0) + 1, before + 1);
      return before;
    });
  }
  return row.at(-1) ?? 0;
}
