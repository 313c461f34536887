import { ACTOR_KINDS, labelActor, nameActor, readActor } from '../../../src/kernel/actor';

it.each(ACTOR_KINDS)('reads the actor that it named %s', (kind) => {
  const named = nameActor(readActor({ kind, id: '7', name: 'Otto' }));
  expect(named).toMatchObject({ kind, id: '7' });
  expect(readActor(named)).toEqual(readActor({ kind, id: '7', name: named.name }));
});

it('names a person by the channel, as answers, receipts and the audit log do', () => {
  const person = { kind: 'person', channel: 'telegram', id: '7', name: 'Otto' } as const;
  expect(nameActor(person)).toEqual({ kind: 'telegram', id: '7', name: 'Otto' });
});

it.each([
  [{ kind: 'person', channel: 'api', id: 'otto', name: 'Otto' }, 'Otto'],
  [{ kind: 'policy', version: 'sha256:0', rule: 'reads' }, 'the rule reads'],
  [
    { kind: 'grant', id: 'g-1', name: 'npm run test in /srv (granted by Otto)' },
    'the grant for npm run test in /srv (granted by Otto)',
  ],
  [{ kind: 'system', cause: 'timeout' }, 'Countersign'],
] as const)('says in a sentence who %j is', (actor, label) => {
  expect(labelActor(actor)).toBe(label);
});
