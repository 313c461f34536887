import { createServer, type AddressInfo } from 'node:net';
import { NestApplication } from '@nestjs/core';
import { startTestApp } from '../support/app';
import { cleanUp, postmasterOf, temporaryDirectory } from '../support/processes';

const taken = createServer();
afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  taken.close();
  await cleanUp();
});

async function takenPort(): Promise<string> {
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
  return String((taken.address() as AddressInfo).port);
}

/** The modules stop, and then say that they could not. */
function stopsBadly(): void {
  const close = Reflect.get(NestApplication.prototype, 'close');
  jest.spyOn(NestApplication.prototype, 'close').mockImplementationOnce(async function (
    this: NestApplication,
  ) {
    await close.call(this);
    throw new Error('a module did not stop');
  });
}

describe('a service whose modules do not stop as they should', () => {
  it('stops its embedded PostgreSQL all the same, and tells what went wrong', async () => {
    const dataDir = temporaryDirectory();
    const app = await startTestApp('', { DATA_DIR: dataDir });
    expect(postmasterOf(dataDir)).not.toBeNull();
    stopsBadly();
    await expect(app.close()).rejects.toThrow('a module did not stop');
    expect(postmasterOf(dataDir)).toBeNull();
  });

  it('says first why it could not start', async () => {
    const dataDir = temporaryDirectory();
    stopsBadly();
    await expect(startTestApp('', { DATA_DIR: dataDir, PORT: await takenPort() })).rejects.toThrow(
      'cannot listen on HOST',
    );
    expect(postmasterOf(dataDir)).toBeNull();
  });
});
