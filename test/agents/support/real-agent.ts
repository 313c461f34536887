import { install, PUBLISHED, type AgentName, type Installed } from './install';

/**
 * Defines the tests of a real agent. Where it cannot be installed they are skipped, loudly; with `AGENTS_REQUIRED=1` they
 * fail.
 */
export function describeAgent(agent: AgentName, tests: (installed: Installed) => void): void {
  const { name } = PUBLISHED[agent];
  let installed: Installed;
  try {
    installed = install(agent);
  } catch (error) {
    if (process.env.AGENTS_REQUIRED === '1') throw error;
    const bar = '!'.repeat(100);
    console.error(
      `\n${bar}\nSKIPPED: ${name} cannot be installed, so nothing is tested with it.\n${String(error)}\n${bar}\n`,
    );
    describe.skip(`the real ${name}`, () => it('cannot be installed', () => undefined));
    return;
  }
  describe(`the real ${name} ${installed.version}`, () => tests(installed));
}
