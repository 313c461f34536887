import { SetMetadata } from '@nestjs/common';
import type { Role } from './role';

/** `scraper`: anyone, where metrics are public: with a loopback `HOST`, or with `METRICS_PUBLIC`. */
export type Audience = Role | 'anyone' | 'scraper';

/** Key of the metadata that {@link Allow} sets. */
export const AUDIENCE = 'countersign:audience';

/** Callers that may use the route; the guard of `access` refuses everybody on a route without this decorator. */
export const Allow = (...audience: Audience[]) => SetMetadata(AUDIENCE, audience);
