import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { components } from 'console-api';
import { visibleLine } from '../../../cards/visible-text/visible-text';
import { api, bodyOf } from './api';
import { PARTS, SPANS, type InsightPlace } from './insight-place';
import { Empty, Failure, Loading } from './notes';
import { Plot } from './plot';
import { TEXTS } from './texts';
import { spanOf } from './times';

const T = TEXTS.insight;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const REFRESH_MS = 60_000;
const LEVELS = 5;
const DAYS = 7;
const HOURS = 24;

type Insight = components['schemas']['InsightView'];
type Outcomes = Insight['total'];

const OUTCOMES = [
  ['approved', '--good-fill'],
  ['rejected', '--bad'],
  ['expired', '--warn'],
  ['cancelled', '--line-strong'],
] as const;

const sizeOf = (each: Outcomes): number => OUTCOMES.reduce((sum, [name]) => sum + each[name], 0);
const whole = (value: number): string => (Number.isInteger(value) ? String(value) : '');
const timeOf = (seconds: number | null): string => (seconds === null ? '–' : spanOf(seconds));

/** Every step of the time, also those without requests, which the answer leaves out. */
function steps({ from, to, stepSeconds, series }: Insight) {
  const known = new Map(series.map((each) => [Date.parse(each.at) / 1000, each]));
  const times: number[] = [];
  for (let at = Date.parse(from) / 1000; at < Date.parse(to) / 1000; at += stepSeconds) times.push(at);
  return { times, at: times.map((time) => known.get(time)) };
}

