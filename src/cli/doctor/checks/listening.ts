import { findListeningRoute } from '../../../database/listening-route';
import { error, seen, skipped, warning, type Check } from '../check';

/** Checks that decisions on other replicas are heard at once: LISTEN needs a connection without a pooler. */
export const listeningCheck: Check = {
  name: 'listening',
  async examine({ config: { database }, reached }) {
    const { url, listenUrl } = database;
    if (reached.database === null) return skipped('needs the database');
    if (url === null) return seen('on the embedded database');
    const note = listenUrl === null ? 'on DATABASE_URL' : 'on DATABASE_LISTEN_URL';
    switch (await findListeningRoute(listenUrl ?? url, url)) {
      case 'direct':
        return seen(note);
      case 'elsewhere': {
        const message = 'DATABASE_LISTEN_URL leads to another database than DATABASE_URL';
        return seen(note, error(message, 'let it name the server behind the pooler, and the same database'));
      }
      case 'pooled': {
        const message =
          'a pooler stands before PostgreSQL: a decision on another replica is heard within 5 s';
        return seen(note, warning(message, 'set DATABASE_LISTEN_URL to PostgreSQL itself'));
      }
    }
  },
};
