#!/usr/bin/env node
import 'reflect-metadata';
import type { Command } from 'commander';
import { runCommandLine } from './command-line';

/** Every subcommand is a file in `commands/`, and loaded only when it is needed: reading all takes longer than most run. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  approvals: async () => (await import('./commands/approvals.js')).approvalsCommand(),
  audit: async () => (await import('./commands/audit.js')).auditCommand(),
  demo: async () => (await import('./commands/programs.js')).demoCommand(),
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand(),
  keys: async () => (await import('./commands/keys.js')).keysCommand(),
  migrate: async () => (await import('./commands/programs.js')).migrateCommand(),
  policy: async () => (await import('./commands/policy.js')).policyCommand(),
  receipt: async () => (await import('./commands/receipt.js')).receiptCommand(),
  run: async () => (await import('./commands/run.js')).runCommand(),
  sandbox: async () => (await import('./commands/programs.js')).sandboxCommand(),
  serve: async () => (await import('./commands/programs.js')).serveCommand(),
};

/** The command that the first argument names, none for the version alone, else all, so that the help lists them. */
async function commandsFor(first = ''): Promise<Command[]> {
  if (['--version', '-V'].includes(first)) return [];
  const one = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  return Promise.all((one ? [one] : Object.values(COMMANDS)).map((load) => load()));
}

void commandsFor(process.argv[2]).then((commands) =>
  runCommandLine('countersign', 'Human approval gateway for AI agents', commands),
);
