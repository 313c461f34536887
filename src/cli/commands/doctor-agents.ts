import { Command, Option } from 'commander';
import { AGENTS } from '../../agent-side/connect/agents';
import { examineAgents } from '../connect/examine-agents';
import type { ScopeOptions } from '../connect/place';
import { withServiceOptions, type ServiceOptions } from '../service-options';

type DoctorAgentsOptions = ServiceOptions & ScopeOptions;

/** `countersign-agent doctor`: the part of the doctor for an agent's machine. */
export function doctorAgentsCommand(): Command {
  return withServiceOptions(
    new Command('doctor').description('Prove the gate of each agent on this machine, and name each problem'),
  )
    .argument(
      '[agents...]',
      `which agents: ${AGENTS.map(({ name }) => name).join(', ')}; default all installed`,
    )
    .addOption(new Option('--agents', 'as countersign doctor; this program examines only agents'))
    .option('--project', 'examine the settings of the project in this directory')
    .option('--managed', 'examine the settings that an administrator prescribes')
    .action((agents: readonly string[], options: DoctorAgentsOptions) => examineAgents(agents, options));
}
