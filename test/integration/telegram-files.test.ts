import { createHash } from 'node:crypto';
import { buttonsOf } from '../support/sandbox-client';
import { aPng, pngChunk } from '../support/pictures';
import { ALWAYS, TelegramRig } from '../support/telegram-rig';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

const PICTURE = aPng(320, 200, pngChunk('iCCP', Buffer.alloc(400, 1)));
const ZIP = Buffer.concat([Buffer.from('504b0304', 'hex'), Buffer.alloc(400, 1)]);
const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex');

const asked = (...files: readonly Buffer[]) =>
  rig.asked({
    toolName: 'mcp__slack__post',
    toolInput: { channel: '#ops', files: files.map((file) => file.toString('base64')) },
  });

async function signedDigest(id: string): Promise<string> {
  const [, payload = ''] = String((await rig.api.get(id)).body.receipt).split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { displayDigest: string })
    .displayDigest;
}

describe('an action with files (telegram.md 15)', () => {
  it('has each of them before its card, and a receipt over the card and all files', async () => {
    const approval = await asked(PICTURE, ZIP);
    const card = await rig.chat.card(approval.id);
    expect(buttonsOf(card)).toContain('✅ Approve');
    const [photo] = await rig.calls('sendPhoto');
    const [document] = await rig.calls('sendDocument');
    expect(photo?.params.photo).toMatchObject({ size: PICTURE.length });
    expect(document?.params.document).toMatchObject({ size: ZIP.length });
    const messages = await rig.chat.messages();
    expect(messages.slice(0, 2).map((message) => message.document?.sha256)).toEqual([
      sha256(PICTURE),
      sha256(ZIP),
    ]);
    await rig.chat.press(card.messageId, 'Approve');
    const both = sha256(`${sha256(PICTURE)}\n${sha256(ZIP)}`);
    expect(await signedDigest(approval.id)).toBe(`sha256:${sha256(`${card.text}\n${both}`)}`);
  });

  it('cannot be approved while a picture does not get through, and can once it does', async () => {
    await rig.chat.fault({ method: 'sendPhoto', status: 502, count: 4 });
    const approval = await asked(PICTURE, ZIP);
    const incomplete = await rig.chat.card(approval.id, 1);
    expect(buttonsOf(incomplete)).toEqual(['❌ Reject']);
    await rig.worked(approval);
    expect(buttonsOf(await rig.chat.card(approval.id))).toContain('✅ Approve');
    expect((await rig.calls('sendDocument')).map(({ status }) => status)).toEqual([200]);
  });

  it('goes on with the next file after a failure, without a second copy of the first', async () => {
    await rig.chat.fault({ method: 'sendDocument', status: 502, count: 4 });
    const approval = await asked(PICTURE, ZIP);
    await rig.worked(approval);
    expect((await rig.calls('sendPhoto')).map(({ status }) => status)).toEqual([200]);
  });

  it('has a picture as a document where Telegram takes it for none', async () => {
    await rig.chat.fault({
      method: 'sendPhoto',
      status: 400,
      description: 'Bad Request: IMAGE_PROCESS_FAILED',
      count: ALWAYS,
    });
    const approval = await asked(PICTURE);
    expect(buttonsOf(await rig.chat.card(approval.id))).toContain('✅ Approve');
    expect((await rig.calls('sendDocument')).map(({ status }) => status)).toEqual([200]);
  });

  it('can be rejected only in a chat that takes no files', async () => {
    await rig.chat.change('chats', { chat: rig.chat.chat, documents: false });
    try {
      const approval = await asked(PICTURE);
      const card = await rig.chat.card(approval.id, 1);
      expect(card.text).toContain(
        'This chat takes no files, and the action has data that only a file can hold.',
      );
      expect(buttonsOf(card)).toEqual(['❌ Reject']);
    } finally {
      await rig.chat.change('chats', { chat: rig.chat.chat, documents: true });
    }
  });
});
