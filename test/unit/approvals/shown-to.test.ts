import type { Snapshot } from '../../../src/approvals/approval-store';
import { shownTo } from '../../../src/approvals/commands/decidable';
import type { Channel, Person } from '../../../src/kernel/actor';

const seen = { displayDigest: 'sha256:of-the-chat' } as Snapshot;
const by = (channel: Channel): Person => ({ kind: 'person', channel, id: '1', name: 'Olivia' });

describe('the card that a receipt names', () => {
  it('is the one that was tapped', () => {
    const tapped = { digest: 'sha256:tapped', tapped: true };
    expect(shownTo(by('telegram'), 'sha256:tapped', seen)).toEqual(tapped);
  });

  it('is the one in the chat for a decision by API', () => {
    expect(shownTo(by('api'), null, seen)).toEqual({ digest: 'sha256:of-the-chat', tapped: false });
  });

  it('is none for a decision in the console, whose person read the page', () => {
    expect(shownTo(by('console'), null, seen)).toEqual({ digest: null, tapped: true });
  });
});
