import { Module, type DynamicModule } from '@nestjs/common';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import type { Config } from '../../config/environment';
import { ActionController } from './action.controller';
import { Display } from '../../approvals/display';
import { ConsoleDisplay } from './console-display';
import { EventsController } from './events.controller';
import { FirstViews } from './first-views';
import { InboxFeed } from './inbox-feed';
import { OidcController } from './oidc.controller';
import { PageController } from './page.controller';
import { PasskeysController } from './passkeys.controller';
import { SessionController } from './session.controller';

/** The console in a browser: its page, its sessions, and the events and texts that it shows. */
@Module({})
export class ConsoleModule {
  /** Events and texts are part of the API, and always served. */
  static with({ console }: Config): DynamicModule {
    return {
      module: ConsoleModule,
      global: true,
      // The page takes every other address below /console, so it comes last.
      controllers: [
        ActionController,
        EventsController,
        ...(console ? [SessionController, PasskeysController, OidcController, PageController] : []),
      ],
      providers: [FinishedApprovals, FirstViews, InboxFeed, { provide: Display, useClass: ConsoleDisplay }],
      exports: [Display],
    };
  }
}
