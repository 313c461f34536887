/**
 * The names under which calls over the Agent Client Protocol (ACP) are asked for. The protocol gives a call no reliable
 * name: its title and its kind are words of the agent. So the name tells which members the call was sent with.
 */
export const ACP_TOOLS = {
  /** A command line, in `command`. */
  execute: 'acp_execute',
  /** One file with its text before and after, in `path`, `oldText` and `newText`. */
  edit: 'acp_edit',
  /** A web address, in `url`. */
  fetch: 'acp_fetch',
  /** Everything else, in `rawInput`, `diffs`, `content` and `locations` as they were sent. */
  other: 'acp_call',
} as const;
