import { createHash } from 'node:crypto';
import type { KeySet } from '../../../src/receipts/key-set';
import { readReceipt, ReceiptRefused, verifyReceipt } from '../../../src/receipts/verify-receipt';
import type { ReceiptClaims } from '../../../src/receipts/receipt-claims';
import type { ApprovalJson } from '../../support/api';
import { buttonsOf, decisionsOf, type ChatMessage } from '../../support/sandbox-client';
import { TelegramRig } from '../../support/telegram-rig';
import { hmacSigned, encoded, PUBLIC_KEY_FORMS } from '../../unit/receipts/receipt-samples';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterEach(() => rig.chat.clearFaults());
afterAll(() => rig.close());

const keys = async (): Promise<KeySet> =>
  (await rig.api.call<KeySet>(null, 'GET', '/.well-known/jwks.json')).body;

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** From what the Bot API received and nothing else. */
async function digestOf(card: ChatMessage, approval: ApprovalJson): Promise<string> {
  const document = (await rig.chat.messages()).find(
    (message) => message.document?.fileName.includes(approval.id.slice(-8)) === true,
  )?.document;
  if (!document) return `sha256:${sha256(card.text)}`;
  return `sha256:${sha256(`${card.text}\n${sha256(await rig.chat.document(document.fileId))}`)}`;
}

async function tapped(card: ChatMessage, approval: ApprovalJson, button = 'Approve'): Promise<ReceiptClaims> {
  await rig.chat.press(card.messageId, button);
  const { body } = await rig.api.get(approval.id, 10);
  return readReceipt(body.receipt as string, await keys());
}

const LONG = `echo ${'a'.repeat(20_000)}; rm -rf /`;

describe('8. the complete action is shown or cannot be approved', () => {
  it('a payload at the end of 20 kB stands on the card and, whole, in the document', async () => {
    const { approval, card } = await rig.shown({ toolInput: { command: LONG } });
    expect(card.text).toContain('rm -rf /');
    const document = (await rig.chat.messages()).find(
      (message) => message.document?.fileName.includes(approval.id.slice(-8)) === true,
    )?.document;
    expect((await rig.chat.document(document?.fileId ?? '')).toString('utf8')).toContain(LONG);
  });

  it('no line of the action can pass for a line of the document, nor for its end', async () => {
    const forged = '=== Exact: one line of JSON, then the digest ===\n\n{}\nsha256:0\n';
    const command = `ls\n${forged}${'# padding\n'.repeat(400)}rm -rf /`;
    const { approval } = await rig.shown({ toolInput: { command } });
    const document = (await rig.chat.messages()).find(
      (message) => message.document?.fileName.includes(approval.id.slice(-8)) === true,
    )?.document;
    const lines = (await rig.chat.document(document?.fileId ?? '')).toString('utf8').split('\n');
    expect(lines).toContain('  │ rm -rf /');
    expect(lines.filter((line) => line.startsWith('=== Exact'))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('sha256:'))).toEqual([approval.inputDigest]);
  });

  it('without its document it can be rejected only, and the receipt tells what was shown then', async () => {
    await rig.chat.fault({ method: 'sendDocument', count: 1000, status: 500 });
    const approval = await rig.asked({ toolInput: { command: LONG } });
    const card = await rig.chat.card(approval.id, 1);
    expect(buttonsOf(card)).toEqual([expect.stringContaining('Reject')]);
    const claims = await tapped(card, approval, 'Reject');
    expect(claims).toMatchObject({ status: 'rejected', displayDigest: `sha256:${sha256(card.text)}` });
  });
});

describe('9. what is shown is what is bound', () => {
  it.each([
    ['a short action', { command: 'make deploy' }],
    ['an action in a document', { command: LONG }],
    ['hidden characters and markup', { command: 'x\u202e\u200b</code><a href="https://evil.example">&amp;' }],
  ])('the receipt of a tap on %s holds the digest of what the Bot API received', async (_what, toolInput) => {
    const { approval, card } = await rig.shown({ toolInput });
    const digest = await digestOf(card, approval);
    expect(await tapped(card, approval)).toMatchObject({
      displayDigest: digest,
      inputDigest: approval.inputDigest,
    });
    expect(`sha256:${sha256(card.text.replace('a', 'b'))}`).not.toBe(digest);
  });

  it('also when the send was never answered', async () => {
    await rig.chat.fault({ method: 'sendMessage', count: 1, reset: 'after' });
    const lost = await rig.asked({ toolInput: { command: 'never answered' } });
    const first = await rig.chat.card(lost.id);
    expect(await tapped(first, lost)).toMatchObject({ displayDigest: await digestOf(first, lost) });
  });

  it('a decision over the API is bound to the card that stands in the chat, or to none', async () => {
    const { approval, card } = await rig.shown();
    const { body } = await rig.api.decide(approval.id, 'approved');
    const claims = await readReceipt(body.receipt as string, await keys());
    expect(claims.displayDigest).toBe(`sha256:${sha256(card.text)}`);
  });

  it('the connector that works the digest out anew refuses any other action', async () => {
    const { approval, card } = await rig.shown({ toolInput: { command: 'ls' }, cwd: '/srv' });
    await tapped(card, approval);
    const receipt = (await rig.api.get(approval.id)).body.receipt as string;
    const expected = (command: string, cwd: string) => ({
      approvalId: approval.id,
      agentId: 'claude-code',
      sessionId: 'session-1',
      action: { toolName: 'Bash', toolInput: { command }, cwd },
    });
    const set = await keys();
    await expect(verifyReceipt(receipt, set, expected('ls', '/srv'), new Date())).resolves.toBeDefined();
    for (const other of [expected('ls ', '/srv'), expected('ls', '/srv/'), expected('LS', '/srv')])
      await expect(verifyReceipt(receipt, set, other, new Date())).rejects.toThrow(ReceiptRefused);
  });
});

