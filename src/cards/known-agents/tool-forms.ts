import type { JsonObject, JsonValue } from '../../kernel/json';
import { readUrl } from '../../kernel/read-url';
import type { KnownMember } from '../action-part';
import type { CodeLanguage } from '../code-language';
import { bold, rich, words, type RichText } from '../rich-text';
import { commandOf, nameOf, pathOf } from '../titles';
import type { Circumstances, KnownTool } from './known-agent';

export type Titled = Required<Pick<KnownTool, 'title'>> & Omit<KnownTool, 'effect'>;

export const line = (name: string, label: string): KnownMember => ({ name, label, layout: 'line' });
export const block = (name: string, label: string, language?: CodeLanguage): KnownMember => ({
  name,
  label,
  layout: 'block',
  ...(language ? { language } : {}),
});

export const acts = (tool: Titled): KnownTool => ({ effect: 'acts', ...tool });

export const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === 'string' ? value : null;

/** True for every value but those that certainly leave an option off. */
export const isOn = (value: JsonValue | undefined): boolean =>
  value !== undefined && value !== false && value !== null;

/** Words where the option is on; the member itself stays among the other input. */
export const ifOn = (value: JsonValue | undefined, text: string): RichText[] =>
  isOn(value) ? [bold(text)] : [];

/** A title from one text of the input; null where it is missing. */
export const titled =
  (member: string, write: (text: string, input: JsonObject, around: Circumstances) => RichText | null) =>
  (input: JsonObject, around: Circumstances): RichText | null => {
    const text = textOf(input[member]);
    return text === null ? null : write(text, input, around);
  };

export const runs = (language: CodeLanguage, verb = 'Run'): KnownTool =>
  acts({
    title: titled('command', (command, _input, { cwd }) => {
      const where = cwd === null ? words('') : rich` in ${pathOf(cwd, null)}`;
      return rich`💻 ${bold(verb)}${where}: ${commandOf(command)}`;
    }),
    dangers: (input) => [
      ...ifOn(input.dangerouslyDisableSandbox, 'Outside the sandbox'),
      ...ifOn(input.run_in_background, 'In the background'),
      ...ifOn(input.persistent, 'Until the session ends'),
    ],
    members: () => [block('command', 'Command', language), line('description', 'Description by the agent')],
  });

/** The host as a browser would resolve it: names before `@` and look-alike forms do not count. */
function hostOf(url: string): string | null {
  return readUrl(url)?.host ?? null;
}

/** Fetches the `url` of its input. */
export const WEB_FETCH = acts({
  title: titled('url', (url) => rich`🌐 ${bold('Fetch')} ${nameOf(hostOf(url) || url)}`),
  members: () => [line('url', 'URL'), line('prompt', 'Prompt')],
  target: ({ url }) => (typeof url === 'string' ? hostOf(url) : null),
});

/** A tool whose title is a verb and one of its texts. */
export const doing = (verb: RichText, member: string, members: readonly KnownMember[] = []): KnownTool =>
  acts({ title: titled(member, (text) => rich`${verb}: ${nameOf(text)}`), members: () => members });

/** The names in a text, apart by white space. */
export const namesIn = (list: string): string[] => list.trim().split(/\s+/);
