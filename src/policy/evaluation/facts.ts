import { canonicalize } from '../../kernel/canonical-json';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { conditionContext, type ConditionContext } from '../matchers/condition';
import { MAX_SEGMENT, MAX_TEXT } from '../matchers/glob';
import { hostOf, hostsOfWord, isPlainHost, type AskedHost } from '../matchers/host-pattern';
import type { Doubt } from '../matchers/match';
import { isPlainName, resolvePath, ResolvedPath } from '../matchers/resolve-path';
import { parseCommand, type ParsedCommand } from '../shell/parse-command';
import { indexCommands, readings } from '../shell/mentions';
import { piecesOf, readsTree, usesNetwork } from '../shell/readings';
import { MAX_DIRECTORY, resolveIn, walkWidely, type Run } from '../shell/prove';
import { Vocabulary, type TokenIndex } from '../shell/token-index';
import type { MemberRole, ToolShape } from '../tool-shapes';
import type { PolicyRequest } from './policy-request';

/** Steps that an evaluation may take, each of about 0.1 µs: a test of one pattern against one value, or a few characters. */
const MAX_STEPS = 200_000;
/** Characters of all texts in which paths and hosts are searched, and commands are parsed. */
const MAX_SEARCHED = 32 * 1024;
/** Steps in which the words or the URLs of the texts are resolved; the rules need the rest. */
const MAX_RESOLVING_STEPS = MAX_STEPS / 4;
/** The steps of resolving a path or parsing a URL. */
const STEPS_OF_AN_ITEM = 25;
/** The steps of a name that needs neither. */
const STEPS_OF_A_NAME = 3;
/** Directories to which a text that is not understood may change, beside the one in which it begins. */
const MAX_CHANGES = 4;
const CHANGE =
  /(?:^|[\s;&|({`'"])(?:cd|pushd|chdir)[ \t]+(?:-[A-Za-z@-]{1,9}[ \t]+)?['"]?([^\s;&|()<>`'"$*?{}~-][^\s;&|()<>`'"$*?{}]{0,511})/g;
/** Characters of a working directory whose resolving is within these steps. */
const ORDINARY_DIRECTORY = 32;
/** Texts of an unknown tool's input in which the same is done. */
const MAX_TEXTS = 200;
/** Texts and names of an unknown tool's input in which words are searched. */
const MAX_INDEXED = 10_000;
/** A text of an unknown tool that is longer than this is not the name of a host. */
const MAX_HOST = 300;

/** The doubt about a request without a command line where the tool has one: nobody can tell what it does. */
export const NO_COMMAND: Doubt = { reason: 'command', words: 'the command is missing or is not text' };

const NO_WORDS = new Vocabulary([]);

/** The evaluation would take too long. */
export class TooManySteps extends Error {
  override readonly name = 'TooManySteps';

  constructor() {
    super(`The evaluation takes more than ${MAX_STEPS} steps.`);
  }
}

/** A file or directory that a request names. */
export interface AskedPath {
  readonly path: ResolvedPath;
  /** True if the tool reads everything below it. */
  readonly isTree: boolean;
}

/** A host that a word of a command may name. */
export interface HostInCommand {
  readonly host: AskedHost;
  /** True if the word can only be a host, or is one of a program that asks hosts. */
  readonly isCertain: boolean;
}

/** A word of a text that may be a path. */
export interface AskedWord {
  readonly path: ResolvedPath;
  /**
   * `path`: it can only be one, and is resolved in the working directory. `maybe`: a plain word that is resolved there, too.
   * `word`: a plain word as it is written.
   */
  readonly kind: 'path' | 'maybe' | 'word';
}

/** Findings in the texts of a request. */
export interface Searched<T> {
  readonly found: readonly T[];
  /** True if the search stopped at a limit, and there may be more. */
  readonly isCut: boolean;
}

/** The doubt about texts that were searched in part. */
export const CUT: Doubt = { reason: 'limit', words: 'the texts of the request are too long to be searched' };

/** Everything that matchers read of one request; each part is worked out once, when the first matcher needs it. */
export class Facts {
  readonly cwd: ResolvedPath | null;
  /** The directory in which the tool works: that of a member, or else of the request. */
  readonly place: ResolvedPath | null;
  /** The roles of the tool's members, which every rule asks for. */
  private readonly roles: ReadonlySet<MemberRole>;
  private steps = 0;

  constructor(
    readonly request: PolicyRequest,
    /** Null: the tool is not known. */
    readonly shape: ToolShape | null,
    private readonly now: Date,
    /** The words that rules look for in commands. */
    private readonly vocabulary: Vocabulary = NO_WORDS,
  ) {
    this.cwd = request.cwd === null ? null : resolvePath(request.cwd, null);
    this.roles = new Set(Object.values(shape?.members ?? {}));
    const [directory] = this.has('directory') ? this.values('directory') : [];
    this.place = typeof directory === 'string' ? resolvePath(directory, this.cwd) : this.cwd;
  }

  /** @throws TooManySteps */
  readonly spend = (steps: number): void => {
    this.steps += steps;
    if (this.steps > MAX_STEPS) throw new TooManySteps();
  };

  has(...roles: readonly MemberRole[]): boolean {
    return roles.some((role) => this.roles.has(role));
  }

  /** The command line; null if the tool has none, or the request leaves it out. */
  readonly command = once((): ParsedCommand | null => {
    const [text] = this.values('command');
    return typeof text === 'string' ? parseCommand(text) : null;
  });

  /** True if the tool has a command line and the request leaves it out. */
  get lacksCommand(): boolean {
    return this.has('command') && this.command() === null;
  }

  /** The directory in which the command line begins; null if it is not known. */
  get start(): string | null {
    return this.place?.root === 'absolute' && this.place.doubt === null ? this.place.text : null;
  }

  /** The working directory, where many words are resolved in it; null if it is unknown or too long for that. */
  private get base(): ResolvedPath | null {
    return this.hasLongDirectory ? null : this.place;
  }

  /** True if the working directory is too long to resolve many words in it. */
  get hasLongDirectory(): boolean {
    return this.place !== null && this.place.text.length > MAX_DIRECTORY;
  }

  /** The simple commands of a command line that is understood. */
  private readonly walked = once((): ReturnType<typeof walkWidely> => {
    const command = this.command();
    if (command === null || command.doubt !== null) return { runs: [], isOpen: false };
    return walkWidely(command.statements, this.start);
  });

  private runs(): readonly Run[] {
    return this.walked().runs;
  }

  /** True if a command line that is understood changes to a directory that is not known. */
  get hasLeft(): boolean {
    return this.walked().isOpen;
  }

  /** The directories to which a text that is not understood, or is within a word, may change. */
  private readonly changes = once((): readonly ResolvedPath[] => {
    const command = this.command();
    const isPlain = this.runs().every(({ simple }) => !simple.words.some((word) => /\s/.test(word)));
    const texts = this.beginning().found.filter(
      (text) => !(command?.doubt === null && isPlain && text === command.text) && /cd|pushd|chdir/.test(text),
    );
    const targets = new Set(
      texts
        .flatMap(readings)
        .flatMap((text) => Array.from(text.matchAll(CHANGE), ([, target = '']) => target)),
    );
    const found = new Map<string, ResolvedPath>();
    for (const target of targets) {
      for (const from of [this.base, ...found.values()]) {
        this.spend(STEPS_OF_AN_ITEM + stepsOfPath(target, from?.text ?? null));
        const path = resolvePath(target, from);
        if (path.root === 'absolute' && path.text.length <= MAX_DIRECTORY && path.text !== this.base?.text)
          found.set(path.text, path);
        if (found.size >= MAX_CHANGES) return [...found.values()];
      }
    }
    return [...found.values()];
  });

  /** Everything that a command line that is understood may take for a path, where each command may run. */
  readonly commandPaths = once((): readonly AskedPath[] => {
    const asked = new Map<string, AskedPath>();
    const add = (text: string, directory: string | null, isTree: boolean): void => {
      // It is resolved twice.
      this.spend(2 * STEPS_OF_AN_ITEM + stepsOfPath(text, directory ?? this.base?.text ?? null));
      const resolved = resolveIn(directory, text);
      const path = resolved === null ? resolvePath(text, this.base) : resolvePath(resolved, null);
      // No file system has a longer name.
      if (path.text.split('/').some(({ length }) => length > MAX_SEGMENT)) return;
      asked.set(path.text, { path, isTree: isTree || (asked.get(path.text)?.isTree ?? false) });
    };
    if (this.place !== null && this.place !== this.cwd)
      asked.set(this.place.text, { path: this.place, isTree: false });
    for (const { simple, directories } of this.runs()) {
      const [name, ...operands] = simple.words;
      const files = [...operands, ...simple.outputs.map((output) => output.path)].flatMap(piecesOf);
      for (const directory of directories) {
        add('.', directory, readsTree(simple));
        if (name.includes('/')) add(name, directory, false);
        for (const file of files) add(file, directory, true);
      }
    }
    return [...asked.values()];
  });

  /** Everything that a command line, or a command within a word or a member, may take for a host. */
  readonly commandHosts = once((): Searched<HostInCommand> => {
    const inCommand = this.runs().flatMap(({ simple: { words } }) => {
      const isClient = usesNetwork(words);
      return words
        .slice(1)
        .flatMap((word) => [
          ...piecesOf(word).map((piece) => ({ word: piece, isClient })),
          ...(/[\s;|&<>()$`]/.test(word) ? hostWordsIn(word, isClient) : []),
        ]);
    });
    const inMembers = textsIn(this.foreign(), MAX_TEXTS)
      .filter(({ text }) => text.length <= MAX_HOST)
      .map(({ text }) => ({ word: text, isClient: false }));
    const command = this.command();
    // The words of a command that is understood are known.
    const texts = this.beginning().found.filter((text) => command?.doubt !== null || text !== command.text);
    const inTexts = texts.flatMap((text) => {
      this.spend(text.length);
      return hostWordsIn(text, false);
    });
    const found: HostInCommand[] = [];
    let left = MAX_RESOLVING_STEPS;
    for (const { word, isClient } of [...inCommand, ...inMembers, ...inTexts]) {
      const steps = isPlainHost(word) ? STEPS_OF_A_NAME : STEPS_OF_AN_ITEM;
      if (steps > left) return { found, isCut: true };
      left -= steps;
      this.spend(steps);
      found.push(...hostsOfWord(word).map(({ host, isBare }) => ({ host, isCertain: isClient || !isBare })));
    }
    return { found, isCut: false };
  });

  /** The paths in the members of a known tool; null if one is missing. */
  readonly paths = once((): readonly AskedPath[] | null => {
    const paths = this.values('path');
    const trees = this.values('tree').map((tree) => tree ?? this.request.cwd);
    const all = [...paths, ...trees];
    if (!all.every((path) => typeof path === 'string')) return null;
    return all.map((path, i) => {
      this.spend(path.length);
      return { path: resolvePath(path, this.cwd), isTree: i >= paths.length };
    });
  });

  /** The places in which the globs of a known tool begin. All of them are below its trees, if they do not lead elsewhere. */
  readonly patterns = once((): readonly AskedPath[] => {
    if (!this.has('pattern')) return [];
    const [tree] = this.values('tree');
    const root = typeof tree === 'string' ? resolvePath(tree, this.cwd) : this.cwd;
    return this.values('pattern').flatMap((pattern): AskedPath[] => {
      if (typeof pattern !== 'string') return [];
      this.spend(pattern.length);
      const wild = pattern.search(/[*?[{]/);
      const fixed = wild < 0 ? pattern : pattern.slice(0, pattern.lastIndexOf('/', wild) + 1);
      const { text, root: rooted, doubt } = resolvePath(fixed === '' ? '.' : fixed, root);
      const isOpen = mayLeaveTree(pattern.slice(fixed.length));
      const path = new ResolvedPath(
        text,
        rooted,
        doubt ?? (isOpen ? 'a pattern that may lead elsewhere' : null),
      );
      return [{ path, isTree: wild >= 0 }];
    });
  });

  private readonly directories = new Map<string, ResolvedPath>();

  /** Resolves a directory to which a command changes; the rules ask for the same few. */
  directory(text: string): ResolvedPath {
    const known = this.directories.get(text) ?? resolvePath(text, null);
    this.directories.set(text, known);
    return known;
  }

  /** The hosts of the URLs of a known tool; null if one is missing or is not a URL. */
  readonly hosts = once((): readonly AskedHost[] | null => {
    const hosts = this.values('url').map((url) => (typeof url === 'string' ? hostOf(url) : null));
    return hosts.includes(null) ? null : hosts.filter((host) => host !== null);
  });

  /**
   * The members that nobody knows: all of an unknown tool, and of another those that its shape does not list, or of which no
   * rule can describe the effect.
   */
  private readonly foreign = once((): JsonObject => {
    const { toolInput } = this.request;
    if (this.shape === null) return toolInput;
    const { members } = this.shape;
    return Object.fromEntries(
      Object.entries(toolInput).filter(([name]) => !Object.hasOwn(members, name) || members[name] === 'off'),
    );
  });

  /** True if a known tool has such members. */
  readonly hasForeign = once((): boolean => this.shape !== null && Object.keys(this.foreign()).length > 0);

  /**
   * The beginning of the texts in which a path or a URL may hide: the command line, a URL that names a file, and any text of
   * an unknown member. A bound on its length is a bound on the search.
   */
  private readonly beginning = once((): Searched<string> => {
    const command = this.command();
    const members = textsIn(this.foreign(), MAX_TEXTS + 1).map(({ text }) => text);
    const urls = this.values('url').filter(
      (url) => typeof url === 'string' && /file:/i.test(url),
    ) as string[];
    const texts = [...(command === null ? [] : [command.text]), ...urls, ...members];
    const found: string[] = [];
    let left = MAX_SEARCHED;
    for (const text of texts.slice(0, MAX_TEXTS)) {
      found.push(text.slice(0, left));
      left -= Math.min(left, text.length);
    }
    this.spend(MAX_SEARCHED - left);
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    return { found, isCut: length > MAX_SEARCHED || texts.length > MAX_TEXTS };
  });

  /**
   * The words that rules look for, in the command line and in the texts and names of unknown members. The time is linear in
   * the length, whatever the number of rules.
   */
  readonly index = once((): TokenIndex => {
    const command = this.command();
    const all = textsIn(this.foreign(), MAX_INDEXED + 1);
    const texts = all.flatMap(({ text, isName }) => (isName ? [] : text));
    const names = all.flatMap(({ text, isName }) => (isName ? text : []));
    return indexCommands(
      {
        commands: [...(command ? [command] : []), ...parseTexts(texts.slice(0, MAX_TEXTS))],
        others: texts.slice(MAX_TEXTS),
        joined: argvsIn(this.foreign()),
        names,
        isCut: all.length > MAX_INDEXED,
      },
      this.vocabulary,
    );
  });

  private readonly canonical = new WeakMap<object, string>();

  /** The canonical form of a list or an object, which many rules may read. */
  canonicalOf(value: Extract<JsonValue, object>): string {
    const known = this.canonical.get(value);
    if (known !== undefined) return known;
    const { values, characters } = sizeOf(value);
    this.spend(5 * values + characters);
    const text = canonicalize(value);
    this.canonical.set(value, text);
    return text;
  }

  /**
   * The plain names in unknown members, and those of a patch, which are files of the working directory. Where the member does
   * not say that it is about files, a name may mean something else, and without a directory it says nothing.
   */
  private readonly names = once((): ReadonlyMap<string, 'path' | 'maybe'> => {
    const names = new Map<string, 'path' | 'maybe'>();
    for (const { text, isName, isOfFiles } of textsIn(this.foreign(), MAX_TEXTS)) {
      if (!/^[^/\n]{1,255}$/.test(text)) continue;
      if (isOfFiles) names.set(text, 'path');
      else if (!isName && this.place !== null && !names.has(text)) names.set(text, 'maybe');
    }
    for (const name of this.beginning().found.flatMap(namesOfPatch)) names.set(name, 'path');
    return names;
  });

  /** Words of the texts that may be paths. A net: it splits without regard to quotes. */
  readonly words = once((): Searched<AskedWord> => {
    const names = this.names();
    const places = this.changes();
    const command = this.command();
    // The words of a command that is understood are read without their quotes elsewhere.
    const read = (text: string) =>
      command?.doubt === null && text === command.text ? [text] : readings(text);
    const cut = (text: string) => [
      text,
      ...read(text)
        .flatMap(withoutEscapes)
        .flatMap((written) => [...written.split(/[\s'"`=:;|&<>(){}$,]+/), ...filesOfUrls(written)]),
      ...namesOfPatch(text),
    ];
    const isPath = (word: string) =>
      word !== '' && word.split('/').every(({ length }) => length <= MAX_SEGMENT);
    const isShort = ({ path }: AskedWord) => path.text.length <= MAX_TEXT;
    const here = this.search(
      cut,
      (word) => {
        if (!isPath(word)) return [];
        const isSlashed = word.includes('/');
        const kind = isSlashed ? 'path' : names.get(word);
        return [
          ...(isSlashed ? [] : [{ path: resolvePath(word, null), kind: 'word' as const }]),
          ...(kind === undefined ? [] : [{ path: resolvePath(word, this.base), kind }]),
        ].filter(isShort);
      },
      (word) => {
        if (names.has(word)) return 2 * STEPS_OF_AN_ITEM + stepsOfPath(word, this.base?.text ?? null);
        if (isPlainName(word)) return STEPS_OF_A_NAME;
        return STEPS_OF_AN_ITEM + stepsOfPath(word, word.includes('/') ? (this.base?.text ?? null) : null);
      },
    );
    if (places.length === 0) return here;
    // Those of the directory in which the text begins come first, so that a limit does not hide them.
    const elsewhere = this.search(
      cut,
      (word) =>
        isPath(word) && !/^[/~]|^[A-Za-z]:/.test(word)
          ? places
              .map((place) => ({
                path: resolvePath(word, place),
                kind: word.includes('/') ? ('path' as const) : ('maybe' as const),
              }))
              .filter(isShort)
          : [],
      (word) =>
        places.reduce(
          (sum, { text }) =>
            sum + (isPlainName(word) ? STEPS_OF_A_NAME : STEPS_OF_AN_ITEM + stepsOfPath(word, text)),
          0,
        ),
    );
    return { found: [...here.found, ...elsewhere.found], isCut: here.isCut || elsewhere.isCut };
  });

  /** Hosts of the URLs within the texts. */
  readonly hostsInTexts = once((): Searched<AskedHost> =>
    this.search(
      (text) => text.match(/[a-z][a-z0-9+.-]{0,30}:\/\/[^\s'"`<>|;&()]+/gi) ?? [],
      (url) => hostOf(url) ?? [],
    ),
  );

  /** Resolves the pieces of the texts as far as the limits allow. */
  private search<T>(
    cut: (text: string) => readonly string[],
    resolve: (piece: string) => T | readonly T[],
    stepsOf: (piece: string) => number = ({ length }) => STEPS_OF_AN_ITEM + length,
  ): Searched<T> {
    const { found: texts, isCut } = this.beginning();
    const found: T[] = [];
    let left = MAX_RESOLVING_STEPS;
    for (const piece of new Set(texts.flatMap((text) => cut(text)))) {
      const steps = stepsOf(piece);
      if (steps > left) return { found, isCut: true };
      left -= steps;
      this.spend(steps);
      found.push(...([resolve(piece)].flat() as T[]));
    }
    return { found, isCut };
  }

  /** The reason why no rule may allow the input of a known tool, whatever it matches; null if there is none. */
  readonly obstacle = once((): Doubt | null => {
    if (this.shape === null) return null;
    for (const [name, value] of Object.entries(this.request.toolInput)) {
      const role = Object.hasOwn(this.shape.members, name) ? this.shape.members[name] : undefined;
      if (role === undefined)
        return { reason: 'input', words: `the tool's member "${name.slice(0, 100)}" is not known` };
      if (
        (role === 'off' || role === 'directory' || role === 'terminal') &&
        value !== false &&
        value !== null
      ) {
        return { reason: 'input', words: `"${name}" is set` };
      }
      if (role === 'pattern' && (typeof value !== 'string' || mayLeaveTree(value))) {
        return { reason: 'path', words: `the pattern in "${name}" may lead elsewhere` };
      }
    }
    return null;
  });

  /** The variables of a condition. */
  readonly context = once((): ConditionContext => {
    const {
      key,
      owner,
      connector,
      agentId: agent,
      sessionId: session,
      toolName: tool,
      cwd,
      mode,
    } = this.request;
    const { toolInput: input, metadata } = this.request;
    const labels = { key, owner, connector, agent, session, tool, cwd, mode };
    return conditionContext(labels, { input, metadata }, this.now);
  });

  /** The size of what a condition can go through. */
  readonly size = once((): Size => sizeOf([this.request.toolInput, this.request.metadata]));

  private values(role: MemberRole): (JsonValue | undefined)[] {
    return Object.entries(this.shape?.members ?? {})
      .filter(([, known]) => known === role)
      .map(([name]) =>
        Object.hasOwn(this.request.toolInput, name) ? this.request.toolInput[name] : undefined,
      );
  }
}

interface TextInMembers {
  readonly text: string;
  readonly isName: boolean;
  /** True if the member, or the one in which a name stands, says that it is about files. */
  readonly isOfFiles: boolean;
}

/** Names of members that name files and directories. */
const OF_FILES = /path|(?<!pro)file|folder|dir(?:s|ectory|ectories)?$/i;

/** The first texts in a value, and the names of its members. */
function textsIn(value: JsonValue, most: number): TextInMembers[] {
  const found: TextInMembers[] = [];
  const visit = (part: JsonValue, isOfFiles: boolean): void => {
    if (found.length >= most) return;
    if (typeof part === 'string') found.push({ text: part, isName: false, isOfFiles });
    else if (Array.isArray(part)) part.every((entry: JsonValue) => visitMore(entry, isOfFiles));
    else if (typeof part === 'object' && part !== null) {
      const members = part as JsonObject;
      for (const name of Object.keys(members)) {
        found.push({ text: name, isName: true, isOfFiles });
        if (!visitMore(members[name] ?? null, OF_FILES.test(name))) return;
      }
    }
  };
  const visitMore = (part: JsonValue, isOfFiles: boolean): boolean => {
    visit(part, isOfFiles);
    return found.length < most;
  };
  visit(value, false);
  return found;
}

/**
 * The first commands in a value that are written as lists: `{"command": "terraform", "args": ["apply"]}`, wherever the
 * program is. Before the texts of a list come the members beside it that are one word.
 */
function argvsIn(value: JsonValue): string[] {
  const argvs: string[] = [];
  let left = MAX_SEARCHED;
  const add = (words: readonly string[]): void => {
    left -= words.reduce((sum, { length }) => sum + length + 1, 0);
    if (words.length > 1 && left >= 0) argvs.push(words.join('\n'));
  };
  const visit = (part: JsonValue, beside: readonly string[]): void => {
    left -= 1;
    if (left < 0 || typeof part !== 'object' || part === null) return;
    const members: readonly JsonValue[] = Array.isArray(part) ? part : Object.values(part);
    const texts = members.filter((member) => typeof member === 'string');
    const isList = Array.isArray(part);
    if (isList && texts.length > 0) add([...beside, ...texts]);
    const words = isList ? [] : texts.filter((text) => /^\S{1,255}$/.test(text));
    for (const member of members) {
      if (left < 0) return;
      visit(member, words);
    }
  };
  visit(value, []);
  return argvs;
}

/** Texts as commands; one beyond the limit counts as not understood. */
function parseTexts(texts: readonly string[]): ParsedCommand[] {
  let left = MAX_SEARCHED;
  return texts.map((text): ParsedCommand => {
    left -= text.length;
    return left < 0 ? { text, doubt: 'too long' } : parseCommand(text);
  });
}

/**
 * The words of a command that may be hosts, where the command is not understood. A name without a dot is one only beside a
 * program that asks hosts.
 */
function hostWordsIn(text: string, isOfClient: boolean): { word: string; isClient: boolean }[] {
  const found = new Map<string, boolean>();
  const isWorth = (reading: string) =>
    isOfClient || /[\w\]]\.\w/.test(reading) || usesNetwork(reading.split(/[\s'"`;|&<>(){}$,]+/));
  for (const line of readings(text)
    .filter(isWorth)
    .flatMap((reading) => reading.split(/[\n;|&]+/))) {
    const words = line.split(/[\s'"`<>(){}$,]+/).filter((word) => word !== '');
    if (words.length === 0) continue;
    const isClient = isOfClient || usesNetwork(words);
    for (const word of words.flatMap((own) => piecesOf(own.replace(/^\/dev\/(?:tcp|udp)\//, '')))) {
      const hasDot = /[\w\]]\.\w/.test(word);
      if (hasDot || isClient) found.set(word, (isClient && hasDot) || (found.get(word) ?? false));
    }
  }
  return Array.from(found, ([word, isClient]) => ({ word, isClient }));
}

/** The files that a patch changes: `*** Update File: x`, `+++ b/x`. */
function namesOfPatch(text: string): string[] {
  if (!/^(?:\*\*\*|---|\+\+\+) /m.test(text)) return [];
  const lines = text.matchAll(/^(?:\*\*\* [A-Za-z ]{1,20}:|---|\+\+\+) +([^\t\n]{1,4096})/gm);
  return Array.from(lines, ([, name = '']) => name.trim()).flatMap((name) =>
    /^[ab]\//.test(name) ? [name, name.slice(2)] : name,
  );
}

/** The files that URLs name, whatever host, query and fragment they have: `file://localhost/srv/x?y#z`. */
function filesOfUrls(text: string): string[] {
  if (!/file:/i.test(text)) return [];
  const urls = text.matchAll(/\bfile:(?:[/\\]{2}[^/\\\s'"`<>|;&?#]*)?([^\s'"`<>|;&?#]+)/gi);
  return Array.from(urls, ([, path = '']) => path.replaceAll('\\', '/'))
    .flatMap(withoutEscapes)
    .map((path) => path.replace(/^\/+(?=[A-Za-z]:\/)/, ''));
}

/** The text, and if it has any escapes of URLs also the one without them. */
function withoutEscapes(text: string): string[] {
  if (!/%[2-7][0-9a-f]/i.test(text)) return [text];
  const plain = text.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return [text, plain];
}

/** The steps of resolving a path in a directory, beside those of an item. Text other than ASCII is also normalised. */
function stepsOfPath(path: string, directory: string | null): number {
  const place = directory === null || path.startsWith('/') ? '' : directory;
  const isPlain = !/[^\x20-\x7e]/.test(path) && !/[^\x20-\x7e]/.test(place);
  return isPlain
    ? path.length + Math.max(0, place.length - ORDINARY_DIRECTORY)
    : 2 * (path.length + place.length);
}

/** True if a glob may reach what is not below its directory, also by a list in braces that makes a `..`. */
function mayLeaveTree(pattern: string): boolean {
  if (/^[/~\\]|^[A-Za-z]:|(?:^|[/\\{,])\.\.(?:[/\\},]|$)/.test(pattern)) return true;
  // A list of names makes none: each has a character that is not a dot.
  const rest = pattern.replace(/\{[\w*-][\w*.-]*(?:,[\w*-][\w*.-]*)*\}/g, 'x');
  return rest.includes('{') && /[./\\~]/.test(rest);
}

export interface Size {
  readonly values: number;
  readonly characters: number;
}

function sizeOf(value: JsonValue): Size {
  const size = { values: 0, characters: 0 };
  const visit = (part: JsonValue): void => {
    size.values += 1;
    if (typeof part === 'string') size.characters += part.length;
    else if (typeof part === 'object' && part !== null) Object.values(part).forEach(visit);
  };
  visit(value);
  return size;
}

/** Makes a value when it is first read; a failure is one of every reading. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | { readonly failure: unknown } | undefined;
  return () => {
    if (made === undefined) {
      try {
        made = { value: make() };
      } catch (failure) {
        made = { failure };
      }
    }
    if ('failure' in made) throw made.failure;
    return made.value;
  };
}
