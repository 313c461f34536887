import { isIPv6 } from 'node:net';

/** Of the eight groups of an IPv6 address, those that name a network; the rest its user may choose at will. */
const NETWORK_GROUPS = 4;

/** Where a call comes from, as far as it cannot be chosen: an IPv4 address, or the /64 of an IPv6 address. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [left = '', right = ''] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const groups = left.split(':').filter((group) => group !== '');
  if (address.includes('::')) {
    const tail = right.split(':').filter((group) => group !== '');
    while (groups.length + tail.length < 8) groups.push('0');
    groups.push(...tail);
  }
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}
