import { platformDataDirectory } from '../../../src/config/data-directory';

describe('the data directory of an installed package', () => {
  it.each([
    ['linux', {}, '/home/olivia', '/home/olivia/.local/share/countersign'],
    ['linux', { XDG_DATA_HOME: '/srv/data' }, '/home/olivia', '/srv/data/countersign'],
    ['linux', { XDG_DATA_HOME: 'relative' }, '/home/olivia', '/home/olivia/.local/share/countersign'],
    ['linux', { XDG_DATA_HOME: '' }, '/root', '/root/.local/share/countersign'],
    ['freebsd', {}, '/home/olivia', '/home/olivia/.local/share/countersign'],
    ['darwin', {}, '/Users/olivia', '/Users/olivia/Library/Application Support/countersign'],
    [
      'win32',
      { LOCALAPPDATA: 'C:\\Users\\Olivia\\AppData\\Local' },
      'C:\\Users\\Olivia',
      'C:\\Users\\Olivia\\AppData\\Local\\countersign\\Data',
    ],
    ['win32', {}, 'C:\\Users\\Olivia', 'C:\\Users\\Olivia\\AppData\\Local\\countersign\\Data'],
  ])('is on %s with %j in %s %s', (platform, env, home, directory) => {
    expect(platformDataDirectory(platform, env, home)).toBe(directory);
  });
});
