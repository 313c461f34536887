#!/usr/bin/env node
/**
 * The soak: three replicas over one database, Telegram failing at random, a replica killed again and again, agents
 * that ask and wait, an operator who taps. Then the faults end, everything settles, and the books are checked.
 * Prints what it did and exits 1 when anything that must hold does not.
 *
 * SOAK_SECONDS (600), SOAK_FAULT_RATE (0.1), SOAK_KILL_EVERY_SECONDS (20), SOAK_AGENTS (6).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agents } from './agents.mjs';
import { Fleet } from './fleet.mjs';
import { Operator } from './operator.mjs';
import { violationsOf } from './verdict.mjs';

const number = (name, fallback) => Number(process.env[name] ?? fallback);
const seconds = number('SOAK_SECONDS', 600);
const faultRate = number('SOAK_FAULT_RATE', 0.1);
const killEverySeconds = number('SOAK_KILL_EVERY_SECONDS', 20);
const agentCount = number('SOAK_AGENTS', 6);
/** Everything that is open then: the longest retry, a dead poller's lease, the rest of an outbox. */
const DRAIN_SECONDS = 180;

const say = (line) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);

/** On schedule, however long a start takes. */
async function killAgainAndAgain(fleet, until) {
  let dueAt = Date.now();
  for (let turn = 0; (dueAt += killEverySeconds * 1000) < until; turn++) {
    await sleep(Math.max(0, dueAt - Date.now()));
    await fleet.killAndRestart(turn % fleet.replicas.length);
    say(`replica ${turn % fleet.replicas.length} was killed and is back`);
  }
}

async function main() {
  const fleet = await Fleet.start({ replicas: 3 });
  try {
    say(`three replicas serve; ${seconds} s with ${faultRate * 100} % faults begin`);
    const until = Date.now() + seconds * 1000;
    await fleet.failAtRandom(faultRate);
    const agents = new Agents(fleet, agentCount);
    const operator = new Operator(fleet);
    const asking = agents.run(until);
    const tapping = operator.run();
    await killAgainAndAgain(fleet, until);
    await sleep(Math.max(0, until - Date.now()));
    await fleet.endFaults();
    say('the faults are over; everything that is open settles');
    await asking;
    const left = await fleet.leftAfter(DRAIN_SECONDS, operator);
    operator.stop();
    await tapping;
    await fleet.stop();

    const { violations, counts } = await violationsOf(fleet, agents);
    violations.unshift(...left.map((what) => `not settled within ${DRAIN_SECONDS} s: ${what}`));
    console.log(
      JSON.stringify({ seconds, faultRate, kills: fleet.kills, taps: operator.taps, ...counts }, null, 2),
    );
    for (const violation of violations.slice(0, 50)) console.log(`VIOLATION  ${violation}`);
    console.log(
      violations.length === 0 ? 'soak: everything held' : `soak: ${violations.length} violation(s)`,
    );
    return violations.length === 0 ? 0 : 1;
  } finally {
    await fleet.destroy();
  }
}

process.exitCode = await main();
