#!/usr/bin/env node
import 'reflect-metadata';
import { runCommandLine } from './command-line';
import { approvalsCommand } from './commands/approvals';
import { auditCommand } from './commands/audit';
import { demoCommand, migrateCommand, sandboxCommand, serveCommand } from './commands/programs';
import { doctorCommand } from './commands/doctor';
import { keysCommand } from './commands/keys';
import { receiptCommand } from './commands/receipt';
import { runCommand } from './commands/run';

/** Every subcommand is a file in `commands/` that exports a function returning its `Command`. */
runCommandLine('countersign', 'Human approval gateway for AI agents', [
  approvalsCommand(),
  auditCommand(),
  demoCommand(),
  doctorCommand(),
  keysCommand(),
  migrateCommand(),
  receiptCommand(),
  runCommand(),
  sandboxCommand(),
  serveCommand(),
]);
