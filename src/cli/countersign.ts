#!/usr/bin/env node
import 'reflect-metadata';
import { Command } from 'commander';
import { describeError } from '../logging/log';
import { createRedactor } from '../logging/redact';
import { BUILD } from '../metrics/build';
import { approvalsCommand } from './commands/approvals';
import { auditCommand } from './commands/audit';
import { doctorCommand } from './commands/doctor';
import { keysCommand } from './commands/keys';
import { receiptCommand } from './commands/receipt';
import { runCommand } from './commands/run';
import { Findings } from './output';

/** Every subcommand is a file in `commands/` that exports a function returning its `Command`. */
const SUBCOMMANDS: readonly (() => Command)[] = [
  approvalsCommand,
  auditCommand,
  doctorCommand,
  keysCommand,
  receiptCommand,
  runCommand,
];

/** The exit code of a command that did what it was asked and found something wrong. */
const EXIT_FINDINGS = 1;
/** The exit code of a command that could not do what it was asked. */
const EXIT_FAILED = 2;

async function main(): Promise<void> {
  const program = new Command('countersign')
    .description('Human approval gateway for AI agents')
    .version(BUILD.version)
    .showHelpAfterError();
  for (const subcommand of SUBCOMMANDS) program.addCommand(subcommand());
  await program.parseAsync();
}

main().catch((error: unknown) => {
  if (error instanceof Findings) process.exit(EXIT_FINDINGS);
  process.stderr.write(`countersign: ${createRedactor()(describeError(error))}\n`);
  process.exit(EXIT_FAILED);
});
