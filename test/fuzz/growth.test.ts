import * as fc from 'fast-check';
import { approvalLines, listLines } from '../../src/cli/approvals/approval-text';
import type { Approval as ApprovalOnWire } from '../../src/agent-side/client/approval-wire';
import { prepareCard, renderCard, renderOutcome } from '../unit/cards/telegram-cards';
import { makeReadingText } from '../../src/cards/action-document';
import { actionParts } from '../../src/cards/action-parts';
import { actionPieces, piecesNeeded } from '../../src/cards/action-pieces';
import { makeDisplayDigest } from '../../src/cards/display-digest';
import { viewAction } from '../../src/channels/console/action-view';
import { renderPending } from '../../src/cards/operator-text';
import { makeVisible } from '../../src/cards/visible-text/visible-text';
import { LookAlikeSearch } from '../../src/cards/look-alikes/look-alikes';
import { inputDigest } from '../../src/kernel/canonical-json';
import type { Steps } from '../../src/kernel/steps';
import { makeJson } from '../../src/kernel/json-steps';
import { parseStrictJson } from '../../src/kernel/strict-json';
import { TOOL_SHAPES } from '../../src/agents/adapters';
import type { JsonObject } from '../../src/kernel/json';
import { readPolicy } from '../../src/policy/document/read-policy';
import { compilePolicy } from '../../src/policy/evaluation/compile-policy';
import { evaluate } from '../../src/policy/evaluation/evaluate';
import { findOffers } from '../../src/policy/grants/offers';
import { commandMatcherSchema } from '../../src/policy/shell/command-matcher';
import { parseCommand } from '../../src/policy/shell/parse-command';
import { prove } from '../../src/policy/shell/prove';
import { createRedactor } from '../../src/logging/redact';
import { ALICE, anApproval, settled } from '../unit/cards/approval-samples';
import { hostilePieces } from '../unit/cards/hostile-text';
import { documentOf, mentionIn, requestOf } from '../support/policy-scene';

/** Texts that are long in one way only; each over and over is somebody's worst case. */
const PIECES = [
  ...['\u0315\u0300', 'a\u0301', '\u0e49', 'ก\u0e49', 'क्', 'कि', '\u20dd', '\ufe0f', '\u064e', 'ש\u05b8'],
  ...['\u{1f1e6}', '👨‍👩‍👧', '\u200d', '\u1100\u1161\u11a8', '각', '漢', 'ノ', ' ノ', '\u202e', 'ש', '\u{e0041}'],
  ...['\n', 'a\n', '\r\n', '\t', ' ', `${' '.repeat(40)}a`, ' \n', 'x', 'x ', 'echo x; '],
  ...[
    '[',
    '(',
    '{',
    '"',
    "'",
    '`',
    '\\',
    '\\\\u{',
    '\\u{',
    '$(а',
    '"$(а "',
    '`а',
    '<<A а\n',
    '<<A\n',
    '#а\n',
  ],
  ...['<', '&', '<b>', '@all ', 'https://x/ '],
  ...['а', 'а ', ' \u0430', 'привет ', 'pаy ', 'ｒ', ' ср x', '\u00a0а/', 'd\u043e.', '\u{1d42b}'],
  ...['‘', ' ‘a', ' \u00b4', ' \u2018a', ' –a', '──', 'a │', 'a ›', 'a ‹ ', '﹘'],
  ...['\u0301\u0316', '.', ':', '/', '../', ' .', '~', '%41', '@', '1', '*', '-'],
  ...['sk-', 'eyJaaaaa.', 'eyJaaaaa.aaaaa', '://a:', 'Bearer ', 'token=', 'password":"', '-----BEGIN '],
];

const UNITS = 4 * 1024;
const FACTOR = 4;
/** Linear work takes about 4 times as long, work that grows with the square 16 times; measured beside others. */
const MOST_GROWTH = 9;
/** Below this a clock's tick and the collector are most of what is measured. */
const SHORTEST_MS = 1;
/** A collector or a compiler beside the work is in one attempt and not in all; work that grows too fast is in all. */
const ATTEMPTS = 12;

function text(pieces: readonly string[], units: number): string {
  const piece = pieces.join('');
  return piece
    .repeat(Math.ceil(units / piece.length))
    .slice(0, units)
    .toWellFormed();
}

/** The CPU's time and not the clock's: others use the machine, too. */
function cpuMs(work: () => void): number {
  const { user, system } = process.cpuUsage();
  work();
  const used = process.cpuUsage({ user, system });
  return (used.user + used.system) / 1000;
}

