/** A language for syntax colours; always one of these fixed names, never a text of a caller. */
export type CodeLanguage = (typeof LANGUAGES)[number][0];

/** Names that Telegram's clients colour, with the ends of file names that mean them. */
const LANGUAGES = [
  ['bash', 'sh bash zsh'],
  ['c', 'c h'],
  ['cpp', 'cc cpp cxx hpp'],
  ['csharp', 'cs'],
  ['css', 'css'],
  ['diff', 'diff patch'],
  ['docker', 'dockerfile'],
  ['go', 'go'],
  ['graphql', 'graphql gql'],
  ['hcl', 'tf hcl'],
  ['html', 'html htm vue svelte'],
  ['ini', 'ini cfg conf env'],
  ['java', 'java'],
  ['javascript', 'js cjs mjs'],
  ['json', 'json jsonc ipynb'],
  ['jsx', 'jsx'],
  ['kotlin', 'kt kts'],
  ['lua', 'lua'],
  ['makefile', 'makefile mk'],
  ['markdown', 'md markdown'],
  ['perl', 'pl pm'],
  ['php', 'php'],
  ['powershell', 'ps1 psm1'],
  ['python', 'py pyi'],
  ['ruby', 'rb gemfile rakefile'],
  ['rust', 'rs'],
  ['scala', 'scala'],
  ['scss', 'scss sass'],
  ['sql', 'sql'],
  ['swift', 'swift'],
  ['toml', 'toml'],
  ['tsx', 'tsx'],
  ['typescript', 'ts cts mts'],
  ['xml', 'xml svg xsd'],
  ['yaml', 'yaml yml'],
] as const;

const BY_ENDING: ReadonlyMap<string, CodeLanguage> = new Map(
  LANGUAGES.flatMap(([language, endings]) => endings.split(' ').map((ending) => [ending, language] as const)),
);

/** Longer than every ending: a search in a long path would take quadratic time. */
const MAX_ENDING_LENGTH = 32;

/** The language of a file by the end of its name; undefined for an unknown one. */
export function languageOf(path: string): CodeLanguage | undefined {
  const ending = /[^./\\]*$/.exec(path.slice(-MAX_ENDING_LENGTH))?.[0] ?? '';
  return BY_ENDING.get(ending.toLowerCase());
}
