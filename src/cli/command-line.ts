import { Command, CommanderError } from 'commander';
import { BUILD } from '../kernel/build';
import { describeError } from '../kernel/describe-error';
import { createRedactor } from '../logging/redact';
import { fileTrouble } from './file-trouble';
import { complain, endWithoutReader, EXIT_FAILED, EXIT_FINDINGS, Findings, show } from './output';

/** Every subcommand is a file in `commands/`, and loaded only when it is needed: reading all takes longer than most run. */
type Commands = Readonly<Record<string, () => Promise<Command>>>;

/** The command that the first argument names, none for the version alone, else all, so that the help lists them. */
function load(commands: Commands, first = ''): Promise<Command[]> {
  if (['--version', '-V'].includes(first)) return Promise.resolve([]);
  const one = Object.hasOwn(commands, first) ? commands[first] : undefined;
  return Promise.all((one ? [one] : Object.values(commands)).map((command) => command()));
}

/** Copies the settings to all subcommands: Commander does that only for commands that it creates itself. */
function handDown(parent: Command): void {
  for (const command of parent.commands) handDown(command.copyInheritedSettings(parent));
}

/** True if `--json` is among the options; words after `--` are a prompt. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end === -1 ? words : words.slice(0, end)).includes('--json');
}

async function parse(name: string, description: string, commands: Commands): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endWithoutReader);
  const program = new Command(name)
    .description(description)
    .version(BUILD.version)
    .showHelpAfterError('(--help says what is possible)')
    .exitOverride();
  for (const subcommand of await load(commands, process.argv[2])) program.addCommand(subcommand);
  handDown(program);
  await program.parseAsync();
}

/** Prints the error, without any secret of the environment in it. */
async function complainOf(error: unknown): Promise<void> {
  // Loaded when it is needed: reading the list of all settings takes longer than the version alone.
  const { secretsIn } = await import('../config/secrets.js');
  const message = createRedactor(secretsIn(process.env))(fileTrouble(error) ?? describeError(error));
  if (wantsJson(process.argv)) show({ error: { message } }, [], { json: true });
  complain(message);
}

/** Runs the subcommand that the arguments of this process name; ends the process when it fails. */
export function runCommandLine(name: string, description: string, commands: Commands): void {
  parse(name, description, commands).catch(async (error: unknown) => {
    if (error instanceof Findings) process.exit(EXIT_FINDINGS);
    // Commander has already printed the error in the arguments, or the help.
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EXIT_FAILED);
    await complainOf(error);
    process.exit(EXIT_FAILED);
  });
}
