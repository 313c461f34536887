import type { CommandMatcher } from '../shell/command-matcher';

/** Reads the history of a project, and nothing else. */
export const READING_GIT = {
  argv: ['git', { any: ['status', 'diff', 'log', 'show', 'blame', 'ls-files'] }],
  flags: ['--', '--short', '--stat', '--oneline', '--graph', '--cached', '-p', '-:int', '-n:int', '-L:any'],
  operands: 'path',
} satisfies CommandMatcher & { argv: [string, { any: string[] }] };
