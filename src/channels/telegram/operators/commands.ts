/** Commands that the bot answers to anybody; strangers have no others in its menu. */
export const PUBLIC_COMMANDS = [
  { command: 'whoami', description: 'Your Telegram id, and whether you may decide' },
  { command: 'help', description: 'What this bot does' },
] as const;

/** Commands for operators, in the menu of each chat in which the service answers them. */
export const COMMANDS = [
  { command: 'pending', description: 'Requests that wait; with “mine”, for you' },
  { command: 'claimed', description: 'Requests that somebody is on' },
  { command: 'oncall', description: 'People on duty; “me 4h” puts you there' },
  { command: 'grants', description: 'Grants that are open, and a button to end each' },
  { command: 'today', description: 'Decisions since midnight UTC' },
  { command: 'stop', description: 'Suspend every rule that allows: everything asks' },
  { command: 'status', description: 'Whether Countersign works' },
  ...PUBLIC_COMMANDS,
] as const;