describe('10. hidden and confusable characters are visible', () => {
  it.each(['\u001b', '\r', '\u200b', '\u202e', '\u{e0041}', '\ufe0f', '\u2800', '\u3164', '\u00ad'])(
    'as an escape: %j',
    async (character) => {
      const { card } = await rig.shown({ toolInput: { command: `rm${character}-rf` } });
      expect(card.text).not.toContain(character);
      expect(card.text).toContain(`\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
    },
  );

  it('marks that would be drawn over the command are escaped, and the card says so', async () => {
    const { card } = await rig.shown({ toolInput: { command: `rm -rf / #${'\u0e49'.repeat(50)}` } });
    expect(card.text).toContain('rm -rf / #\\u{e49×50}');
    expect(card.text).toMatch(/🚨 Combining marks: 50 /);
  });

  it('a command name of Cyrillic letters raises a warning among arguments of the same script', async () => {
    const { card } = await rig.shown({ toolInput: { command: '\u0441\u0440 отчёт копия' } });
    expect(card.text).toMatch(/Look-alike letters: \u0441\u0440 \(Cyrillic U\+0441, Cyrillic U\+0440\)/);
  });

  it('a label with look-alikes raises a warning that names it', async () => {
    const { card } = await rig.shown({ agentId: 'pr\u043ed-deployer' });
    expect(card.text).toMatch(/Look-alike letters in the agent: pr\u043ed \(Cyrillic U\+043E\)/);
  });

  it('and Cyrillic look-alikes raise a warning', async () => {
    const { card } = await rig.shown({ toolInput: { command: 'pаypal' } });
    expect(card.text).toMatch(/Look-alike letters.*Cyrillic U\+0430/);
  });
});

describe('21. size, shape and time limits hold', () => {
  it('a card of 60 000 pairs of marks, and its outcome, keep nobody else waiting', async () => {
    const asked = rig.asked({ toolInput: { command: `echo a${'\u0315\u0300'.repeat(60_000)}` } });
    const other = await rig.asked({ toolInput: { command: 'ls' } });
    const heavy = await rig.chat.card((await asked).id);
    await rig.chat.card(other.id);
    await rig.chat.press(heavy.messageId, 'Reject');
    expect((await rig.api.get((await asked).id, 10)).body.status).toBe('rejected');
    await rig.chat.find(
      'the outcome',
      ({ messageId, text }) => messageId === heavy.messageId && text.includes('Rejected'),
    );
  });
});

describe('11. message structure cannot be injected', () => {
  it('by markup, mentions, or hundreds of entities, in any field', async () => {
    const evil = `</code></pre><a href="tg://user?id=1">@all</a> ${'<b>x</b>'.repeat(200)}`;
    const { approval, card } = await rig.shown({
      agentId: evil.slice(0, 190),
      summary: evil,
      cwd: `/${evil}`,
      toolInput: { command: `${evil}\nExpires: never\n✅ Approved by Olivia` },
    });
    expect(card.text).toContain('</code></pre><a href=');
    const received = (await rig.chat.calls('sendMessage')).filter(({ params }) =>
      JSON.stringify(params).includes(approval.id.slice(-8)),
    );
    expect(JSON.stringify(received)).not.toContain('<a href');
    expect(decisionsOf(card)).toHaveLength(2);
  });
});

describe('13. receipts verify strictly', () => {
  it('what the service published verifies nothing that it did not sign', async () => {
    const { approval, card } = await rig.shown();
    const claims = await tapped(card, approval);
    const receipt = (await rig.api.get(approval.id)).body.receipt as string;
    const set = await keys();
    const [header = '', payload = '', signature = ''] = receipt.split('.');
    const forged = { ...claims, agentId: 'other', aud: 'other' };
    const [{ kid, x } = { kid: '', x: '' }] = set.keys;
    const attempts = [
      `${encoded({ alg: 'none', typ: 'countersign-receipt+jwt', kid })}.${payload}.`,
      `${header}.${encoded(forged)}.${signature}`,
      `${header}.${payload}.`,
      ...[x, Buffer.from(x, 'base64url'), ...PUBLIC_KEY_FORMS].map((secret) =>
        hmacSigned(claims, secret, { typ: 'countersign-receipt+jwt', kid }),
      ),
    ];
    for (const attempt of attempts) await expect(readReceipt(attempt, set)).rejects.toThrow(ReceiptRefused);
    await expect(readReceipt(receipt, { keys: [] })).rejects.toThrow(/no key/);
  });
});
