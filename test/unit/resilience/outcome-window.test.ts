import fc from 'fast-check';
import { OutcomeWindow } from '../../../src/resilience/outcome-window';

describe('OutcomeWindow', () => {
  it('is empty at first, with a rate of 0', () => {
    const window = new OutcomeWindow(30_000);
    expect([window.calls, window.failureRate]).toEqual([0, 0]);
  });

  it('keeps an outcome for 29.9 s at least and forgets it after 30 s at most', () => {
    const window = new OutcomeWindow(30_000);
    window.record(true, 1099);
    window.slideTo(30_999);
    expect(window.calls).toBe(1);
    window.slideTo(31_099);
    expect(window.calls).toBe(0);
  });

  it('forgets everything after a pause of many windows', () => {
    const window = new OutcomeWindow(30_000);
    for (let second = 0; second < 30; second++) window.record(true, second * 1000);
    expect(window.calls).toBe(30);
    window.slideTo(10 * 30_000);
    expect(window.calls).toBe(0);
  });

  it('starts anew after clear, in every part of it', () => {
    const window = new OutcomeWindow(30_000);
    for (let ms = 0; ms < 30_000; ms += 100) window.record(true, ms);
    window.clear();
    expect([window.calls, window.failureRate]).toEqual([0, 0]);
    window.record(false, 30_000);
    window.slideTo(59_000);
    expect([window.calls, window.failureRate]).toEqual([1, 0]);
  });

  it('agrees with a list of all outcomes, whatever the pauses', () => {
    const outcomes = fc.array(
      fc.record({ failed: fc.boolean(), pauseMs: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 70_000 })) }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(outcomes, fc.nat({ max: 10 ** 9 }), (history, startMs) => {
        const window = new OutcomeWindow(30_000);
        const kept: { slot: number; failed: boolean }[] = [];
        let nowMs = startMs;
        for (const { failed, pauseMs } of history) {
          nowMs += pauseMs;
          window.record(failed, nowMs);
          kept.push({ slot: Math.floor(nowMs / 100), failed });
          const recent = kept.filter(({ slot }) => slot > Math.floor(nowMs / 100) - 300);
          expect(window.calls).toBe(recent.length);
          expect(window.failureRate).toBe(recent.filter((outcome) => outcome.failed).length / recent.length);
        }
      }),
    );
  });
});
