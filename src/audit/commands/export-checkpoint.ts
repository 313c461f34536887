import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AuditCheckpoints } from '../audit-checkpoints';

/** Exports a checkpoint now; answers with the newest one, or null while nothing is sealed. */
export class ExportCheckpointCommand extends Command<string | null> {}

@CommandHandler(ExportCheckpointCommand)
export class ExportCheckpointHandler implements ICommandHandler<ExportCheckpointCommand> {
  constructor(private readonly checkpoints: AuditCheckpoints) {}

  execute(): Promise<string | null> {
    return this.checkpoints.export();
  }
}
