#!/usr/bin/env node
import { runCommandLine } from './command-line';

/** The commands that an agent's machine needs; the build makes one file of them and all that they import. */
runCommandLine('countersign-agent', 'Human approval gateway for AI agents: the agent’s side', {
  'acp-proxy': async () => (await import('./commands/acp-proxy.js')).acpProxyCommand(),
  approvals: async () => (await import('./commands/approvals.js')).approvalsCommand(),
  connect: async () => (await import('./commands/connect.js')).connectCommand(),
  doctor: async () => (await import('./commands/doctor-agents.js')).doctorAgentsCommand(),
  hook: async () => (await import('./commands/hook.js')).hookCommand(),
  receipt: async () => (await import('./commands/receipt.js')).receiptCommand(),
  run: async () => (await import('./commands/run.js')).runCommand(),
});
