import { alertRules } from '../../support/deployment-files';
import { durationMs, HURRY, hurriedRules } from '../../support/hurried-alerts';

const hurried = hurriedRules().groups.flatMap(({ rules }) => rules);

/** Words and numbers by turns, the words first. */
const parts = (expr: string): string[] => expr.split(/(\d+(?:\.\d+)?(?:ms|[smhd])?)/);

/** The tested rules are the shipped ones with shorter times. */
it.each(alertRules())('$alert is the shipped one, only sooner', (shipped) => {
  const rule = hurried.find(({ alert }) => alert === shipped.alert);
  if (!rule) throw new Error('it is missing');
  expect({ ...rule, expr: '', for: '' }).toEqual({ ...shipped, expr: '', for: '' });
  expect(durationMs(rule.for ?? '0s') * HURRY).toBe(durationMs(shipped.for ?? '0s'));
  const [before, after] = [parts(shipped.expr), parts(rule.expr)];
  expect(after).toHaveLength(before.length);
  before.forEach((part, at) => {
    const now = after[at] ?? '';
    if (/^\d.*[a-z]$/.test(part)) expect(durationMs(now) * HURRY).toBe(durationMs(part));
    // A bare number is a time where the metric that it is compared with counts seconds.
    else if (/_seconds\) > $/.test(before[at - 1] ?? '')) expect(Number(now) * HURRY).toBe(Number(part));
    else expect(now).toBe(part);
  });
});
