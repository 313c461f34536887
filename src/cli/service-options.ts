import { Option, type Command } from 'commander';
import { CountersignClient } from '../agent-side/client';
import type { ServiceDoor } from '../agent-side/client/service-call';
import { serviceUrl } from './service-url';

/** URL from `HOST` and `PORT`, with the service's own defaults; an empty variable counts as unset, as there. */
export const serviceHere = ({ HOST, PORT }: NodeJS.ProcessEnv): string =>
  serviceUrl({ host: HOST || '127.0.0.1', port: PORT || '3000' });

export interface ServiceOptions {
  readonly url: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** Adds the options of every command that calls the service. */
export function withServiceOptions(command: Command, json = 'print the result as JSON'): Command {
  return command
    .addOption(
      new Option('--url <url>', 'where the service is; else HOST and PORT say')
        .env('COUNTERSIGN_URL')
        .default(serviceHere(process.env)),
    )
    .addOption(new Option('--key <key>', 'API key; better from the environment').env('COUNTERSIGN_KEY'))
    .option('--json', json);
}

/** Has no `cause`: the service's error would only repeat the message. */
export const unknownKey = (): Error => new Error('the service does not know this API key');

/** @throws Error if the key is missing or the URL is not valid. */
export function clientFor(options: ServiceOptions): CountersignClient {
  return new CountersignClient(doorOf(options));
}

/** @throws Error if the key is missing or the URL is not valid. */
export function doorOf({ url, key }: ServiceOptions): ServiceDoor {
  if (key === undefined || key === '') {
    throw new Error(
      'no API key: set COUNTERSIGN_KEY, or give --key. A service that made its own has it in DATA_DIR/keys.json',
    );
  }
  // HTTP cannot carry a key with such characters, and the error of fetch would quote the key.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('the API key has characters that no key has');
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new Error(`--url ${url}: must be an http or https URL`);
  return { url: url.replace(/\/+$/, ''), key };
}
