import { Injectable } from '@nestjs/common';

/** Whether this replica is about to leave. It serves on meanwhile, so that whoever sends it traffic can notice. */
@Injectable()
export class Departure {
  private begun = false;

  /** From now on the replica is not ready. */
  announce(): void {
    this.begun = true;
  }

  get announced(): boolean {
    return this.begun;
  }
}
