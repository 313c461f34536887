import { Api } from './api';
import { createTestDatabase, type TestDatabase } from './database';
import { cleanUp, Service, startSandboxProcess, temporaryDirectory, type Program } from './processes';
import { SandboxClient } from './sandbox-client';
import { telegramEnvironment } from './well-known';

/** A service and a sandbox, each a process of its own, on a PostgreSQL database of the test's own. */
export interface Stage {
  readonly database: TestDatabase;
  readonly sandboxProgram: Program;
  readonly chat: SandboxClient;
  /** The environment of a second service on this stage. */
  readonly environment: Readonly<Record<string, string>>;
  readonly service: Service;
  readonly api: Api;
}

export interface Backdrop {
  readonly database: TestDatabase;
  readonly sandboxProgram: Program;
  readonly chat: SandboxClient;
  /** The environment of a service on this stage. */
  readonly environment: Readonly<Record<string, string>>;
}

const databases: TestDatabase[] = [];

/** Ends and removes all that the test file has set up, also when its set-up failed half-way. */
export async function strike(): Promise<void> {
  await cleanUp();
  await Promise.all(databases.splice(0).map((database) => database.drop()));
}

/** Everything but the service. */
export async function setBackdrop(): Promise<Backdrop> {
  const database = await createTestDatabase({ migrated: false });
  databases.push(database);
  const { program, url } = await startSandboxProcess();
  const chat = new SandboxClient(url);
  await chat.liftLimits();
  const environment = {
    ...telegramEnvironment(url),
    DATABASE_URL: database.url,
    DATA_DIR: temporaryDirectory(),
  };
  return { database, sandboxProgram: program, chat, environment };
}

export async function setStage(more: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const { environment, ...backdrop } = await setBackdrop();
  const service = await Service.start({ ...environment, ...more });
  return { ...backdrop, environment, service, api: new Api(service.url) };
}
