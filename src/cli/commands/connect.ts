import { Argument, Command } from 'commander';
import { AGENTS } from '../../agent-side/connect/agents';
import { connectAgents, undoConnect, type ConnectOptions } from '../connect/connect-agents';
import { printFetchLine } from '../connect/fetch-line';
import { withServiceOptions } from '../service-options';

/** `countersign connect`: writes the settings of the agents on this machine, and proves that their calls are asked for. */
export function connectCommand(): Command {
  return withServiceOptions(
    new Command('connect').description(
      'Connect the agents of this machine, and prove each gate by a canary call; without any, print the line that fetches the program for an agent’s machine',
    ),
  )
    .addArgument(
      new Argument('[agents...]', 'which agents; default all that are installed').choices(
        AGENTS.map(({ name }) => name),
      ),
    )
    .option('--user', 'write the settings of the user (default)')
    .option('--project', 'write the settings of the project in this directory')
    .option('--managed', 'write the settings that an administrator prescribes for this machine (Claude Code)')
    .option('--dry-run', 'show what would be written, and write nothing')
    .option('--yes', 'write without asking')
    .option('--undo', 'restore the settings as they were before, byte for byte')
    .option('--fetch-line', 'only print the line that fetches and checks the program; needs no API key')
    .action(connect);
}

async function connect(agents: readonly string[], options: ConnectOptions): Promise<void> {
  if (options.fetchLine === true) return printFetchLine(options);
  if (options.undo === true) undoConnect(agents, options);
  else await connectAgents(agents, options);
}
