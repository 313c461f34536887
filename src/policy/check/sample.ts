/** A text that a glob matches: `*` stands for "x", and `**` for nothing, or for the directories that are given. */
export function sampleOf(glob: string, directories: readonly string[] = []): string {
  return glob
    .split('/')
    .flatMap((segment) => (segment === '**' ? directories : [sampleSegment(segment)]))
    .join('/');
}

function sampleSegment(segment: string): string {
  return segment
    .replace(/\{([^,}]*)[^}]*\}/g, '$1')
    .replace(/\[!?(.)[^\]]*\]/g, '$1')
    .replace(/[*?]/g, 'x');
}
