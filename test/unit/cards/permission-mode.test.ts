import { renderCard, renderOutcome } from './telegram-cards';
import { unguardedMode } from '../../../src/cards/known-agents/known-agents';
import { anApproval, settled } from './approval-samples';

const inMode = (permissionMode: unknown) => ({ claudeCode: { permissionMode } as Record<string, string> });

it.each(['bypassPermissions', 'acceptEdits', 'auto', 'something-new'])(
  '%s lets a failure through',
  (mode) => {
    expect(unguardedMode(inMode(mode))).toBe(mode);
  },
);

it.each(['default', 'plan', 'dontAsk', undefined, null, 7])('%s does not', (mode) => {
  expect(unguardedMode(inMode(mode))).toBeNull();
});

it.each([{}, { claudeCode: null }, { claudeCode: 'text' }, { claudeCode: [] }])(
  '%j names none',
  (metadata) => {
    expect(unguardedMode(metadata)).toBeNull();
  },
);

it('is on the card, made again from the approval alone, and stays on its outcome', () => {
  const approval = anApproval({ metadata: inMode('bypassPermissions') });
  const warning =
    '🚨 Permission mode bypassPermissions: if this service failed, the agent would run it unasked';
  expect(renderCard(approval).text).toContain(warning);
  expect(renderOutcome(settled(approval, 'approved')).text).toContain(warning);
  expect(renderCard(anApproval({ metadata: inMode('default') })).text).not.toContain('🚨');
});
