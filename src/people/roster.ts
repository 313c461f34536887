import { isQuiet, nextTime, readQuietHours } from './rota';

/** One person as the policy document names them. */
export interface Member {
  readonly telegram?: number | undefined;
  readonly groups?: readonly string[] | undefined;
  /** Local hours without direct messages, as the document writes them. */
  readonly quiet?: string | undefined;
}

/** The people of one policy version, found by what authenticates them. */
export class Roster {
  private readonly byTelegram: ReadonlyMap<number, string>;

  constructor(private readonly members: Readonly<Record<string, Member>>) {
    this.byTelegram = new Map(
      Object.entries(members).flatMap(([name, { telegram }]) =>
        telegram === undefined ? [] : [[telegram, name] as const],
      ),
    );
  }

  get size(): number {
    return Object.keys(this.members).length;
  }

  /** Name of the person with this Telegram id; null: the policy names nobody with it. */
  ofTelegram(id: number): string | null {
    return this.byTelegram.get(id) ?? null;
  }

  /** Telegram id of the person; null: none, or nobody has this name. */
  telegramOf(name: string): number | null {
    return this.has(name) ? (this.members[name]?.telegram ?? null) : null;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.members, name);
  }

  /** Names of the people who have this name, or are in a group with it. */
  named(name: string): readonly string[] {
    return Object.entries(this.members).flatMap(([person, { groups = [] }]) =>
      person === name || groups.includes(name) ? [person] : [],
    );
  }

  /** Names of the people whose quiet hours it is, each with the end of these. */
  quietAt(at: Date): ReadonlyMap<string, Date> {
    return new Map(
      Object.entries(this.members).flatMap(([person, { quiet }]) => {
        const hours = quiet === undefined ? null : readQuietHours(quiet);
        if (hours === null || !isQuiet(hours, at)) return [];
        return [[person, nextTime(hours.untilMinute, hours.zone, at)] as const];
      }),
    );
  }

  /** Name of the person who owns a key, compared without case and surrounding space; null: nobody. */
  ofOwner(owner: string | null): string | null {
    const name = owner?.trim().toLowerCase() ?? '';
    return Object.hasOwn(this.members, name) ? name : null;
  }

  /** Groups of the person who owns a key; empty: nobody. */
  groupsOf(owner: string | null): readonly string[] {
    const name = this.ofOwner(owner);
    return (name !== null && this.members[name]?.groups) || [];
  }
}
