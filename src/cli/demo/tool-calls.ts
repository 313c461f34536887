/** Input of a PreToolUse hook of Claude Code, as observed with the real CLI. */
export interface PreToolUse {
  readonly session_id: string;
  readonly transcript_path: string;
  readonly cwd: string;
  readonly permission_mode: string;
  readonly hook_event_name: 'PreToolUse';
  readonly tool_name: string;
  readonly tool_input: Readonly<Record<string, unknown>>;
  readonly tool_use_id: string;
}

/** A tool call, and what the agent says before it. */
export interface Step {
  readonly call: PreToolUse;
  readonly says: string;
}

const SESSION = {
  session_id: '7b3f9c52-41d8-4c1e-9a5e-2f6d8e0b1a34',
  transcript_path: '/home/dev/.claude/projects/shop/7b3f9c52-41d8-4c1e-9a5e-2f6d8e0b1a34.jsonl',
  cwd: '/home/dev/shop',
  permission_mode: 'default',
  hook_event_name: 'PreToolUse',
} as const;

/** Two tool calls that the rules answer: one that they allow, one that they deny. */
export const RULED_CALLS: readonly Step[] = [
  {
    says: 'I look at what changed.',
    call: {
      ...SESSION,
      tool_name: 'Bash',
      tool_input: { command: 'git status && git diff --stat', description: 'See what changed' },
      tool_use_id: 'toolu_01Wd2kNfGh7RsUaPq9eXyM5t',
    },
  },
  {
    says: 'The remote has other commits. I overwrite them.',
    call: {
      ...SESSION,
      tool_name: 'Bash',
      tool_input: { command: 'git push --force origin main', description: 'Push the branch' },
      tool_use_id: 'toolu_01Zb6vLcTj3MpEoKw8iQrH1n',
    },
  },
];

/** Three tool calls for a person: one to approve, one to reject, one that nobody answers. */
export const TOOL_CALLS: readonly Step[] = [
  {
    says: 'The tests pass. I apply the migration to the staging database.',
    call: {
      ...SESSION,
      tool_name: 'Bash',
      tool_input: {
        command: 'npm run migrate -- --env staging && npm run smoke -- --env staging',
        description: 'Migrate staging, then smoke-test it',
      },
      tool_use_id: 'toolu_01Jc9xVYQ3mK7tRfW2bNsA4e',
    },
  },
  {
    says: 'Disk space is low. I remove old backups.',
    call: {
      ...SESSION,
      tool_name: 'Bash',
      tool_input: { command: 'rm -rf /var/backups/shop', description: 'Free disk space' },
      tool_use_id: 'toolu_01Hq4dPzTn8LkEwXv6cUyB9s',
    },
  },
  {
    says: 'I switch the payment provider to live mode.',
    call: {
      ...SESSION,
      tool_name: 'Edit',
      tool_input: {
        file_path: '/home/dev/shop/config/payments.yaml',
        old_string: 'mode: test\n',
        new_string: 'mode: live\n',
      },
      tool_use_id: 'toolu_01Ma7gRbXe5SjDqYh3fZwC1k',
    },
  },
];

/** Two edits alike: a grant made for the first answers the second. */
export const ALIKE_CALLS: readonly [Step, Step] = [
  {
    says: 'I round refunds half up.',
    call: {
      ...SESSION,
      tool_name: 'Edit',
      tool_input: {
        file_path: '/home/dev/shop/src/refunds.ts',
        old_string: 'Math.floor(cents)',
        new_string: 'Math.round(cents)',
      },
      tool_use_id: 'toolu_01Xs5uJdBq8FnLyCg2aVmT7k',
    },
  },
  {
    says: 'I round invoices in the same way.',
    call: {
      ...SESSION,
      tool_name: 'Edit',
      tool_input: {
        file_path: '/home/dev/shop/src/invoices.ts',
        old_string: 'Math.floor(total)',
        new_string: 'Math.round(total)',
      },
      tool_use_id: 'toolu_01Ke9oWzHv4DrIxSb6tNpA3c',
    },
  },
];
