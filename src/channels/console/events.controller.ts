import { Controller, Get, Headers, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Caller } from '../../access/access.guard';
import type { Identity } from '../../access/identity';
import { OpenAnswers } from '../../access/open-answers';
import { Allow } from '../../http/allow';
import { readerOf } from '../../access/viewer-of';
import { openEventStream } from '../../http/event-stream';
import { Heartbeats } from '../../http/heartbeats';
import { UnreadAnswers } from '../../http/unread-answers';
import { InboxFeed, type Listener } from './inbox-feed';
import { InboxItemView } from './inbox-item';

/** A stream with more unread, beside the whole inbox, is cut off; the console reconnects with the id of its last event. */
const MAX_UNREAD_BYTES = 256 * 1024;

/** The events of the inbox, for consoles. */
@ApiTags('console')
@ApiBearerAuth()
@Controller('api/events')
@Allow('operator')
export class EventsController {
  constructor(
    private readonly feed: InboxFeed,
    private readonly open: OpenAnswers,
    private readonly heartbeats: Heartbeats,
    private readonly unread: UnreadAnswers,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'The pending requests and every change of them, as server-sent events',
    description:
      'First `inbox` with all `items` (at most 1000: of each key an equal part, those that end first), then `asked`, ' +
      '`changed` (claimed, snoozed, more time) and `settled`; `crowded-out` is a pending request that others have pushed out of the 1000, or that the policy does not show you any more. A stream that is not read is ' +
      'cut off. A reconnect with ' +
      '`Last-Event-ID` gets what it missed, or `inbox` again. A request that a rule answers was never pending, and is not here.',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false })
  @ApiExtraModels(InboxItemView)
  @ApiOkResponse({ content: { 'text/event-stream': { schema: { type: 'string' } } } })
  async follow(
    @Headers('last-event-id') lastId: string | undefined,
    @Caller() caller: Identity,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = await this.open.hold(reply, caller);
    const out = openEventStream(reply);
    let mostUnread = MAX_UNREAD_BYTES;
    const send: Listener = ({ event, data }, id) => {
      if (out.writableLength > mostUnread) out.destroy();
      if (out.destroyed) return;
      const piece = `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
      if (event === 'inbox') mostUnread += Buffer.byteLength(piece);
      this.unread.write(out, piece);
    };
    const stopListening = this.feed.listen(send, lastId ?? null, readerOf(caller));
    // The console learns that its session has ended by the end of the stream.
    const stopBeating = this.heartbeats.start(() => {
      out.write(': live\n\n');
      caller.standing.confirm().catch(() => out.end());
    });
    const end = () => {
      stopListening();
      stopBeating();
      out.end();
    };
    if (gone.aborted) end();
    else gone.addEventListener('abort', end, { once: true });
  }
}
