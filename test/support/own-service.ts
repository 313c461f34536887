import { Api } from './api';
import { createTestDatabase, type TestDatabase } from './database';
import { openTestApp, type OpenApp } from './open-app';

export interface OwnService {
  readonly database: TestDatabase;
  readonly app: OpenApp;
  readonly api: Api;
}

/** A service on a database of its own, from the first test of a file or of a `describe` to its last. */
export function ownService(more: Record<string, string> = {}): OwnService {
  let database: TestDatabase;
  let app: OpenApp;
  let api: Api;
  beforeAll(async () => {
    database = await createTestDatabase();
    app = await openTestApp(database.url, more);
    api = new Api(app.url);
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });
  return {
    get database() {
      return database;
    },
    get app() {
      return app;
    },
    get api() {
      return api;
    },
  };
}
