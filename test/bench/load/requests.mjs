import { allowedCommand } from './policy.mjs';

/** Bytes on the wire: both sides of a ratio get the same. */
export function request(method, path, key, body, more = '') {
  const text = body === undefined ? '' : JSON.stringify(body);
  const type = body === undefined ? '' : `Content-Type: application/json\r\n`;
  const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(text)}\r\n`;
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\n${type}${length}${more}\r\n${text}`,
  );
}

/** The request of an agent: a shell command of ordinary size, each one different. `command`: one that a rule allows. */
export function enqueueRequest(path, key, unique, command = 'asked') {
  const body = {
    agentId: 'claude-code',
    sessionId: `session-${unique % 100}`,
    toolName: 'Bash',
    toolInput: {
      command:
        command === 'allowed'
          ? allowedCommand(unique)
          : `kubectl --context production rollout restart deployment/payments-${unique}`,
      description: 'Restart the payment workers after the configuration change',
      timeout: 120_000,
    },
    cwd: '/srv/deployments/payments',
  };
  return request('POST', path, key, body, `Idempotency-Key: bench-${process.pid}-${unique}\r\n`);
}

export const readRequest = (id, key, wait) =>
  request('GET', `/api/approvals/${id}${wait === undefined ? '' : `?wait=${wait}`}`, key);

export const decisionRequest = (id, key) =>
  request('POST', `/api/approvals/${id}/decision`, key, { decision: 'approved' });

export const streamRequest = (id, key) => request('GET', `/api/approvals/${id}/events`, key);
