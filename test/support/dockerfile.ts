import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { AM_ROOT } from './embedded-process';
import { CHECKOUT } from './processes';

const run = promisify(execFile);
const OUTPUT_BYTES = 64 << 20;

/** `uid:gid`, as USER and --chown have them. */
type User = `${number}:${number}`;
/** The user `nobody` of Debian. Root builds an image, and the build must not need root. */
export const BUILDER: User = '65534:65534';

interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly text: string;
}

/** A built stage: its files below a directory of this machine, and its instructions for a run. */
interface Stage {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: User;
  command: readonly string[];
  healthCheck: readonly string[];
}

/** An image, made and run without a container engine; not root's, where there is a choice. */
export interface Image {
  readonly root: string;
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly user: User;
  readonly cwd: string;
  /** A command line, and the environment with it, to run something in the image as the image's user. */
  invocation(command: readonly string[]): { file: string; args: string[]; env: Record<string, string> };
}

function instructionsOf(text: string): Instruction[] {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', given = '', rest = ''] = /^(\w+)((?:\s+--\S+)*)\s*(.*)$/.exec(line) ?? [];
      const flags = [...given.matchAll(/--([a-z-]+)=(\S+)/g)].map(([, flag = '', value = '']) => [
        flag,
        value,
      ]);
      return {
        name,
        flags: Object.fromEntries(flags) as Record<string, string>,
        words: rest.split(/\s+/),
        text: rest,
      };
    });
}

/** As the user, where we are root; else as who we are. */
export const as = (user: User, command: readonly string[]): string[] => {
  const [uid, gid] = user.split(':');
  return AM_ROOT
    ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...command]
    : [...command];
};

export async function own(path: string, user: User): Promise<void> {
  if (AM_ROOT) await run('chown', ['-R', '-h', user, path]);
}

/** The image's environment with its paths below the stage's directory. */
function environmentOf({ root, env }: Stage): Record<string, string> {
  const here = (path: string) =>
    path.startsWith('/') && existsSync(join(root, path)) ? join(root, path) : path;
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.split(':').map(here).join(':')]),
  );
}

/** Puts what .dockerignore lets through into a directory: it names what that is, after leaving out everything. */
function buildContext(to: string): void {
  for (const line of readFileSync(join(CHECKOUT, '.dockerignore'), 'utf8').split('\n')) {
    if (line.startsWith('!'))
      cpSync(join(CHECKOUT, line.slice(1)), join(to, line.slice(1)), { recursive: true });
  }
}

class Replay {
  private readonly stages = new Map<string, Stage>();
  private current: Stage | null = null;

  constructor(
    private readonly directory: string,
    private readonly context: string,
    private readonly home: string,
    /** npm's own settings: where packages come from is this machine's affair. */
    private readonly npm: Readonly<Record<string, string>>,
  ) {}

  get stage(): Stage {
    if (!this.current) throw new Error('the Dockerfile does not begin with FROM');
    return this.current;
  }

  async follow(instruction: Instruction): Promise<void> {
    const { name, words, text } = instruction;
    if (name === 'FROM') return this.from(words);
    if (name === 'WORKDIR') return this.enter(text);
    if (name === 'COPY') return this.copy(instruction);
    if (name === 'RUN') return this.run(text);
    if (name === 'ENV') this.set(words);
    else if (name === 'USER') this.stage.user = text as User;
    else if (name === 'CMD') this.stage.command = JSON.parse(text) as string[];
    else if (name === 'HEALTHCHECK')
      this.stage.healthCheck = JSON.parse(text.replace(/^.*?CMD /, '')) as string[];
    else if (name !== 'EXPOSE') throw new Error(`the replay of the Dockerfile does not know ${name}`);
  }

