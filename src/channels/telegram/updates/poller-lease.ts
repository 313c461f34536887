/** The lease of the replica that polls; in its own file, so that its importers do not load Telegraf. */
export const POLLER_LEASE = 'telegram-poller';