/** The growth in time with `FACTOR` times the input: of the shortest times of several attempts. */
function growth(workOn: (units: number) => () => void): number {
  const once = workOn(UNITS);
  const more = workOn(FACTOR * UNITS);
  once();
  let short = Infinity;
  let long = Infinity;
  let times = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && times > MOST_GROWTH; attempt++) {
    short = Math.min(short, cpuMs(once), cpuMs(once));
    long = Math.min(long, cpuMs(more));
    times = long / Math.max(short, SHORTEST_MS);
  }
  return times;
}

const redact = createRedactor(['a-secret-of-this-process-0123456789']);

const COMMAND_RULES = ['x', 'echo', 'a'].map((name) => ({
  rule: name,
  matcher: commandMatcherSchema.parse({
    argv: [name],
    flags: ['-n:int', '--x='],
    operands: 'any',
    writes: ['*'],
  }),
  cwd: null,
}));
const COMMAND_MENTION = commandMatcherSchema.parse({ mentions: [['x', 'a', 'y']] });

const POLICY = compilePolicy(
  readPolicy(
    documentOf([
      { id: 'write', decision: 'allow', match: { key: '*', tool: 'Write', path: '/srv/**' } },
      { id: 'secrets', decision: 'deny', match: { path: ['~/.ssh/**', '**/.env', '/etc/**/x*'] } },
      { id: 'hosts', decision: 'deny', match: { host: ['*.evil.example', '10.0.0.1'] } },
      { id: 'kubectl', decision: 'ask', match: { command: { mentions: [['kubectl', 'delete']] } } },
      { id: 'member', decision: 'ask', match: { agent: '*x?y', input: { '/prompt': { glob: '*a*b' } } } },
      { id: 'when', decision: 'ask', match: {}, when: 'request.agent.contains("x")' },
    ]),
  ),
  TOOL_SHAPES,
);

const evaluating = (toolName: string, inputOf: (given: string) => JsonObject) => (given: string) => {
  const request = requestOf({ toolName, toolInput: inputOf(given), agentId: given });
  return () => void evaluate(POLICY, request, new Date(0));
};

/** Everything that is done with a text of an agent's, from the body to the terminal. */
const WORK: Record<string, (given: string) => () => void> = {
  'reading the body': (given) => {
    const body = JSON.stringify({ toolInput: { command: given, [given]: [given] } });
    return () => void parseStrictJson(body);
  },
  'the digest': (given) => {
    const toolInput = { command: given, nested: { [given]: [given] } };
    return () => void inputDigest({ toolName: 'Bash', toolInput, cwd: '/srv' });
  },
  'the card of a command': (given) => {
    const toolInput = { command: given };
    return () => void renderCard(anApproval({ toolInput }));
  },
  'the card of a path and of an edit': (given) => {
    const toolInput = { file_path: `/${given}`, old_string: `${given}a`, new_string: `b${given}` };
    return () => void renderCard(anApproval({ toolName: 'Edit', toolInput }));
  },
  'the card of a URL': (given) => {
    const toolInput = { url: `https://${given}`, prompt: given };
    return () => void renderCard(anApproval({ toolName: 'WebFetch', toolInput }));
  },
  'the grants that are offered': (given) => {
    const requests = [
      requestOf({ toolName: 'Write', toolInput: { file_path: `/${given}`, content: given } }),
      requestOf({ toolName: 'Bash', toolInput: { command: `npm run ${given}` } }),
      requestOf({ toolName: 'mcp__a__b', toolInput: { [given]: given } }),
    ];
    return () => {
      for (const request of requests) findOffers(request, 'sha256:0', TOOL_SHAPES);
    };
  },
  'the card of JSON': (given) => {
    const toolInput = { [given]: [given, { deep: given }] };
    return () => void renderCard(anApproval({ toolName: 'mcp__x', toolInput, metadata: { given } }));
  },
  'the messages of a chat without files': (given) => {
    const approval = anApproval({ toolInput: { command: given } });
    return () => {
      actionPieces(approval, 4_096);
      piecesNeeded(approval, 4_096);
    };
  },
  'the outcome': (given) => {
    const toolInput = { file_path: '/x', content: given };
    const outcome = settled(anApproval({ toolName: 'Write', toolInput }), 'rejected', {
      by: ALICE,
      reason: given,
    });
    return () => void renderOutcome({ ...outcome });
  },
  '/pending': (given) => {
    const requests = [anApproval({ toolInput: { command: given } }), anApproval({ agentId: given })];
    return () => void renderPending(requests, 2, new Date());
  },
  'approvals show and list': (given) => {
    const approval = onWire(given);
    return () => {
      approvalLines(approval);
      listLines([approval]);
    };
  },
  'the rules for a command': (given) => {
    return () => {
      const command = parseCommand(given);
      prove(command, COMMAND_RULES, '/srv/shop');
      mentionIn(given, COMMAND_MENTION);
    };
  },
  'a policy over Write': evaluating('Write', (given) => ({ file_path: `/${given}`, content: given })),
  'a policy over Grep': evaluating('Grep', (given) => ({ pattern: given, path: given })),
  'a policy over Bash': evaluating('Bash', (given) => ({ command: `cat ${given}` })),
  'a policy over WebFetch': evaluating('WebFetch', (given) => ({ url: `https://${given}`, prompt: given })),
  'a policy over an unknown tool': evaluating('mcp__a__b', (given) => ({ [given]: [given] })),
  'a line of the log': (given) => {
    const line = JSON.stringify({ msg: given, error: given });
    return () => void redact(line);
  },
};

