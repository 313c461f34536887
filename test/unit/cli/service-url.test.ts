import { serviceUrl } from '../../../src/cli/service-url';

it.each([
  ['127.0.0.1', 'http://127.0.0.1:3000'],
  ['10.0.0.7', 'http://10.0.0.7:3000'],
  ['localhost', 'http://localhost:3000'],
  ['0.0.0.0', 'http://127.0.0.1:3000'],
  ['::', 'http://[::1]:3000'],
  ['::1', 'http://[::1]:3000'],
])('a service that listens on %s is called at %s', (host, url) => {
  expect(serviceUrl({ host, port: 3000 })).toBe(url);
});
