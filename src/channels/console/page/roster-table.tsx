import { useQuery } from '@tanstack/react-query';
import { api, bodyOf } from './api';
import { Failure } from './notes';
import { TEXTS } from './texts';

const T = TEXTS.roster;

const listed = (names: readonly string[]): string => (names.length === 0 ? '–' : names.join(', '));

/** The people of the active policy; nothing where it names nobody. */
export function RosterTable() {
  const people = useQuery({ queryKey: ['people'], queryFn: () => bodyOf(api.GET('/api/people')) });
  if (people.error) return <Failure error={people.error} retry={() => void people.refetch()} />;
  if (!people.data || people.data.items.length === 0) return null;
  const { columns } = T;
  return (
    <section aria-label={T.title}>
      <p className="hint">{T.note}</p>
      <table>
        <thead>
          <tr>
            <th scope="col">{columns.person}</th>
            <th scope="col">{columns.groups}</th>
            <th scope="col">{columns.onDuty}</th>
            <th scope="col">{columns.telegram}</th>
            <th scope="col">{columns.passkeys}</th>
            <th scope="col">{columns.account}</th>
          </tr>
        </thead>
        <tbody>
          {people.data.items.map(
            ({ name, groups, onDuty, hasTelegram, hasStarted, passkeys, hasAccount }) => (
              <tr key={name}>
                <td data-label={columns.person}>{name}</td>
                <td data-label={columns.groups}>{listed(groups)}</td>
                <td data-label={columns.onDuty}>{listed(onDuty)}</td>
                <td data-label={columns.telegram}>
                  {hasTelegram ? (hasStarted ? T.started : T.notStarted) : '–'}
                </td>
                <td data-label={columns.passkeys}>{passkeys}</td>
                <td data-label={columns.account}>{hasAccount ? T.account : '–'}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
    </section>
  );
}
