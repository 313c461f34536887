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

const SESSION = {
  session_id: '7b3f9c52-41d8-4c1e-9a5e-2f6d8e0b1a34',
  transcript_path: '/home/dev/.claude/projects/shop/7b3f9c52-41d8-4c1e-9a5e-2f6d8e0b1a34.jsonl',
  cwd: '/home/dev/shop',
  permission_mode: 'default',
  hook_event_name: 'PreToolUse',
} as const;

/** Three tool calls: one to approve, one to reject, one that nobody answers. */
export const TOOL_CALLS: readonly { readonly call: PreToolUse; readonly says: string }[] = [
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
