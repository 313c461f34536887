import type { Snapshot } from '../../../src/approvals/approval-store';
import { shownTo } from '../../../src/approvals/commands/decidable';

const seen = { displayDigest: 'sha256:of-the-chat' } as Snapshot;

describe('the card or page that a receipt names', () => {
  it('is the one that its person saw', () => {
    expect(shownTo('sha256:seen', seen)).toEqual({ digest: 'sha256:seen', tapped: true });
  });

  it('is the card in the chat for a program that names none', () => {
    expect(shownTo(null, seen)).toEqual({ digest: 'sha256:of-the-chat', tapped: false });
  });
});
