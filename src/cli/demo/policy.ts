/** The rules of the demo: one that allows, one that denies, one that asks. They concern the project of its agent alone. */
export const DEMO_POLICY = `# Rules of the demo. docs/policy.md describes how to write your own.
version: 1
rules:
  - id: read-git
    decision: allow
    match:
      key: '*'
      tool: Bash
      cwd: /home/dev/shop/**
      command: { argv: [git, { any: [diff, log, status] }], flags: [--oneline, --stat, '-:int'] }

  - id: no-force-push
    decision: deny
    match: { tool: Bash, cwd: /home/dev/shop/**, command: { mentions: [[git, push, --force], [git, push, -f]] } }
    say: Nobody rewrites the history of the shop. Push a new branch.

  - id: migrations
    decision: ask
    match: { tool: Bash, cwd: /home/dev/shop/**, command: { mentions: [[npm, run, migrate]] } }
`;
