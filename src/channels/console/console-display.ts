import { Injectable } from '@nestjs/common';
import type { Approval } from '../../approvals/approval';
import { Display } from '../../approvals/display';
import { makeDisplayDigest } from '../../cards/display-digest';
import { runInTurns } from '../../kernel/run-in-turns';
import { showAction } from './action-view';

/** The text of `GET /api/approvals/:id/display`. It depends only on the request, which never changes. */
@Injectable()
export class ConsoleDisplay extends Display {
  async digestOf(approval: Approval): Promise<string> {
    const { display } = await showAction(approval);
    return runInTurns(makeDisplayDigest(display));
  }
}
