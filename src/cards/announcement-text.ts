import type { Announcement, News, PolicyChange } from '../kernel/announcement';
import { POLICY_DECISIONS } from '../kernel/policy-verdict';
import { renderCounts } from './digest-text';
import { placeOf, scopeOf } from './grant-text';
import { span, utc } from './moments';
import { bold, code, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';
import { who } from './who';

type Applied = Extract<News, { event: 'policy-applied' }>;
type Proposed = Extract<News, { event: 'policy-proposed' }>;

type Tired = Extract<News, { event: 'fatigue' }>;
type Week = Extract<News, { event: 'week' }>;

/** A message about something that operators learn without a card. */
export function renderAnnouncement(news: Announcement): RichText {
  return join(linesOf(news, words(utc(new Date(news.atMs)))), '\n');
}

function linesOf(news: News, at: RichText): readonly (RichText | string)[] {
  switch (news.event) {
    case 'policy-applied':
      return [
        rich`📜 ${bold(HEADING[news.cause])}: version ${shortVersion(news.version)}`,
        describeChange(news),
        ...reasonOf(news),
        rich`${appliedBy(news)}, ${at}`,
        ...(news.overrides ? ['POLICY_FILE is set, and this overrides it.'] : []),
        ...waysToLook(news),
      ];
    case 'policy-proposed':
      return [
        rich`📝 ${bold('Policy change proposed')}: version ${shortVersion(news.version)}`,
        describeChange(news),
        ...reasonOf(news),
        rich`By ${who(news.by)}, ${at}. Nothing has changed yet: another admin must approve it.`,
        ...waysToLook(news),
        rich`Approve: ${code(`countersign policy approve ${news.proposal}`)}`,
      ];
    case 'policy-stopped':
      return [
        rich`🛑 ${bold('The rules that allow are stopped')} on every replica: everything that no rule denies asks a person.`,
        rich`By ${who(news.by)}, ${at}`,
        RESUME,
      ];
    case 'policy-resumed':
      return [rich`▶️ ${bold('The rules allow again')}`, rich`By ${who(news.by)}, ${at}`];
    case 'grant-made':
      return [
        rich`⏱ ${bold('Granted')}: ${scopeOf(news.scope)}`,
        rich`To key ${visibleLine(news.keyId)}, for ${placeOf(news.cwd ?? null)}, ${words(endOf(news))}. By ${who(news.by)}, ${at}`,
        'See and revoke: /grants',
      ];
    case 'grant-revoked':
      return [
        rich`⏱ ${bold('Grant revoked')}: ${scopeOf(news.scope)}`,
        rich`After ${news.uses} use${words(news.uses === 1 ? '' : 's')}. By ${who(news.by)}, ${at}`,
      ];
    case 'grant-alarm':
      return [
        rich`🚨 ${bold('A grant is used fast')}: ${scopeOf(news.scope)}`,
        rich`${news.uses} uses within a minute by key ${visibleLine(news.keyId)}. Granted by ${visibleLine(news.madeBy)}, ${at}`,
        'See and revoke: /grants',
      ];
    case 'passkey-made':
      return [
        rich`🔑 ${bold('A passkey was made')}: ${visibleLine(news.person)} can sign in to the console and decide with it`,
        news.invitedBy === null
          ? rich`Added with another passkey of this person, ${at}`
          : rich`Invited by ${shorten(visibleLine(news.invitedBy), MAX_COMMENT_LENGTH)}, ${at}. Unexpected? Remove it: ${code('countersign people remove-passkey')}`,
      ];
    case 'passkey-revoked':
      return [
        rich`🔑 ${bold('A passkey was removed')}: of ${visibleLine(news.person)}`,
        rich`By ${shorten(visibleLine(news.by), MAX_COMMENT_LENGTH)}, ${at}`,
      ];
    case 'fatigue':
      return fatigue(news);
    case 'week':
      return week(news);
    case 'digest':
      return [
        rich`📊 ${bold('Digest')} ${words(utc(new Date(news.fromMs)))} – ${words(utc(new Date(news.toMs)))}`,
        renderCounts(news.counts) ?? 'Nothing ended.',
      ];
  }
}

const NAME_LENGTH = 60;

const named = (person: string): RichText => bold(shorten(visibleLine(person), NAME_LENGTH).text);

/** Seconds of a decision: `1.4 s`, or from ten on as all lengths of time. */
const took = (seconds: number): RichText =>
  words(seconds < 10 ? `${seconds.toFixed(1)} s` : span(0, seconds * 1000));

function fatigue({ person, cause, decisions, medianSeconds }: Tired): RichText[] {
  const why =
    cause === 'many'
      ? rich`${named(person)} decided ${decisions} requests within an hour, more than anybody reads.`
      : rich`${named(person)} takes ${took(medianSeconds)} for a decision, the median of the last 20. Nobody reads that fast.`;
  return [
    rich`🥱 ${bold('Decisions without reading?')}`,
    why,
    words('Talk to them. Rules, grants or more people take requests off them.'),
  ];
}

function week({ toMs, week: { decisions, medianSeconds, people, unanswered } }: Week): RichText[] {
  const others = decisions - people.reduce((sum, each) => sum + each.decisions, 0);
  const share = (count: number) => `${Math.round((100 * count) / Math.max(1, decisions))} %`;
  const median = medianSeconds === null ? words('') : rich`, in ${took(medianSeconds)} by the median`;
  return [
    rich`🗓 ${bold('The week until')} ${words(utc(new Date(toMs)))}`,
    rich`People decided ${decisions} requests${median}. Nobody answered ${unanswered}.`,
    ...people.map(
      ({ person, decisions: own, medianSeconds: median }) =>
        rich`${named(person)}: ${own} (${words(share(own))}), ${took(median)}`,
    ),
    ...(others > 0 ? [rich`Others: ${others} (${words(share(others))})`] : []),
  ];
}

function endOf({ seconds, maxUses }: Extract<News, { event: 'grant-made' }>): string {
  const uses = maxUses === null ? '' : `, ${maxUses} use${maxUses === 1 ? '' : 's'} at most`;
  return `for ${span(0, seconds * 1000)}${uses}`;
}

const MAX_COMMENT_LENGTH = 300;

const reasonOf = ({ comment }: Applied | Proposed): RichText[] =>
  comment === null ? [] : [rich`${bold('Reason')}: ${shorten(visibleLine(comment), MAX_COMMENT_LENGTH)}`];

const HEADING = {
  apply: 'Policy changed',
  rollback: 'Policy rolled back',
  file: 'Policy changed by POLICY_FILE',
} satisfies Record<Applied['cause'], string>;

/** The instruction for ending a stop. */
export const RESUME: RichText = rich`An admin ends the stop: ${code('countersign policy resume')}`;

/** A beginning of the digest that the commands accept. */
const shortVersion = (version: string): string => version.replace(/^sha256:/, '').slice(0, 12);

function appliedBy({ by, cause, proposedBy }: Applied): RichText {
  if (cause === 'file') return words('Applied at the start of a replica');
  const applied = rich`By ${who(by)}`;
  return proposedBy === null ? applied : rich`${applied}, proposed by API key ${proposedBy}`;
}

function waysToLook({ version, replaces }: Applied | Proposed): RichText[] {
  const compare = (old: string) => `countersign policy diff ${shortVersion(old)} ${shortVersion(version)}`;
  return [
    rich`Read: ${code(`countersign policy show ${shortVersion(version)}`)}`,
    ...(replaces === null ? [] : [rich`Compare: ${code(compare(replaces))}`]),
  ];
}

/** `+2 allow, −1 deny, 1 rule changed. It widens the policy.` */
function describeChange({ replaces, change }: Applied | Proposed): string {
  const first = replaces === null ? 'The first policy: ' : '';
  return `${first}${countsOf(change).join(', ') || 'no difference'}. ${change.widens ? 'It widens the policy.' : 'It widens nothing.'}`;
}

function countsOf({ added, removed, changed, others }: PolicyChange): string[] {
  const counts = [
    ...POLICY_DECISIONS.map((decision) => [added[decision], `+${added[decision]} ${decision}`] as const),
    ...POLICY_DECISIONS.map((decision) => [removed[decision], `−${removed[decision]} ${decision}`] as const),
    [changed, `${changed} rule${changed === 1 ? '' : 's'} changed`] as const,
    [others, `${others} other setting${others === 1 ? '' : 's'} changed`] as const,
  ];
  return counts.flatMap(([count, text]) => (count === 0 ? [] : [text]));
}