function Plots({ insight }: { insight: Insight }) {
  const { times, at } = useMemo(() => steps(insight), [insight]);
  const outcomes = useMemo(
    () =>
      OUTCOMES.map(([name, color]) => ({
        name: TEXTS.status[name],
        color,
        values: at.map((each) => each?.[name] ?? 0),
      })),
    [at],
  );
  const decisions = useMemo(
    () => [
      { name: T.median, color: '--accent', values: at.map((each) => each?.medianSeconds ?? null) },
      { name: T.p95, color: '--warn', values: at.map((each) => each?.p95Seconds ?? null) },
    ],
    [at],
  );
  const format = insight.stepSeconds < DAY_MS / 1000 ? T.hour : T.day;
  return (
    <>
      <section className="panel">
        <h2>{T.byOutcome}</h2>
        <Plot label={T.byOutcome} times={times} lines={outcomes} kind="bars" unit={whole} />
      </section>
      <section className="panel">
        <h2>{T.toDecision}</h2>
        <Plot label={T.toDecision} times={times} lines={decisions} kind="lines" unit={spanOf} />
      </section>
      <details className="wide">
        <summary>{T.asTable}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{T.time}</th>
              {OUTCOMES.map(([name]) => (
                <th key={name} scope="col">
                  {TEXTS.status[name]}
                </th>
              ))}
              <th scope="col">{T.median}</th>
              <th scope="col">{T.p95}</th>
            </tr>
          </thead>
          <tbody>
            {insight.series.map((each) => (
              <tr key={each.at}>
                <td data-label={T.time}>{format(new Date(each.at))}</td>
                {OUTCOMES.map(([name]) => (
                  <td key={name} data-label={TEXTS.status[name]}>
                    {each[name]}
                  </td>
                ))}
                <td data-label={T.median}>{timeOf(each.medianSeconds)}</td>
                <td data-label={T.p95}>{timeOf(each.p95Seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

/** The hours of the week in the viewer's zone, of the size that it has now. */
function Week({ week }: { week: Insight['week'] }) {
  const shift = Math.round(-new Date().getTimezoneOffset() / 60);
  const most = Math.max(...week, 1);
  const at = (day: number, hour: number): number =>
    week[(day * HOURS + hour - shift + DAYS * HOURS) % (DAYS * HOURS)] ?? 0;
  const levelOf = (count: number) => (count === 0 ? 0 : Math.ceil((count / most) * (LEVELS - 1)));
  return (
    <section className="panel">
      <h2>{T.week}</h2>
      <table className="heat">
        <thead>
          <tr>
            <td />
            {Array.from({ length: HOURS }, (_, hour) => (
              <th key={hour} scope="col">
                {hour % 6 === 0 ? hour : <span className="unseen">{hour}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {T.days.map((name, day) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {Array.from({ length: HOURS }, (_, hour) => {
                const count = at(day, hour);
                return (
                  <td key={hour} className={`level-${levelOf(count)}`} title={T.slot(name, hour, count)}>
                    <span className="unseen">{count}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Shares({ answeredBy }: { answeredBy: Insight['answeredBy'] }) {
  const total = Object.values(answeredBy).reduce((sum, count) => sum + count, 0);
  return (
    <section className="panel">
      <h2>{T.answeredBy}</h2>
      <dl className="shares">
        {(['rule', 'grant', 'person', 'nobody'] as const).map((who) => (
          <div key={who}>
            <dt>{T.answers[who]}</dt>
            <dd>
              <span className="bar" aria-hidden="true">
                <span style={{ width: `${(100 * answeredBy[who]) / Math.max(total, 1)}%` }} />
              </span>
              {T.share(answeredBy[who], total)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Breakdown({
  by,
  part,
  span,
}: { by: NonNullable<Insight['by']>; part: string } & Pick<InsightPlace, 'span'>) {
  const navigate = useNavigate();
  return (
    <section className="wide stack">
      <div className="page-head">
        <h2>{T.breakdown}</h2>
        <label>
          <span className="unseen">{T.breakdown}</span>
          <select
            value={part}
            onChange={({ target }) =>
              void navigate({
                to: '/insight',
                search: { ...(span && { span }), by: target.value as (typeof PARTS)[number] },
              })
            }
          >
            {PARTS.map((each) => (
              <option key={each} value={each}>
                {T.parts[each]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">{T.parts[part as (typeof PARTS)[number]]}</th>
            <th scope="col">{T.requests}</th>
            {OUTCOMES.map(([name]) => (
              <th key={name} scope="col">
                {TEXTS.status[name]}
              </th>
            ))}
            <th scope="col">{T.median}</th>
          </tr>
        </thead>
        <tbody>
          {by.map((each) => (
            <tr key={each.name}>
              <td>{each.name === null ? T.others : visibleLine(each.name)}</td>
              <td data-label={T.requests}>{sizeOf(each)}</td>
              {OUTCOMES.map(([name]) => (
                <td key={name} data-label={TEXTS.status[name]}>
                  {each[name]}
                </td>
              ))}
              <td data-label={T.median}>{timeOf(each.medianSeconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The rules that would have saved most cards. The service replays the requests of the last week for it. */
function Suggestions() {
  const suggest = useMutation({
    mutationFn: () => bodyOf(api.GET('/api/policy/suggestions', { params: { query: { since: '7d' } } })),
  });
  return (
    <section className="panel wide stack">
      <div className="page-head">
        <h2>{T.suggestions}</h2>
        <button type="button" disabled={suggest.isPending} onClick={() => suggest.mutate()}>
          {suggest.isPending ? TEXTS.loading : T.suggest}
        </button>
      </div>
      <p className="hint">{T.suggestNote}</p>
      {suggest.error && (
        <p className="fault" role="alert">
          {suggest.error.message}
        </p>
      )}
      {suggest.data?.suggestions.length === 0 && <p role="status">{T.noSuggestions}</p>}
      {suggest.data && suggest.data.suggestions.length > 0 && (
        <>
          <ul className="stack">
            {suggest.data.suggestions.map(({ rule, saves }) => (
              <li key={JSON.stringify(rule)}>
                <strong>{T.saves(saves)}</strong>
                <pre className="code suggestion">{visibleLine(JSON.stringify(rule))}</pre>
              </li>
            ))}
          </ul>
          <p className="hint">
            <Link to="/policy" search={{ place: 'edit' }}>
              {T.edit}
            </Link>
          </p>
        </>
      )}
    </section>
  );
}

/** From the viewer's midnight, so that a day of the plot is a day of the viewer; of one day, from an hour. */
function beginOf(days: number): Date {
  const now = Date.now();
  if (days === 1) return new Date(now - (now % HOUR_MS) - 23 * HOUR_MS);
  const begin = new Date(now - (days - 1) * DAY_MS);
  begin.setHours(0, 0, 0, 0);
  return begin;
}

export default function InsightView({ place }: { place: InsightPlace }) {
  const { span = 'week', by = 'tool' } = place;
  const insight = useQuery({
    queryKey: ['insight', span, by],
    queryFn: () =>
      bodyOf(
        api.GET('/api/insight', {
          params: { query: { from: beginOf(SPANS[span]).toISOString(), by } },
        }),
      ),
    refetchInterval: REFRESH_MS,
    placeholderData: (before) => before,
  });
  const { data } = insight;
  return (
    <div className="page insight">
      <div className="page-head">
        <h1>{T.title}</h1>
      </div>
      <p className="hint">{T.note}</p>
      <div className="tabs" role="navigation" aria-label={T.title}>
        {(Object.keys(SPANS) as (keyof typeof SPANS)[]).map((each) => (
          <Link
            key={each}
            to="/insight"
            search={{ span: each, ...(place.by && { by: place.by }) }}
            aria-current={each === span ? 'page' : undefined}
          >
            {T.spans[each]}
          </Link>
        ))}
      </div>
      {insight.error && !data ? (
        <Failure error={insight.error} retry={() => void insight.refetch()} />
      ) : !data ? (
        <Loading />
      ) : sizeOf(data.total) === 0 ? (
        <Empty title={T.empty}>{T.emptyNote}</Empty>
      ) : (
        <>
          <dl className="figures">
            <div>
              <dt>{T.requests}</dt>
              <dd>{sizeOf(data.total)}</dd>
            </div>
            <div>
              <dt>{T.median}</dt>
              <dd>{timeOf(data.total.medianSeconds)}</dd>
            </div>
            <div>
              <dt>{T.p95}</dt>
              <dd>{timeOf(data.total.p95Seconds)}</dd>
            </div>
          </dl>
          <div className="plots">
            <Plots insight={data} />
            <Shares answeredBy={data.answeredBy} />
            <Week week={data.week} />
            {data.by && <Breakdown by={data.by} part={by} span={span} />}
          </div>
        </>
      )}
      <Suggestions />
    </div>
  );
}
