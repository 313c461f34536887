import { actionPieces } from '../../../src/cards/action-pieces';
import { prepareCard } from '../../../src/cards/card-body';
import { renderCard } from '../../../src/cards/card-text';
import { anApproval } from './approval-samples';

const approval = anApproval({ toolInput: { command: 'x'.repeat(5_000) } });

it.each([
  [1_000, true],
  [4_096, true],
  [10_000, false],
])('a card for messages of %i characters has a document: %s', async (limit, needsDocument) => {
  // What was prepared for a channel with another limit is not used.
  await prepareCard(approval, 2_000);
  const card = renderCard(approval, limit);
  expect(card.text.length).toBeLessThanOrEqual(limit);
  expect(card.files.length > 0).toBe(needsDocument);
});

it('pieces of the action fill the messages of the channel', () => {
  for (const [limit, count] of [
    [1_000, 7],
    [4_096, 2],
    [10_000, 1],
  ] as const) {
    const messages = actionPieces(approval, limit)?.messages ?? [];
    expect(messages).toHaveLength(count);
    for (const { text } of messages) expect(text.length).toBeLessThanOrEqual(limit);
  }
});
