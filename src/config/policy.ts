import { z } from 'zod';
import { integer, section, setting, type ValuesOf } from './setting';

export const POLICY = section('Policy', {
  POLICY_FILE: setting(
    'A policy document that is applied at the start, unless its version was active before. While it is set, other changes ' +
      'need `--override`. A document with errors stops the start',
    z.string().optional(),
    { unset: 'the policy is applied over the API or with `countersign policy apply`' },
  ),
  DIGEST_INTERVAL_MINUTES: integer(
    'Interval of the message that counts what rules and people decided; 0: none. `/today` in the chat shows the same for ' +
      'the day',
    0,
    1440,
    60,
  ),
});

export const policySettingsOf = (env: ValuesOf<typeof POLICY>) => ({
  policy: { file: env.POLICY_FILE ?? null },
  digest: { intervalMinutes: env.DIGEST_INTERVAL_MINUTES },
});
