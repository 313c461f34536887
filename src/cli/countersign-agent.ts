#!/usr/bin/env node
import { runCommandLine } from './command-line';
import { approvalsCommand } from './commands/approvals';
import { receiptCommand } from './commands/receipt';
import { runCommand } from './commands/run';

/** The commands that an agent's machine needs; the build makes one file of them and all that they import. */
runCommandLine('countersign-agent', 'Human approval gateway for AI agents: the agent’s side', [
  approvalsCommand(),
  receiptCommand(),
  runCommand(),
]);
