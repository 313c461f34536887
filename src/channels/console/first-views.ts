import { Injectable } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { ApprovalViewed } from '../../approvals/approval-events';
import type { Approval } from '../../approvals/approval';
import { Clock } from '../../kernel/clock';

/** Requests that are remembered as seen; the oldest is forgotten first, and is rarely pending any more. */
const MOST_REMEMBERED = 10_000;

/** Reports the first view of each pending request on this replica. For a metric, so memory is enough. */
@Injectable()
export class FirstViews {
  private readonly seen = new Set<string>();

  constructor(
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  view({ id, status, createdAt }: Approval): void {
    if (status !== 'pending' || this.seen.has(id)) return;
    this.seen.add(id);
    const [oldest] = this.seen;
    if (this.seen.size > MOST_REMEMBERED && oldest !== undefined) this.seen.delete(oldest);
    const seconds = Math.max(0, (this.clock.now().getTime() - createdAt.getTime()) / 1000);
    this.events.publish(new ApprovalViewed(id, seconds));
  }
}
