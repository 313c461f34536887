import { Injectable } from '@nestjs/common';

/** Records that this replica is about to stop. It still serves requests meanwhile, so that load balancers can react. */
@Injectable()
export class Departure {
  private begun = false;

  /** Makes the replica not ready from now on. */
  announce(): void {
    this.begun = true;
  }

  get announced(): boolean {
    return this.begun;
  }
}
