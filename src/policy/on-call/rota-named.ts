import { InvalidInput } from '../../kernel/errors';
import type { Rota } from '../../people/rota';

export const invalid = (path: string, message: string) => new InvalidInput([{ path, message }]);

/**
 * Finds a rota by its name.
 *
 * @param asked null: the only one
 * @throws InvalidInput, which says what to write
 */
export function rotaNamed(
  rotas: ReadonlyMap<string, Rota>,
  asked: string | null,
): readonly [name: string, rota: Rota] {
  const names = [...rotas.keys()];
  if (names.length === 0) throw invalid('rota', 'The active policy has no "rota".');
  if (asked === null && names.length > 1)
    throw invalid('rota', `The policy has several rotas, so name one: ${names.join(', ')}.`);
  const name = asked ?? names[0] ?? '';
  const rota = rotas.get(name);
  if (rota === undefined)
    throw invalid('rota', `There is no rota "${name}". The policy has ${names.join(', ')}.`);
  return [name, rota];
}
