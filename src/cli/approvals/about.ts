import type { CountersignClient } from '../../agent-side/client';
import { NO_CODE, ServiceRefused } from '../../agent-side/client/service-errors';
import { complain, Findings, show } from '../output';
import { clientFor, unknownKey, type ServiceOptions } from '../service-options';
import { endingOf } from './approval-text';
import { NoSuchApproval } from './find-approval';

/**
 * Runs the act with a client. Shows a refusal of the service as a finding; other errors propagate.
 *
 * @throws Findings, and the errors of the act.
 */
export async function about(
  options: ServiceOptions,
  act: (client: CountersignClient) => Promise<void>,
): Promise<void> {
  try {
    await act(clientFor(options));
  } catch (error) {
    if (error instanceof NoSuchApproval) refuse(options, { code: 'approval.not-found' }, error.message);
    if (!(error instanceof ServiceRefused)) throw error;
    if (error.code === NO_CODE || error.status === 403) throw error;
    if (error.status === 401) throw unknownKey();
    const { code, approval = null } = error;
    const ended = approval !== null && approval.status !== 'pending';
    refuse(options, { code, approval }, ended ? `already ${endingOf(approval)}` : error.message);
  }
}

function refuse(options: ServiceOptions, result: object, message: string): never {
  if (options.json === true) show({ error: { ...result, message } }, [], options);
  else complain(message);
  throw new Findings(message);
}
