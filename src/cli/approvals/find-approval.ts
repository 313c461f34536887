import type { Approval } from '../../agent-side/client/approval-wire';
import type { CountersignClient } from '../../agent-side/client';
import { shortId } from '../../cards/short-id';

const FULL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SHORT_ID = /^[0-9a-f]{8}$/i;
/** Number of the newest requests to search for a short id, beside all pending ones. */
const NEWEST = 1000;

/** No request has the id, or several have. */
export class NoSuchApproval extends Error {
  override readonly name = 'NoSuchApproval';
}

/**
 * Finds the request with this full or short id.
 *
 * @throws NoSuchApproval, and what the client throws.
 */
export async function findApproval(client: CountersignClient, id: string): Promise<Approval> {
  if (FULL_ID.test(id)) return client.get(id.toLowerCase());
  if (!SHORT_ID.test(id)) {
    throw new NoSuchApproval(
      `"${id}" is not a valid id: give the eight characters that the card ends with, or the whole UUID`,
    );
  }
  const pending = await matching(client.all({ status: 'pending' }), id, Infinity);
  const found = pending.length > 0 ? pending : await matching(client.all({}), id, NEWEST);
  const [only, ...others] = found;
  if (only === undefined) {
    throw new NoSuchApproval(
      `no request ${id} is pending, nor among the newest ${NEWEST} of those this key may see`,
    );
  }
  if (others.length > 0) {
    throw new NoSuchApproval(
      `${id} could mean ${found.map((each) => each.id).join(' or ')}: give the whole id`,
    );
  }
  return only;
}

async function matching(approvals: AsyncIterable<Approval>, id: string, most: number): Promise<Approval[]> {
  const found: Approval[] = [];
  let seen = 0;
  for await (const approval of approvals) {
    if (++seen > most) break;
    if (shortId(approval.id) === id.toLowerCase()) found.push(approval);
  }
  return found;
}
