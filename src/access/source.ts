import { isIPv6 } from 'node:net';

/** Groups of an IPv6 address that name a network; its user can choose the other four. */
const NETWORK_GROUPS = 4;

/** The part of a caller's address that it cannot choose: an IPv4 address, or the /64 of an IPv6 address. */
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
