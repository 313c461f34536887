/** Memory that PostgreSQL's processes share; the working set of pending approvals is far smaller. */
const SHARED_BUFFERS = '64MB';
/** Enough for the pools of several replicas, the command line and the migrations. */
const MAX_CONNECTIONS = 100;

/**
 * Method of syncing the thousand files of a cluster to disk: one call for the file system where there is one. Measured
 * on a busy disk: 0.1 s, against 2 s and more for one file after the other.
 */
export const SYNC_METHOD = process.platform === 'linux' ? 'syncfs' : 'fsync';

/** Server settings, given on its command line so that old clusters follow new versions of Countersign. */
export function serverSettings(port: number): string[] {
  const settings: Record<string, string | number> = {
    port,
    // Loopback TCP only: a socket file's path may not exceed about a hundred characters, a DATA_DIR's may.
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,

    // An acknowledged approval survives a power cut.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    recovery_init_sync_method: SYNC_METHOD,

    shared_buffers: SHARED_BUFFERS,
    max_wal_size: '256MB',
    // Our statements are short: JIT and parallel plans cost more than they save, and idle helpers cost memory.
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    io_method: 'sync',
    max_logical_replication_workers: 0,

    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    log_checkpoints: 'off',
    log_min_messages: 'error',
    // A failing statement and its error details contain the agents' input, which must never reach a log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Allows roles with a password to connect from this machine. The superuser has none, so it cannot connect. */
export const HOST_BASED_AUTHENTICATION = 'host all all 127.0.0.1/32 scram-sha-256\n';
