import { z } from 'zod';
import { callService, type ServiceDoor } from '../../agent-side/client/service-call';

const linkSchema = z.object({ token: z.string() });

/** A link that opens the console signed in, once. Its token is in the fragment, which no server and no proxy logs. */
export async function consoleLink(operator: ServiceDoor): Promise<string> {
  const { token } = await callService(operator, { method: 'POST', path: '/console/links' }, linkSchema);
  return `http://localhost:${new URL(operator.url).port}/console#link=${token}`;
}
