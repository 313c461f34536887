import { Option, type Command } from 'commander';
import { CountersignClient } from '../connectors/client';
import type { ServiceDoor } from '../connectors/client/service-call';

const DEFAULT_URL = 'http://127.0.0.1:3000';

export interface ServiceOptions {
  readonly url: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** Adds the address, for what needs no key. */
export function withUrlOption(command: Command): Command {
  return command.addOption(
    new Option('--url <url>', 'where the service is').env('COUNTERSIGN_URL').default(DEFAULT_URL),
  );
}

/** Adds the options of every command that calls the service. */
export function withServiceOptions(command: Command, json = 'print the result as JSON'): Command {
  return withUrlOption(command)
    .addOption(new Option('--key <key>', 'API key; better from the environment').env('COUNTERSIGN_KEY'))
    .option('--json', json);
}

/** @throws Error when there is no key, or the URL is none. */
export function clientFor(options: ServiceOptions): CountersignClient {
  return new CountersignClient(doorOf(options));
}

/** @throws Error when there is no key, or the URL is none. */
export function doorOf({ url, key }: ServiceOptions): ServiceDoor {
  if (key === undefined || key === '') {
    throw new Error(
      'no API key: set COUNTERSIGN_KEY, or give --key. A service that made its own has it in DATA_DIR/keys.json',
    );
  }
  // A key with such characters cannot be sent, and fetch would quote it in its complaint.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('the API key has characters that no key has');
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new Error(`--url ${url}: must be an http or https URL`);
  return { url: url.replace(/\/+$/, ''), key };
}