  private async from([image = '', , name = 'last']: readonly string[]): Promise<void> {
    const root = join(this.directory, name);
    const base = this.stages.get(image);
    if (base === undefined && !/^node:24\.\d+\.\d+-/.test(image))
      throw new Error(`${image} is no Node.js 24 we know`);
    mkdirSync(root);
    if (base) cpSync(base.root, root, { recursive: true, verbatimSymlinks: true });
    await own(root, BUILDER);
    this.current = base
      ? { ...base, root, env: { ...base.env } }
      : {
          root,
          env: { PATH: process.env.PATH ?? '' },
          workdir: '/',
          user: BUILDER,
          command: [],
          healthCheck: [],
        };
    this.stages.set(name, this.current);
  }

  private async enter(path: string): Promise<void> {
    this.stage.workdir = path;
    mkdirSync(join(this.stage.root, path), { recursive: true });
    await own(join(this.stage.root, path), BUILDER);
  }

  private at(path: string): string {
    return path.startsWith('/')
      ? join(this.stage.root, path)
      : join(this.stage.root, this.stage.workdir, path);
  }

  private async copy({ flags, words }: Instruction): Promise<void> {
    const sources = words.slice(0, -1);
    const target = words.at(-1) ?? '';
    const from = flags.from === undefined ? this.context : this.stages.get(flags.from)?.root;
    if (from === undefined) throw new Error(`there is no stage ${flags.from ?? ''}`);
    for (const source of sources) {
      const path = join(from, source);
      const into = target.endsWith('/') && !statSync(path).isDirectory();
      const to = into ? join(this.at(target), basename(source)) : this.at(target);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(path, to, { recursive: true, verbatimSymlinks: true });
      await own(to, (flags.chown as User | undefined) ?? BUILDER);
      if (flags.chmod !== undefined) await run('chmod', [flags.chmod, to]);
    }
  }

  private async run(command: string): Promise<void> {
    const [file = '', ...args] = as(BUILDER, ['sh', '-c', command]);
    await run(file, args, {
      cwd: this.at('.'),
      env: { ...this.npm, HOME: this.home, ...environmentOf(this.stage) },
      maxBuffer: OUTPUT_BYTES,
    });
  }

  private set(pairs: readonly string[]): void {
    for (const pair of pairs) {
      const [name = '', value = ''] = pair.split('=');
      this.stage.env[name] = value.replace('$PATH', this.stage.env.PATH ?? '');
    }
  }
}

async function npmSetting(name: string): Promise<string> {
  return (await run('npm', ['config', 'get', name], { cwd: CHECKOUT })).stdout.trim();
}

/**
 * Settings of npm for an installation in an empty home: the registry of this machine, and a copy of its cache, since
 * packages that are here need not come over the network again.
 */
export async function npmSettings(home: string): Promise<Record<string, string>> {
  const [registry, cache] = [await npmSetting('registry'), await npmSetting('cache')];
  if (existsSync(join(cache, '_cacache'))) {
    await run('cp', ['-r', join(cache, '_cacache'), join(home, '_cacache')]);
  }
  await own(home, BUILDER);
  return { npm_config_registry: registry, npm_config_cache: home, npm_config_prefer_offline: 'true' };
}

/**
 * Does what the Dockerfile says in an empty directory, every command as an unprivileged user, with the Node.js and npm
 * of this machine in the place of the image that it begins with.
 *
 * @throws Error with what a command said when it fails
 */
export async function replayDockerfile(directory: string): Promise<Image> {
  const [context, home] = [join(directory, 'context'), join(directory, 'home')];
  for (const path of [context, home]) mkdirSync(path);
  buildContext(context);
  const replay = new Replay(directory, context, home, await npmSettings(home));
  for (const instruction of instructionsOf(readFileSync(join(CHECKOUT, 'Dockerfile'), 'utf8'))) {
    await replay.follow(instruction);
  }
  const { stage } = replay;
  // Its file system is read-only where it runs; what it may write to is a volume, and has an owner of its own.
  await run('chmod', ['-R', 'a-w', join(stage.root, stage.workdir)]);
  return {
    root: stage.root,
    command: stage.command,
    healthCheck: stage.healthCheck,
    user: stage.user,
    cwd: join(stage.root, stage.workdir),
    invocation: (command) => {
      const [file = '', ...args] = as(stage.user, command);
      return { file, args, env: { HOME: '/', ...environmentOf(stage) } };
    },
  };
}
