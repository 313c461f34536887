import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scene } from './alert-scene';
import { digestOf, newKey } from '../../src/access/api-key';
import { requestBody } from './api';
import { ALWAYS, ask, asked } from './chaos';
import { REPLICA_PORTS } from './installation';
import { refuse, startLogCollector, take } from './log-collector';
import { processesOf } from './processes';
import { until } from './until';

/** As `deploy/systemd/countersign.env` lists them. */
const OLIVIA = 4711;

/** Two starts, one beside the other, on a machine that is busy with other stories. */
const STARTED_WITHIN_MS = 60_000;

/** The steps of a person on call. */
interface Course {
  /** Steps that the page asks for before the commands of its fix, or instead of them. */
  readonly beforeFix?: () => unknown;
  /** The same, before the commands that show that it is over. */
  readonly afterFix?: () => unknown;
}

/** Makes the fault, which lasts until it is mended. */
export type Story = (scene: Scene) => Promise<Course>;

/** For every alert: its fault as it comes about, and what people do about it. */
export const STORIES: Readonly<Record<string, Story>> = {
  /** A typing error in the configuration shows when the replicas are started the next time. */
  CountersignDown: async ({ machine }) => {
    const file = join(machine.directory, 'etc/countersign/countersign.env');
    const right = machine.read('/etc/countersign/countersign.env');
    appendFileSync(file, 'APPROVAL_SWEEP_INTERVAL_SECOND=5\n');
    for (const port of REPLICA_PORTS) process.kill(machine.pidOf(port), 'SIGKILL');
    await machine.shell().run({
      command: 'systemctl restart countersign@3001 countersign@3002',
      background: false,
    });
    const replicas = join(machine.directory, 'state/countersign@');
    await until('they have ended again', () => processesOf(replicas).length === 0, STARTED_WITHIN_MS);
    return {
      beforeFix: () => {
        writeFileSync(file, `${right}\n`);
      },
    };
  },

  CountersignDatabaseDown: async ({ machine }) => {
    await machine.postgres.stop();
    return {};
  },

  /** Sessions of one agent ask in a loop, about once a second each, whatever they are told. */
  CountersignQueueGrowing: async (scene) => {
    const { api, prometheus } = scene;
    await until(
      'there is a time to compare with',
      () => prometheus.has('escalation_queue_size offset 15s'),
      60_000,
    );
    await ask(api, 25);
    const sessions = ['session-1', 'session-2', 'session-3'];
    const stop = sessions.map((sessionId) =>
      scene.keep(() => api.call('agent', 'POST', '/api/approvals?wait=1', requestBody({ sessionId }))),
    );
    return { beforeFix: () => Promise.all(stop.map((session) => session())) };
  },

  CountersignNobodyAnswers: async ({ api }) => {
    await asked(api);
    return {};
  },

  /** A policy asks in one chat, and somebody removes the bot from it. */
  CountersignUnreachable: async (scene) => {
    const { api, machine } = scene;
    const { chat } = machine;
    const admin = newKey('admin');
    const session = await scene.session('service');
    await session.query(
      `insert into api_keys (name, role, owner, digest, created_at) values ('admin', 'admin', null, $1, now())`,
      [digestOf(admin)],
    );
    const document = {
      version: 1,
      rules: [],
      destinations: { everyone: { telegram: chat.chat } },
      chains: { default: [{ to: 'everyone' }] },
    };
    await until('the policy is applied', async () => {
      const response = await fetch(`${api.url}/api/policy`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${admin}`,
          'content-type': 'application/json',
          'if-none-match': '*',
        },
        body: JSON.stringify(document),
      });
      return response.status === 200;
    });
    await chat.change('chats', { chat: chat.chat, blocked: true });
    await asked(api);
    return { beforeFix: () => chat.change('chats', { chat: chat.chat, blocked: false }) };
  },

  /** Somebody removes the bot from the chat. */
  CountersignCardsUndelivered: async ({ api, machine: { chat } }) => {
    await chat.change('chats', { chat: chat.chat, blocked: true });
    await asked(api);
    return { beforeFix: () => chat.change('chats', { chat: chat.chat, blocked: false }) };
  },

  CountersignDeadLetters: async ({ api, machine: { chat } }) => {
    await chat.fault({ method: 'sendMessage', status: 400, description: 'Bad Request: BUTTON_DATA_INVALID' });
    await asked(api);
    return {};
  },

  /** The bot's token is revoked while nobody asks for anything. */
  CountersignTelegramDown: async (scene) => {
    const { chat } = scene.machine;
    await chat.fault({ method: '*', status: 401, count: ALWAYS });
    return {
      beforeFix: async () => {
        await scene.type(`TOKEN=123456789:${'another-token-of-the-same-bot'.repeat(2)}`);
        await chat.clearFaults();
      },
    };
  },

  CountersignBreakerOpen: async ({ api, machine: { chat } }) => {
    await chat.fault({ method: '*', status: 503, count: ALWAYS });
    await ask(api, 3);
    return { beforeFix: () => chat.clearFaults() };
  },

  /** Somebody leaves a transaction open; a sweep waits for it once there is something to end. */
  CountersignSweeperLate: async (scene) => {
    const session = await scene.session('service');
    await asked(scene.api, { timeoutSeconds: 10 });
    await session.query('begin');
    await session.query('lock table approvals in exclusive mode');
    return {};
  },

  CountersignHighTimeoutRatio: async ({ api, machine: { chat } }) => {
    for (let n = 0; n < 3; n++) await asked(api, { timeoutSeconds: 1 });
    return {
      beforeFix: async () => {
        for (const id of await ask(api, 4)) {
          const { messageId } = await chat.card(id);
          await chat.press(messageId, 'Approve', OLIVIA);
        }
      },
    };
  },

  /** Somebody with the owner's password turns a rejection into an approval. */
  CountersignAuditBroken: async (scene) => {
    const { id } = await asked(scene.api);
    await scene.api.decide(id, 'rejected');
    await scene.follow('README');
    await scene.type('mkdir -p /var/backups/countersign');
    await scene.type('countersign audit export /var/backups/countersign/audit-log.jsonl');
    const owner = await scene.session('owner');
    const alter = (from: string, to: string) =>
      owner.query('update audit_log set type = $2 where type = $1', [from, to]);
    await alter('approval.rejected', 'approval.approved');
    return { afterFix: () => alter('approval.approved', 'approval.rejected') };
  },

  /** Somebody leaves a transaction open, in the middle of maintenance. */
  CountersignAuditUnsealed: async (scene) => {
    const session = await scene.session('owner');
    await session.query('begin');
    await session.query('lock table audit_seals in exclusive mode');
    await asked(scene.api);
    return {};
  },

  /** An operator no longer trusts an agent, stops the rules, and goes home. */
  CountersignPolicyStopped: async ({ api }) => {
    await api.call('operator', 'POST', '/api/policy/stop');
    return {};
  },

  /** An agent that may run the tests runs them in a loop. */
  CountersignGrantBurst: async ({ api }) => {
    const tests = { sessionId: 'a-loop', toolInput: { command: 'npm run test' }, cwd: '/srv/shop' };
    const { id } = await asked(api, tests);
    const path = `/api/approvals/${id}/grant-offers`;
    const { body } = await api.call<{ offers: { id: string }[] }>('operator', 'GET', path);
    await api.call('operator', 'POST', '/api/grants', { approvalId: id, offer: body.offers[1]?.id });
    for (let use = 0; use <= 30; use++) await asked(api, tests);
    return {};
  },

  /** The token for the SIEM has expired. */
  CountersignAuditNotStreamed: async (scene) => {
    const { machine } = scene;
    const collector = await startLogCollector();
    collector.always((response, call) =>
      (call.headers.authorization === 'Bearer the-new-token-of-the-siem' ? take : refuse(401))(
        response,
        call,
      ),
    );
    await scene.type('printf Authorization=Bearer%%20expired > /etc/countersign/audit-stream-headers');
    const unit = join(machine.directory, 'etc/systemd/system/countersign@.service');
    const service = [
      `Environment=AUDIT_STREAM=${collector.url} AUDIT_STREAM_HEADERS_FILE=%d/audit-stream-headers`,
      `LoadCredential=audit-stream-headers:${machine.directory}/etc/countersign/audit-stream-headers`,
    ];
    writeFileSync(
      unit,
      readFileSync(unit, 'utf8').replace('[Service]', ['[Service]', ...service].join('\n')),
    );
    await scene.type('systemctl restart countersign@3001 countersign@3002');
    await scene.follow('CountersignDatabaseDown', 'Resolved when');
    await asked(scene.api);
    scene.afterwards(collector.close);
    return { beforeFix: () => scene.type('TOKEN=the-new-token-of-the-siem') };
  },

  CountersignReceiptsFailing: async (scene) => {
    const { api } = scene;
    await (await scene.session('owner')).query('revoke insert on receipts from countersign');
    const { id: undecided } = await asked(api);
    expect((await api.decide(undecided, 'approved')).status).toBe(500);
    expect((await api.get(undecided)).body.status).toBe('pending');
    const { id } = await asked(api, { timeoutSeconds: 1 });
    await until('how it ended is not told', async () => (await api.get(id)).status === 503);
    // Its agent goes on asking.
    scene.keep(() => api.get(id));
    return {};
  },

  /** The network between the service and its database becomes slow. */
  CountersignSlowResponses: async (scene) => {
    const wire = await scene.wire();
    wire.slow(200);
    for (let readers = 0; readers < 4; readers++) {
      scene.keep(() => scene.api.call('operator', 'GET', '/api/approvals?limit=1'));
    }
    return {
      beforeFix: () => {
        wire.slow(0);
      },
    };
  },
};
