import { keysCommand } from '../../../src/cli/commands/keys';

/** The error for arguments that are refused before anything is done. */
async function refusal(...args: string[]): Promise<string> {
  let said = '';
  const program = keysCommand();
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: (text) => (said += text) });
  }
  await expect(program.parseAsync(args, { from: 'user' })).rejects.toMatchObject({ exitCode: 1 });
  return said;
}

it.each([
  [['add', '--role', 'owner', '--name', 'x'], /Allowed choices are agent, operator, observer/],
  [['add', '--name', 'x'], /required option '--role <role>' not specified/],
  [['add', '--role', 'agent'], /required option '--name <name>' not specified/],
  [['add', '--role', 'agent', '--name', ''], /must be 1 to 63 of A-Z/],
  [['add', '--role', 'agent', '--name', 'a b'], /must be 1 to 63 of A-Z/],
  [['add', '--role', 'agent', '--name', '-x'], /must be 1 to 63 of A-Z/],
  [['add', '--role', 'agent', '--name', 'é'], /must be 1 to 63 of A-Z/],
  [['add', '--role', 'agent', '--name', 'x'.repeat(64)], /must be 1 to 63 of A-Z/],
  [['add', '--role', 'agent', '--name', 'Bootstrap-agent'], /must not begin with bootstrap-/],
  [['add', '--role', 'agent', '--name', 'x', '--owner', ''], /must be 1 to 100 of A-Z/],
  [['add', '--role', 'agent', '--name', 'x', '--owner', 'alice '], /must be 1 to 100 of A-Z/],
  [['add', '--role', 'agent', '--name', 'x', '--key', 'mine'], /unknown option '--key'/],
  [['revoke'], /missing required argument 'name'/],
])('countersign keys %j is refused with what to do', async (args, message) => {
  expect(await refusal(...args)).toMatch(message);
});
