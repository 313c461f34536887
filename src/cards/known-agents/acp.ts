import { ACP_TOOLS } from '../../kernel/acp-tools';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { editParts, part, type HiddenPart, type Row } from '../action-part';
import { languageOf } from '../code-language';
import { bold, rich, words } from '../rich-text';
import { count, pathOf } from '../titles';
import type { KnownAgent, KnownTool, Structure } from './known-agent';
import { runs, textOf, WEB_FETCH } from './tool-forms';

/** More diffs are shown as JSON: nobody reads so many on a card. */
const MAX_DIFFS = 20;
/** More places are shown as JSON. */
const MAX_PLACES = 20;

const EDIT: KnownTool = {
  effect: 'acts',
  title: ({ path, oldText }, { cwd, places }) => {
    if (typeof path !== 'string') return null;
    if (oldText === undefined) return rich`🆕 ${bold('Create or overwrite')} ${pathOf(path, cwd)}`;
    return places === null
      ? rich`📝 ${bold('Edit')} ${pathOf(path, cwd)}`
      : rich`📝 ${bold(`Edit ${count(places, 'place')}`)} in ${pathOf(path, cwd)}`;
  },
  members: () => [{ name: 'path', label: 'File', layout: 'line', isDetail: true }],
  structure: ({ path, oldText, newText, locations }) => {
    const parts = changeParts({ path, oldText, newText }, '');
    const change =
      parts === null ? null : { members: ['newText', ...(oldText === undefined ? [] : ['oldText'])], parts };
    return both(change, placesStructure(locations));
  },
  target: ({ path }) => textOf(path),
};

const OTHER: KnownTool = {
  effect: 'acts',
  title: ({ diffs }) =>
    Array.isArray(diffs) && diffs.length > 0
      ? rich`📝 ${bold('Change')} ${words(count(diffs.length, 'file'))}`
      : rich`🔐 ${bold('Use a tool of the agent')}`,
  structure: ({ diffs, locations }) => both(diffsStructure(diffs), placesStructure(locations)),
};

const both = (one: Structure | null, other: Structure | null): Structure | null =>
  one === null || other === null
    ? (one ?? other)
    : { members: [...one.members, ...other.members], parts: [...one.parts, ...other.parts] };

/** Every place with its line; null if there are too many, or one says more than that. */
function placesStructure(locations: JsonValue | undefined): Structure | null {
  if (!Array.isArray(locations) || locations.length === 0 || locations.length > MAX_PLACES) return null;
  const rows: Row[] = [];
  for (const place of locations as JsonValue[]) {
    if (typeof place !== 'object' || place === null || Array.isArray(place)) return null;
    const { path, line = null, ...others } = place as JsonObject;
    if (typeof path !== 'string' || Object.keys(others).length > 0) return null;
    if (line !== null && typeof line !== 'number') return null;
    rows.push([line === null ? 'file: ' : `line ${line}: `, path]);
  }
  return {
    members: ['locations'],
    parts: [{ label: 'Places that the agent names', layout: 'line', value: rows }],
  };
}

/** Every diff with its file; null if there are too many, or one has another shape. */
function diffsStructure(diffs: JsonValue | undefined): Structure | null {
  if (!Array.isArray(diffs) || diffs.length === 0 || diffs.length > MAX_DIFFS) return null;
  const parts: HiddenPart[] = [];
  for (const [i, diff] of (diffs as JsonValue[]).entries()) {
    if (typeof diff !== 'object' || diff === null || Array.isArray(diff)) return null;
    const { path, oldText, newText, ...others } = diff as JsonObject;
    const heading = `change ${i + 1} of ${diffs.length}`;
    const change = changeParts({ path, oldText, newText }, heading);
    if (typeof path !== 'string' || change === null || Object.keys(others).length > 0) return null;
    parts.push(part({ label: `File, ${heading}`, layout: 'line' }, path), ...change);
  }
  return { members: ['diffs'], parts };
}

/** The text of a file before and after; the new text alone if there was none. */
function changeParts({ path, oldText, newText }: Change, heading: string): readonly HiddenPart[] | null {
  if (typeof newText !== 'string') return null;
  const label = (text: string): string => (heading === '' ? text : `${text}, ${heading}`);
  if (oldText === undefined) {
    const language = typeof path === 'string' ? languageOf(path) : undefined;
    return [part({ label: label('Content'), layout: 'block', ...(language ? { language } : {}) }, newText)];
  }
  if (typeof oldText !== 'string') return null;
  return editParts([label('Before'), label('After')], [oldText, newText], { heading });
}

interface Change {
  readonly path: JsonValue | undefined;
  readonly oldText: JsonValue | undefined;
  readonly newText: JsonValue | undefined;
}

const TOOLS: ReadonlyMap<string, KnownTool> = new Map([
  [ACP_TOOLS.execute, runs('bash')],
  [ACP_TOOLS.edit, EDIT],
  [ACP_TOOLS.fetch, WEB_FETCH],
  [ACP_TOOLS.other, OTHER],
]);

/** Any agent that is run by `countersign run --acp` or `countersign acp-proxy`. */
export const ACP: KnownAgent = {
  name: 'an agent over ACP',
  tool: (name) => TOOLS.get(name) ?? null,
  unguardedMode: () => null,
  subagent: () => null,
};
