import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SECRETS } from './fleet.mjs';

const HEADERS = { authorization: `Bearer ${SECRETS.AGENT_API_KEY}`, 'content-type': 'application/json' };
/** Long enough for a tap, short enough that some requests expire. */
const TIMEOUTS_SECONDS = [5, 30, 60, 120];

/** Agents as careful ones are: they ask under a key until the request is stored, and wait until it has ended. */
export class Agents {
  /** Requests of every agent with their final answers: id → {marker, status}. */
  told = new Map();

  constructor(fleet, count) {
    this.fleet = fleet;
    this.count = count;
  }

  async run(until) {
    await Promise.all(Array.from({ length: this.count }, (_, n) => this.agent(n, until)));
  }

  async agent(n, until) {
    while (Date.now() < until) {
      const marker = randomUUID();
      const id = await this.ask(n, marker);
      this.told.set(id, { marker, status: null });
      // Now and then an agent changes its mind, or somebody decides through the API.
      const chance = Math.random();
      if (chance < 0.05) await this.attempt('POST', `/api/approvals/${id}/cancel`, {});
      this.told.set(id, { marker, status: await this.outcome(id) });
    }
  }

  async ask(n, marker) {
    const body = {
      agentId: `agent-${n}`,
      sessionId: `session-${n}`,
      toolName: 'Bash',
      toolInput: { command: `deploy ${marker}` },
      timeoutSeconds: TIMEOUTS_SECONDS[Math.floor(Math.random() * TIMEOUTS_SECONDS.length)],
    };
    for (;;) {
      const answer = await this.attempt('POST', '/api/approvals', body, { 'idempotency-key': marker });
      if (answer?.status === 201 || answer?.status === 200) return answer.body.id;
      await sleep(100);
    }
  }

  async outcome(id) {
    for (;;) {
      const answer = await this.attempt('GET', `/api/approvals/${id}?wait=20`);
      if (answer?.status === 200 && answer.body.status !== 'pending') return answer.body.status;
      if (answer?.status !== 200) await sleep(100);
    }
  }

  /** At any replica; null when it was killed before it answered. */
  async attempt(method, path, body, more = {}) {
    const { url } = this.fleet.replicas[Math.floor(Math.random() * this.fleet.replicas.length)];
    try {
      const response = await fetch(url + path, {
        method,
        headers: body ? { ...HEADERS, ...more } : { authorization: HEADERS.authorization },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      return { status: response.status, body: await response.json() };
    } catch {
      return null;
    }
  }
}
