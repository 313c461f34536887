import { DateTime, IANAZone } from 'luxon';

/** The local time at which a turn ends, in a zone by its IANA name. */
export interface Handover {
  /** 1 is Monday; null: any day, for turns that are counted in days. */
  readonly weekday: number | null;
  readonly hour: number;
  readonly minute: number;
  readonly zone: string;
}

/** People who are on duty one after the other. */
export interface Rota {
  readonly members: readonly string[];
  readonly handover: Handover;
  /** Length of a turn in days of the calendar, so that daylight saving moves no handover. */
  readonly days: number;
}

/** A person on duty until a time. */
export interface Turn {
  readonly person: string;
  readonly until: Date;
}

/** Local hours of every day in which a person gets no direct messages, in minutes since midnight. */
export interface QuietHours {
  readonly fromMinute: number;
  /** Not after `fromMinute`: on the next day. */
  readonly untilMinute: number;
  readonly zone: string;
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** Turns of whole weeks and of days are counted from this Monday in every zone. */
const FIRST_MONDAY = '1970-01-05';

/** True for an IANA name such as `Europe/Berlin` or `UTC` that this machine knows; false for an offset. */
export const isZone = (name: string): boolean =>
  /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(name) && IANAZone.isValidZone(name);

/** Reads `Mon 09:00 Europe/Berlin`, or `09:00 Europe/Berlin` for any day; null for another form. The zone may be unknown. */
export function readHandover(text: string): Handover | null {
  const [, day, time = '', zone = ''] = /^(?:([A-Z][a-z]{2}) )?(\d{2}:\d{2}) (\S+)$/.exec(text) ?? [];
  const minutes = minutesOf(time);
  const weekday = day === undefined ? null : WEEKDAYS.indexOf(day) + 1;
  if (minutes === null || weekday === 0) return null;
  return { weekday, hour: Math.floor(minutes / 60), minute: minutes % 60, zone };
}

/** Reads `22:00-07:00 Europe/Berlin`; null for another form. The zone may be unknown. */
export function readQuietHours(text: string): QuietHours | null {
  const [, from = '', until = '', zone = ''] = /^(\d{2}:\d{2})-(\d{2}:\d{2}) (\S+)$/.exec(text) ?? [];
  const [fromMinute, untilMinute] = [minutesOf(from), minutesOf(until)];
  if (fromMinute === null || untilMinute === null || fromMinute === untilMinute) return null;
  return { fromMinute, untilMinute, zone };
}

/** Minutes since midnight of a time such as `18:00`; null: it is not one. */
export function minutesOf(time: string): number | null {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(time) ?? [];
  return hour === undefined || minute === undefined ? null : Number(hour) * 60 + Number(minute);
}

/** The turn of the rota at a time, and the person after it. */
export function turnAt(rota: Rota, at: Date): Turn & { readonly next: string } {
  const { members, days } = rota;
  const local = DateTime.fromJSDate(at, { zone: rota.handover.zone });
  const first = DateTime.fromISO(FIRST_MONDAY, { zone: 'utc' }).plus({
    days: (rota.handover.weekday ?? 1) - 1,
  });
  const today = DateTime.utc(local.year, local.month, local.day);
  const begins = (turn: number): Date => {
    const { year, month, day } = first.plus({ days: turn * days });
    return earliest({ year, month, day }, rota.handover);
  };
  let turn = Math.floor(today.diff(first, 'days').days / days);
  if (begins(turn) > at) turn -= 1;
  return { person: memberOf(members, turn), until: begins(turn + 1), next: memberOf(members, turn + 1) };
}

/** The next time after `at` at which a clock of the zone shows this time. */
export function nextTime(minutes: number, zone: string, at: Date): Date {
  const clock = { hour: Math.floor(minutes / 60), minute: minutes % 60, zone };
  const local = DateTime.fromJSDate(at, { zone });
  for (let days = 0; ; days += 1) {
    const { year, month, day } = DateTime.utc(local.year, local.month, local.day).plus({ days });
    const later = moments({ year, month, day }, clock).filter((moment) => moment > at.getTime());
    if (later.length > 0) return new Date(Math.min(...later));
  }
}

export function isQuiet({ fromMinute, untilMinute, zone }: QuietHours, at: Date): boolean {
  const { hour, minute } = DateTime.fromJSDate(at, { zone });
  const now = hour * 60 + minute;
  return fromMinute < untilMinute
    ? now >= fromMinute && now < untilMinute
    : now >= fromMinute || now < untilMinute;
}

/** A time in words: `18:00 on Mon 2 Mar, Europe/Berlin`. */
export function localTime(at: Date, zone: string): string {
  const local = DateTime.fromJSDate(at, { zone }).setLocale('en-GB');
  return `${local.toFormat('HH:mm')} on ${local.toFormat('ccc d LLL')}, ${zone}`;
}

interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

type LocalTime = Pick<Handover, 'hour' | 'minute' | 'zone'>;

/** A local time that a clock shows twice is the first of both. */
const earliest = (day: Day, time: LocalTime): Date => new Date(Math.min(...moments(day, time)));

/** The times at which a clock shows a local time, in milliseconds. One that it skips is as much later. */
const moments = (day: Day, { hour, minute, zone }: LocalTime): number[] =>
  DateTime.fromObject({ ...day, hour, minute }, { zone })
    .getPossibleOffsets()
    .map((moment) => moment.toMillis());

function memberOf(members: readonly string[], turn: number): string {
  const member = members[((turn % members.length) + members.length) % members.length];
  if (member === undefined) throw new Error('a rota has no members');
  return member;
}
