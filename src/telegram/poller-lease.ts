/** The lease of the replica that fetches updates; apart from the poller, so that who asks for it loads no Telegraf. */
export const POLLER_LEASE = 'telegram-poller';
