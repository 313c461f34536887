/** Commands for operators; Telegram shows them as the bot's menu. */
export const COMMANDS = [
  { command: 'pending', description: 'Requests that wait for a decision' },
  { command: 'grants', description: 'Grants that are open, and a button to end each' },
  { command: 'stop', description: 'Suspend every rule that allows: everything asks' },
  { command: 'today', description: 'Decisions since midnight UTC' },
  { command: 'status', description: 'Whether Countersign works' },
  { command: 'whoami', description: 'Your Telegram id, and whether you may decide' },
  { command: 'help', description: 'What this bot does' },
] as const;
