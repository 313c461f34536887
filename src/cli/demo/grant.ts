import { z } from 'zod';
import { callService, type ServiceDoor } from '../../agent-side/client/service-call';

const offersSchema = z.object({ offers: z.array(z.object({ id: z.string(), scope: z.string() })) });
const madeSchema = z.object({ scope: z.string() });

/**
 * Approves the request with the widest grant that the service offers for it, as `countersign grants make` does.
 *
 * @returns the scope in words; null if nothing is offered
 */
export async function grantLikeIt(operator: ServiceDoor, approvalId: string): Promise<string | null> {
  const path = `/api/approvals/${approvalId}/grant-offers`;
  const { offers } = await callService(operator, { method: 'GET', path }, offersSchema);
  const widest = offers.at(-1);
  if (!widest) return null;
  const body = { approvalId, offer: widest.id };
  const { scope } = await callService(operator, { method: 'POST', path: '/api/grants', body }, madeSchema);
  return scope;
}
