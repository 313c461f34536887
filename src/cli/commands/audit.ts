import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { checkpointLines } from '../../audit/audit-checkpoint';
import { checkpointSchema } from '../../audit/audit-views';
import { verifyChain } from '../../audit/verify-chain';
import { callService } from '../../agent-side/client/service-call';
import { exportLog } from '../audit/export-log';
import { exportedLog, serviceLog } from '../audit/log-source';
import { readKeys } from '../key-set-file';
import { Findings, progress, show } from '../output';
import { doorOf, withServiceOptions, type ServiceOptions } from '../service-options';

interface VerifyOptions extends ServiceOptions {
  readonly file?: string;
  readonly checkpoints?: string;
  readonly jwks?: string;
}

/** `countersign audit`: verifies and exports the audit log, for auditors. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('The audit log: verify, export, checkpoint')
    .addCommand(
      withServiceOptions(
        new Command('verify').description('Read the whole log and say whether it is as it was sealed'),
      )
        .option('--file <export>', 'verify this export, without the service')
        .option('--checkpoints <file>', 'a copy of the checkpoints that was kept elsewhere')
        .option('--jwks <file>', 'the public keys, kept elsewhere; else those that come with the log')
        .action(verify),
    )
    .addCommand(
      withServiceOptions(
        new Command('export').description('Write the log into a new file that verifies without the service'),
      )
        .argument('<file>', 'where to')
        .action(writeExport),
    )
    .addCommand(
      withServiceOptions(new Command('checkpoint').description('Export a signed checkpoint now')).action(
        exportCheckpoint,
      ),
    );
}

async function verify(options: VerifyOptions): Promise<void> {
  const source =
    options.file === undefined ? await serviceLog(doorOf(options)) : await exportedLog(options.file);
  const kept = options.checkpoints === undefined ? [] : keptCheckpoints(options.checkpoints);
  const log = {
    batches: source.batches,
    checkpoints: [...new Set([...source.checkpoints, ...kept])],
    keys: options.jwks === undefined ? source.keys : readKeys(options.jwks),
  };
  const verdict = await verifyChain(log, progress('verified'));
  const { rows: sealedRows, checkpoints, uncovered, firstBad } = verdict;
  const unsealed = source.unsealed();
  const ok = firstBad === null;
  const lines = ok
    ? [
        `The audit log holds: ${sealedRows} rows under seal, ${checkpoints} checkpoints fit.`,
        ...(unsealed > 0 ? [`${unsealed} rows have no seal yet.`] : []),
        ...(checkpoints === 0
          ? ['Without a checkpoint, a log that was rewritten as a whole would hold too.']
          : []),
        ...(checkpoints > 0 && uncovered > 0
          ? [`${uncovered} rows follow the last checkpoint: rewritten as a whole, they would hold too.`]
          : []),
      ]
    : [`The audit log does NOT hold. First bad row: seq ${firstBad.seq}: ${firstBad.reason}`];
  show({ ok, ...verdict, rows: sealedRows + unsealed, unsealed }, lines, options);
  if (!ok) throw new Findings();
}

/** @throws Error if the file has none: the log would pass without the comparison that the caller wants. */
function keptCheckpoints(path: string): string[] {
  const checkpoints = checkpointLines(readFileSync(path, 'utf8'));
  if (checkpoints.length === 0) {
    throw new Error(
      `${path} holds no checkpoint: give a copy of the checkpoint file, or what audit checkpoint --json wrote`,
    );
  }
  return checkpoints;
}

async function writeExport(file: string, options: ServiceOptions): Promise<void> {
  const door = doorOf(options);
  // A new checkpoint, so that the export ends with one that covers all of it.
  await callService(door, { method: 'POST', path: '/api/audit/checkpoints' }, checkpointSchema);
  const rows = await exportLog(await serviceLog(door), file, progress('exported'));
  show({ file, rows }, [`Wrote ${rows} rows to ${file}.`], options);
}

async function exportCheckpoint(options: ServiceOptions): Promise<void> {
  const answer = await callService(
    doorOf(options),
    { method: 'POST', path: '/api/audit/checkpoints' },
    checkpointSchema,
  );
  show(answer, [answer.checkpoint ?? 'Nothing is sealed yet.'], options);
}
