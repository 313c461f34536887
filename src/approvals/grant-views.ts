import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { ACTOR_KINDS } from '../kernel/actor';
import { nullableText } from '../kernel/nullable-text';
import type { Grant } from '../policy/grants/grant-store';
import { shownDigest } from './approval-inputs';

/** The longest grant; source: policy.md, "Grants". */
export const MAX_GRANT_SECONDS = 8 * 3600;
export const DEFAULT_GRANT_SECONDS = 3600;
export const MAX_GRANT_USES = 1_000;

const instant = z.iso.datetime();
const actor = z.strictObject({ kind: z.enum(ACTOR_KINDS), id: z.string(), name: z.string() });

export class GrantBodyDto extends createZodDto(
  z.strictObject({
    approvalId: z.guid('must be a UUID'),
    offer: z.string().regex(/^[0-9a-f]{12}$/, 'must be the id of one of the grant-offers'),
    seconds: z
      .int('must be a whole number of seconds')
      .min(1, 'must be at least 1')
      .max(MAX_GRANT_SECONDS, `must be at most ${MAX_GRANT_SECONDS}, 8 hours`)
      .default(DEFAULT_GRANT_SECONDS),
    uses: z
      .int('must be a whole number of uses')
      .min(1, 'must be at least 1')
      .max(MAX_GRANT_USES, `must be at most ${MAX_GRANT_USES}`)
      .nullish()
      .meta({ description: 'Default: as many as there is time for.' }),
    displayDigest: shownDigest,
    place: z.enum(['session', 'cwd']).default('session').meta({
      description: 'The session of the request, or every session of its key in its directory (`cwd`)',
    }),
  }),
) {}

export class GrantOffersView extends createZodDto(
  z.strictObject({
    offers: z.array(
      z.strictObject({
        id: z.string(),
        scope: z.string().describe('The scope in words'),
        covered: z
          .int()
          .describe('Requests of this key that it would have covered: of its last 500, at most 7 days old'),
      }),
    ),
  }),
) {}

export class MadeGrantView extends createZodDto(
  z.strictObject({
    id: z.guid(),
    scope: z.string(),
    expiresAt: instant,
    usesLeft: z.int().nullable(),
    by: actor,
  }),
) {}

const grantViewSchema = z.strictObject({
  id: z.guid(),
  scope: z.string(),
  key: z.string(),
  sessionId: nullableText('The session to which it is bound; null: the directory.'),
  cwd: nullableText('The directory to which it is bound; null: the session.'),
  toolName: z.string(),
  by: actor,
  madeAt: instant,
  expiresAt: instant,
  uses: z.int(),
  usesLeft: z.int().nullable(),
});

export class GrantListView extends createZodDto(z.strictObject({ items: z.array(grantViewSchema) })) {}

export function grantViewOf(grant: Grant): z.infer<typeof grantViewSchema> {
  return {
    id: grant.id,
    scope: grant.words,
    key: grant.keyId,
    sessionId: grant.sessionId,
    cwd: grant.cwd,
    toolName: grant.tool,
    by: grant.by,
    madeAt: grant.madeAt.toISOString(),
    expiresAt: grant.expiresAt.toISOString(),
    uses: grant.uses,
    usesLeft: grant.maxUses === null ? null : grant.maxUses - grant.uses,
  };
}
