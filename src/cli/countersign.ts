#!/usr/bin/env node
import 'reflect-metadata';
import { runCommandLine } from './command-line';

runCommandLine('countersign', 'Human approval gateway for AI agents', {
  'acp-proxy': async () => (await import('./commands/acp-proxy.js')).acpProxyCommand(),
  approvals: async () => (await import('./commands/approvals.js')).approvalsCommand(),
  audit: async () => (await import('./commands/audit.js')).auditCommand(),
  connect: async () => (await import('./commands/connect.js')).connectCommand(),
  demo: async () => (await import('./commands/programs.js')).demoCommand(),
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand(),
  grants: async () => (await import('./commands/grants.js')).grantsCommand(),
  hook: async () => (await import('./commands/hook.js')).hookCommand(),
  keys: async () => (await import('./commands/keys.js')).keysCommand(),
  migrate: async () => (await import('./commands/programs.js')).migrateCommand(),
  people: async () => (await import('./commands/people.js')).peopleCommand(),
  policy: async () => (await import('./commands/policy.js')).policyCommand(),
  receipt: async () => (await import('./commands/receipt.js')).receiptCommand(),
  run: async () => (await import('./commands/run.js')).runCommand(),
  sandbox: async () => (await import('./commands/programs.js')).sandboxCommand(),
  serve: async () => (await import('./commands/programs.js')).serveCommand(),
});