function onWire(given: string): ApprovalOnWire {
  const { createdAt, expiresAt, ...request } = anApproval({ toolInput: { command: given }, summary: given });
  return {
    ...request,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    settledAt: null,
    decision: null,
    reason: null,
    acknowledged: null,
    receipt: null,
    policy: null,
    required: null,
    decisions: [],
  };
}

/** Whole alphabets at a time, and each piece by itself where it is the worst that was found. */
const ALPHABETS: readonly (readonly string[])[] = [
  ...PIECES.map((piece) => [piece]),
  ...fc.sample(fc.array(fc.constantFrom(...PIECES, ...hostilePieces), { minLength: 2, maxLength: 5 }), {
    numRuns: 12,
    seed: Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000),
  }),
];

describe.each(Object.entries(WORK))('security 21: the time of %s', (_what, work) => {
  it('grows with the length of a text and no faster, whatever the text', () => {
    const tooFast = ALPHABETS.map((pieces) => ({
      pieces,
      times: growth((units) => work(text(pieces, units))),
    })).filter(({ times }) => times > MOST_GROWTH);
    expect(tooFast).toEqual([]);
  });
});

describe('security 21: a large input', () => {
  const stepsOf = (steps: Steps<unknown>): number => {
    let count = 1;
    while (!steps.next().done) count += 1;
    return count;
  };
  /** Each step of about as much as is looked at within a few milliseconds. */
  const UNITS_IN_A_STEP = 8 * 1024;

  it.each(PIECES)('is worked on in steps, each of a part of it: %j, over and over', (piece) => {
    const given = text([piece], 256 * 1024);
    const search = new LookAlikeSearch(4);
    const looking = stepsOf(search.look(given, { isCommand: true }));
    if (/[^\p{ASCII}]/u.test(piece)) expect(looking).toBeGreaterThanOrEqual(given.length / UNITS_IN_A_STEP);
    // A row of one character is one escape.
    if (new Set(piece).size > 1 && piece.length < 40)
      expect(stepsOf(makeVisible(given, 'block'))).toBeGreaterThanOrEqual(given.length / UNITS_IN_A_STEP);
  });

  it.each(['a\n', 'x\ny\n', 'x'])(
    'is written for the console in steps, each of a part of it: %j, over and over',
    async (piece) => {
      const units = 1024 * 1024;
      const command = text([piece], units);
      const approval = anApproval({ toolInput: { command } });
      const most = 256 * 1024;
      const parts = actionParts('Bash', approval.toolInput);
      expect(stepsOf(makeReadingText(approval, '{}', parts))).toBeGreaterThanOrEqual(units / most);
      const view = await viewAction(approval, [], false);
      expect(stepsOf(makeDisplayDigest(view.display))).toBeGreaterThanOrEqual(view.display.length / most);
      const written = JSON.stringify(view).length;
      expect(stepsOf(makeJson(view))).toBeGreaterThanOrEqual(written / (2 * most));
    },
  );

  it('lets others have their turn between the steps, for the card and for its outcome', async () => {
    const approval = anApproval({ toolInput: { command: `echo a${'\u0315\u0300'.repeat(60_000)}` } });
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await prepareCard(approval);
    isDone = true;
    expect(turns).toBeGreaterThan(120_000 / UNITS_IN_A_STEP);
    // What was worked out stays with the request.
    expect(renderCard(approval).document).toBe(renderCard(approval).document);
  });
});
