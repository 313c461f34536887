import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Argument, Command, Option } from 'commander';
import { dataDirOption } from '../data-dir-option';

/** Runs a program of `src` in this process: the command line knows its place, and imports nothing of it. */
const runProgram = (program: string) => async (): Promise<void> => {
  await import(pathToFileURL(join(__dirname, '..', '..', program)).href);
};

/** An option that sets a variable of the environment, which the program reads. */
const variable = (flags: string, name: string): Option =>
  new Option(flags, `instead of ${name}`).argParser((value: string) => {
    process.env[name] = value;
    return value;
  });

/** `countersign serve`: the service, as `npm start` runs it in a checkout. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the service with the settings of the environment')
    .addOption(variable('--port <port>', 'PORT'))
    .addOption(dataDirOption())
    .action(runProgram('main.js'));
}

/** `countersign demo`: also takes its option after `--`, as npm passes it on. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Run the service, the Telegram sandbox and an agent that asks; you decide on a chat page')
    .option('--auto', 'play the operator too; exit code 1 if anything differs from what is expected')
    .addOption(variable('--port <port>', 'PORT'))
    .addOption(dataDirOption())
    .addArgument(new Argument('[option]', 'the same, after --').choices(['--auto']))
    .action(runProgram('cli/demo.js'));
}

/** `countersign sandbox`: the Telegram sandbox alone. */
export function sandboxCommand(): Command {
  return new Command('sandbox')
    .description('Run a stand-in for Telegram with a chat page')
    .addOption(variable('--port <port>', 'SANDBOX_PORT'))
    .action(runProgram('sandbox/main.js'));
}

/** `countersign migrate`: as the owner of the schema, before the replicas of a new version start. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Migrate the schema of the database; the service also does so at its start, if it may')
    .addOption(dataDirOption())
    .addArgument(
      new Argument('[direction]', 'down reverts the newest migration').choices(['up', 'down']).default('up'),
    )
    .action(async (direction: 'up' | 'down') => {
      await (await import('../../database/migrate.js')).migrateDatabase(direction);
      process.exit(0);
    });
}
