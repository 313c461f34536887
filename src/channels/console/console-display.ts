import { Injectable } from '@nestjs/common';
import type { Approval } from '../../approvals/approval';
import { Display } from '../../approvals/display';
import { displayDigest } from '../../cards/display-digest';
import { showAction } from './action-view';

/** The text of `GET /api/approvals/:id/display`. It depends only on the request, which never changes. */
@Injectable()
export class ConsoleDisplay extends Display {
  async digestOf(approval: Approval): Promise<string> {
    return displayDigest((await showAction(approval)).display);
  }
}
