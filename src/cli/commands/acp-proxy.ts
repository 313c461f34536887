import { Command } from 'commander';
import { withServiceOptions } from '../service-options';
import { seconds } from '../run/start';
import type { AcpOptions } from '../run/acp';

/** `countersign acp-proxy`: stands between an editor and its agent, and answers the agent's permission requests. */
export function acpProxyCommand(): Command {
  return withServiceOptions(
    new Command('acp-proxy').description(
      'Stand between an editor and its agent (Agent Client Protocol): operators answer the permission requests',
    ),
  )
    .requiredOption('--agent <id>', 'what operators see as the agent (required)')
    .option('--cwd <dir>', 'where the agent is started; default here')
    .option('--timeout <seconds>', 'how long operators have for each call; default as the service', seconds)
    .argument('<command...>', 'the agent’s command, after --')
    .action(async (words: readonly string[], options: AcpOptions) => {
      const { proxyAcp } = await import('../run/acp.js');
      await proxyAcp(words, options);
    });
}
