import { error, seen, type Check } from '../check';

/** The oldest PostgreSQL that is supported. */
const OLDEST_VERSION = 14;

const FACTS = {
  name: 'doctor-database',
  text: `
  select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
    pg_is_in_recovery() as standby, current_setting('max_connections')::int as connections`,
};

interface Facts {
  readonly version: string;
  readonly major: number;
  readonly standby: boolean;
  readonly connections: number;
}

/** Checks that the database is reachable, new enough, and accepts writes. */
export const databaseCheck: Check = {
  name: 'database',
  async examine({ reached, config }) {
    if (reached.database === null) return seen('away', error(reached.reason, reached.fix));
    const [facts] = await reached.database.query<Facts & Record<string, unknown>>(FACTS, []);
    if (!facts) throw new Error('the database told nothing about itself');
    const note = `PostgreSQL ${facts.version} at ${reached.address}`;
    if (facts.standby) {
      return seen(
        note,
        error('this PostgreSQL is a standby: it takes no writes', 'point DATABASE_URL at the primary'),
      );
    }
    if (facts.major < OLDEST_VERSION) {
      const message = `PostgreSQL ${facts.version} is older than ${OLDEST_VERSION}`;
      return seen(note, error(message, `upgrade it to ${OLDEST_VERSION} or later`));
    }
    if (config.database.poolSize >= facts.connections) {
      const message = `one replica may open ${config.database.poolSize} connections, and the server allows ${facts.connections} in all`;
      return seen(note, error(message, 'lower DATABASE_POOL_SIZE, or raise max_connections'));
    }
    return seen(note);
  },
};
