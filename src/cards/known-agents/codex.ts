import type { JsonObject } from '../../kernel/json';
import { bold, join, rich, words, type RichText } from '../rich-text';
import { count, pathOf } from '../titles';
import type { KnownAgent, KnownTool } from './known-agent';

/** The members that have carried the patch in versions of Codex and of agents that took the tool over. */
const PATCH_MEMBERS = ['input', 'patch', 'patchText', 'command'];

/** More files than this are counted in a title, not named. */
const MAX_NAMED_FILES = 2;
/** More files are not looked for: a title is made at once. */
const MAX_FILES = 100;

interface FileChange {
  readonly verb: (typeof VERBS)[keyof typeof VERBS];
  readonly path: string;
}

/** The files that a patch changes. A line of content begins with a mark, so it is never taken for one of these. */
const FILE_LINE = /(?:^|\n)\*\*\* (Add File|Update File|Delete File|Move to): ([^\n]+)/g;

const VERBS = {
  'Add File': 'Create',
  'Update File': 'Edit',
  'Delete File': 'Delete',
  'Move to': 'Move to',
} as const;
const SIGNS = { Create: '🆕', Edit: '📝', Delete: '🚮', 'Move to': '📝' } as const;

function filesOf(patch: string): FileChange[] {
  const changes: FileChange[] = [];
  for (const [, verb, path] of patch.matchAll(FILE_LINE)) {
    changes.push({ verb: VERBS[verb as keyof typeof VERBS], path: path ?? '' });
    if (changes.length > MAX_FILES) break;
  }
  return changes;
}

function patchOf(input: JsonObject): string | null {
  const value = PATCH_MEMBERS.map((name) => input[name]).find((text) => typeof text === 'string');
  return typeof value === 'string' && value.trimStart().startsWith('*** Begin Patch') ? value : null;
}

function titleOf(changes: readonly FileChange[], cwd: string | null): RichText | null {
  const [first] = changes;
  if (!first || changes.length > MAX_FILES) return null;
  const paths = join(
    changes.slice(0, MAX_NAMED_FILES).map(({ path }) => pathOf(path, cwd)),
    ', ',
  );
  const more = changes.length > MAX_NAMED_FILES ? ` and ${changes.length - MAX_NAMED_FILES} more` : '';
  if (changes.every(({ verb }) => verb === first.verb))
    return rich`${words(SIGNS[first.verb])} ${bold(first.verb)} ${paths}${words(more)}`;
  return rich`📝 ${bold(`Change ${count(changes.length, 'file')}`)}: ${paths}${words(more)}`;
}

const APPLY_PATCH: KnownTool = {
  effect: 'acts',
  title: (input, { cwd }) => {
    const patch = patchOf(input);
    return patch === null ? null : titleOf(filesOf(patch), cwd);
  },
  dangers: (input) => {
    const deleted = filesOf(patchOf(input) ?? '').filter(({ verb }) => verb === 'Delete').length;
    return deleted === 0 ? [] : [bold(`Deletes ${count(deleted, 'file')}`)];
  },
  members: () => PATCH_MEMBERS.map((name) => ({ name, label: 'Patch', layout: 'block', language: 'diff' })),
  target: (input) => {
    const files = filesOf(patchOf(input) ?? '');
    return files.length === 1 ? (files[0]?.path ?? null) : null;
  },
};

/** Modes in which Codex asks the person, or refuses, where its hook decided nothing. */
const GUARDED_MODES: ReadonlySet<string> = new Set(['default', 'plan', 'dontAsk']);

/** Codex names its tools like this. Its patches are diffs already. */
export const CODEX: KnownAgent = {
  name: 'Codex',
  tool: (name) => (name === 'apply_patch' ? APPLY_PATCH : null),
  unguardedMode({ gate }) {
    const mode = (gate as JsonObject | null | undefined)?.permissionMode;
    return typeof mode === 'string' && !GUARDED_MODES.has(mode) ? mode : null;
  },
  subagent: () => null,
};
