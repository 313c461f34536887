import { safeCut } from './excerpt';
import { bold, code, join, rich, words, type RichText } from './rich-text';
import { visibleLine } from './visible-text/visible-text';

/** A title has two lines on a phone. */
const MAX_COMMAND_LENGTH = 64;
const MAX_PATH_LENGTH = 48;
const MAX_NAME_LENGTH = 60;
/** Longer texts are cut before they are made visible, which costs time. */
const MAX_SEARCHED = 4_096;

/** Says that a title leaves something out. Outside the code, so that no text of a caller can say it. */
const CUT = '…';

/** The beginning of a name or a sentence of the caller's, in one line. */
export function nameOf(text: string, limit = MAX_NAME_LENGTH): RichText {
  return fromStart(text.slice(0, MAX_SEARCHED), limit, text.length > MAX_SEARCHED);
}

/** The first line of a command that does something: comments and empty lines before it are left out. */
export function commandOf(command: string): RichText {
  const searched = command.slice(0, MAX_SEARCHED);
  const start = /^(?:[ \t]*(?:#[^\n]*)?\n)*/.exec(searched)?.[0].length ?? 0;
  const begun = searched.slice(start);
  const line = /^[^\n]*/.exec(begun)?.[0].trimStart() ?? '';
  const isCut =
    command.slice(start).trimEnd().length > line.trimEnd().length + (begun.length - begun.trimStart().length);
  const shown = fromStart(line, MAX_COMMAND_LENGTH, isCut);
  return start > 0 ? rich`${words(`${CUT} `)}${shown}` : shown;
}

/** A path, relative to the directory if it is in it; of a long one the end. */
export function pathOf(path: string, cwd: string | null): RichText {
  const base = cwd === null || cwd.endsWith('/') ? cwd : `${cwd}/`;
  // A path that climbs out again is shown as it is.
  const isInside =
    base !== null && path.startsWith(base) && path.length > base.length && !/(^|\/)\.{1,2}(\/|$)/.test(path);
  const searched = (isInside ? path.slice(base.length) : path).slice(-MAX_SEARCHED);
  const shown = visibleLine(searched);
  if (shown.length <= MAX_PATH_LENGTH && searched.length < MAX_SEARCHED) return code(shown);
  const from = safeCut(shown, Math.max(0, shown.length - MAX_PATH_LENGTH));
  return join([CUT, code(shown.slice(from))]);
}

/** The title of a tool that no better words are known for. */
export function toolTitle(toolName: string): RichText {
  // Only where the name can be read in one way.
  const [, server, tool] = /^mcp__((?:(?!__).)+)__((?:(?!__).)+)$/s.exec(toolName) ?? [];
  if (server === undefined || tool === undefined) return rich`🔐 ${bold('Use')} ${nameOf(toolName)}`;
  return rich`🔐 ${bold('Use')} ${nameOf(tool)} of ${nameOf(server)}`;
}

/** `1 line`, `12 lines`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The number of lines of a text; a line end at its end begins no further line. */
export function countLines(text: string): number {
  if (text === '') return 0;
  let lines = text.endsWith('\n') ? 0 : 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

function fromStart(text: string, limit: number, isCut: boolean): RichText {
  const shown = visibleLine(text);
  if (shown.length <= limit) return isCut ? join([code(shown), CUT]) : code(shown);
  return join([code(shown.slice(0, safeCut(shown, limit - 1))), CUT]);
}
