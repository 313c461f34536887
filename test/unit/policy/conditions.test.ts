import fc from 'fast-check';
import { decisionOf, documentOf, refusalOf, verdictOf, type WrittenRule } from '../../support/policy-scene';

type Metadata = Record<string, fc.JsonValue>;

const rule = (decision: 'deny' | 'ask' | 'allow', when: string): WrittenRule => ({
  decision,
  when,
  ...(decision === 'allow' && { match: { key: '*', tool: 'Do' } }),
  ...(decision === 'ask' && { class: 'critical' }),
});

function decide(decision: 'deny' | 'allow', when: string, metadata: Metadata) {
  const request = { toolName: 'Do', toolInput: metadata as never, metadata: metadata as never, mode: null };
  return decisionOf(rule(decision, when), request);
}

/** Conditions that a request without the member cannot answer, each with metadata by which it is true. */
const OBSERVERS: readonly [when: string, metadata: Metadata][] = [
  // A member, by its name or an expression.
  ['request.metadata.a == "x"', { a: 'x' }],
  ['request.metadata.a != "x"', { a: 'y' }],
  ['request.metadata["a"] == "x"', { a: 'x' }],
  ['request.metadata[request.metadata.name] == "x"', { name: 'a', a: 'x' }],
  ['request.input.a == "x"', { a: 'x' }],
  ['request.metadata.a.b.c == "x"', { a: { b: { c: 'x' } } }],
  ['request.metadata.list[1] == "x"', { list: ['y', 'x'] }],
  ['request.metadata.list[0].a == "x"', { list: [{ a: 'x' }] }],
  ['request.metadata.a > 3', { a: 4 }],
  ['request.metadata.a.startsWith("x")', { a: 'xy' }],
  ['size(request.metadata.a) > 1', { a: 'xy' }],
  ['request.metadata.a in ["x", "y"]', { a: 'x' }],
  ['"x" in request.metadata.a', { a: ['x'] }],
  // A name in an object, which a list may be at the same place.
  ['"x" in request.metadata.a', { a: { x: true } }],
  ['"x" in request.input.a.b', { a: { b: { x: 1 } } }],
  ['request.metadata.name in request.metadata.a', { name: 'x', a: { x: true } }],
  // Around them.
  ['!(request.metadata.a == "y")', { a: 'x' }],
  ['!!(request.metadata.a == "x")', { a: 'x' }],
  ['request.metadata.a == "x" || request.tool == "Bash"', { a: 'x' }],
  ['request.tool == "Bash" || request.metadata.a == "x"', { a: 'x' }],
  ['request.metadata.a == "x" && request.tool == "Do"', { a: 'x' }],
  ['request.tool == "Do" && !(request.metadata.a == "y")', { a: 'x' }],
  ['request.metadata.a == "x" ? true : false', { a: 'x' }],
  ['request.metadata.a == "y" ? false : true', { a: 'x' }],
  ['request.tool == "Do" ? request.metadata.a == "x" : false', { a: 'x' }],
  ['(request.tool == "Do" ? request.metadata.a : "y") == "x"', { a: 'x' }],
  ['(request.metadata.a == "x") == true', { a: 'x' }],
  ['(request.metadata.a == "y") != true', { a: 'x' }],
  ['[request.metadata.a].exists(v, v == "x")', { a: 'x' }],
  ['["x", "y"].exists(v, v == request.metadata.a)', { a: 'x' }],
  ['["x", "y"].all(v, v != request.metadata.a)', { a: 'z' }],
  ['["x", "y"].exists_one(v, v == request.metadata.a)', { a: 'x' }],
  ['request.metadata.list.exists(v, v.a == "x")', { list: [{ a: 'x' }] }],
  ['request.metadata.list.all(v, v.a == "x")', { list: [{ a: 'x' }, { a: 'x' }] }],
  ['request.metadata.list.all(v, "x" in v)', { list: [{ x: 1 }, { x: 2 }] }],
];

/** Every copy of an object without one of its members, at any depth. */
function omissions(value: fc.JsonValue): fc.JsonValue[] {
  if (Array.isArray(value)) {
    return value.flatMap((part, at) => omissions(part).map((other) => value.with(at, other)));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => {
    const others = Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    return [others, ...omissions(part as fc.JsonValue).map((other) => ({ ...value, [name]: other }))];
  });
}

describe('a member that the request leaves out', () => {
  it.each(OBSERVERS)('is a match of %s where a rule denies, and none where it allows', (when, metadata) => {
    expect(decide('deny', when, metadata)).toBe('deny');
    expect(decide('allow', when, metadata)).toBe('allow');
    const others = omissions(metadata) as Metadata[];
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) {
      expect([other, decide('deny', when, other)]).toEqual([other, 'deny']);
      expect([other, decide('allow', when, other)]).toEqual([other, 'ask']);
    }
  });

  it.each([
    ['size(request.metadata.a) == 1', { a: { x: 1 } }],
    ['size(request.metadata.a) < 9', { a: { x: 1 } }],
    ['request.metadata.a.size() == 1', { a: { x: 1 } }],
    ['request.metadata.a.exists(name, name == "x")', { a: { x: 1 } }],
    ['request.metadata.a.all(name, name == "x")', { a: { x: 1 } }],
    ['!request.metadata.a.all(name, name == "y")', { a: { x: 1 } }],
    ['request.metadata.a.exists_one(name, name == "x")', { a: { x: 1 } }],
    ['request.metadata.a == request.metadata.b', { a: { x: 1 }, b: { x: 1 } }],
    ['request.metadata.a != request.metadata.b', { a: { x: 1 }, b: { y: 1 } }],
    ['[request.metadata.a] == [request.metadata.b]', { a: { x: 1 }, b: { x: 1 } }],
    ['request.metadata.a in request.metadata.list', { a: { x: 1 }, list: [{ x: 1 }] }],
    ['request.metadata.a in [request.metadata.b]', { a: { x: 1 }, b: { x: 1 } }],
    ['"y" in request.metadata.a', { a: { x: 1 } }],
    ['!("x" in request.metadata.a)', { a: {} }],
  ])('may be one of an object that is read as a whole: %s', (when, metadata) => {
    expect(decide('deny', when, metadata)).toBe('deny');
    expect(decide('allow', when, metadata)).toBe('ask');
  });

  it.each([
    ['request.metadata.a == "x" || request.tool == "Do"', 'deny', 'allow'],
    ['request.tool == "Do" || request.metadata.a == "x"', 'deny', 'allow'],
    ['request.metadata.a == "x" && request.tool == "Bash"', 'ask', 'ask'],
    ['request.tool == "Do" ? true : request.metadata.a == "x"', 'deny', 'allow'],
    ['["x"].exists(v, v == request.metadata.a || v == "x")', 'deny', 'allow'],
  ])('changes nothing where the rest of the condition decides: %s', (when, denies, allows) => {
    expect(decide('deny', when, {})).toBe(denies);
    expect(decide('allow', when, {})).toBe(allows);
  });

  it.each([
    ['request.metadata.b == "x" || request.metadata.a.startsWith("x")', { a: 1 }],
    ['request.metadata.a.startsWith("x") || request.metadata.b == "x"', { a: 1 }],
    ['!(request.metadata.b == "y" && request.metadata.a.startsWith("x"))', { a: 1 }],
    ['request.metadata.list[1] == "x" || request.metadata.a.startsWith("x")', { list: ['y'], a: 1 }],
    ['request.mode == "plan" || request.metadata.a.startsWith("x")', { a: 1 }],
    ['request.metadata.list.exists(v, v.b.startsWith("x"))', { list: [{ b: 1 }, {}] }],
  ])('is a match where another part of the condition fails: %s', (when, metadata) => {
    expect(decide('deny', when, metadata)).toBe('deny');
    expect(decide('allow', when, metadata)).toBe('ask');
  });

  it('is none for the condition of the next rule', () => {
    const rules = [
      rule('deny', 'request.metadata.b == "x" && request.tool == "Bash"'),
      rule('deny', 'request.metadata.a.startsWith("x")'),
    ];
    const verdict = verdictOf(rules, { toolName: 'Do', toolInput: {}, metadata: { a: 1 } });
    expect(verdict).toMatchObject({ decision: 'ask', doubt: { reason: 'condition' } });
  });

  it('takes the class of a rule that asks', () => {
    const verdict = verdictOf([rule('ask', 'request.metadata.a == "x"')], { metadata: {} });
    expect(verdict).toMatchObject({ decision: 'ask', class: 'critical', rules: ['rule-1'], doubt: null });
  });

  it.each(['constructor', '__proto__', 'size', 'get', 'toString'])(
    'is not found in what objects inherit: %s',
    (name) => {
      const when = `request.metadata["${name}"] == "x"`;
      expect(decide('allow', when, {})).toBe('ask');
      expect(decide('deny', when, {})).toBe('deny');
      const own = JSON.parse(`{"${name}": "x"}`) as Metadata;
      expect(decide('allow', when, own)).toBe('allow');
      // A member of this name hides nothing of the others.
      expect(decide('deny', 'request.metadata.a == "x"', { ...own, a: 'x' })).toBe('deny');
    },
  );
});

describe('a condition that reads a whole object', () => {
  const whole = 'reads members one by one';
  const literal = '"map" is not offered';

  it.each([
    ['"a" in request.metadata', whole, 'request.metadata'],
    ['!("a" in request.input)', whole, 'request.input'],
    ['size(request.metadata) > 1', whole, 'request.metadata'],
    ['request.metadata.size() > 1', whole, 'request.metadata'],
    ['request.metadata.exists(k, k == "a")', whole, 'request.metadata'],
    ['request.metadata.all(k, k != "a")', whole, 'request.metadata'],
    ['request.metadata.exists_one(k, k == "a")', whole, 'request.metadata'],
    ['request.metadata == request.input', whole, 'request.metadata'],
    ['request["metadata"] == request.metadata.a', whole, 'request["metadata"]'],
    ['request.metadata.a == request.metadata', whole, 'request.metadata'],
    ['request == request', whole, 'request == request'],
    ['"cwd" in request', whole, 'request'],
    ['[request.metadata].exists(m, "a" in m)', whole, 'request.metadata'],
    ['(request.tool == "x" ? request.metadata : request.input).a == 1', whole, 'request.metadata'],
    ['request.metadata == {"a": "x"}', whole, 'request.metadata'],
    ['request.metadata.a == {"b": "x"}', literal, '{'],
    ['request.metadata.a in {"x": true}', literal, '{'],
    ['{"a": request.metadata.a}.a == "x"', literal, '{'],
    ['has(request.metadata.a)', 'has() is not offered', 'has'],
    ['has(request.metadata.a) ? true : false', 'has() is not offered', 'has'],
    ['!has(request.metadata.a) || request.metadata.a == "x"', 'has() is not offered', 'has'],
    ['request.?metadata.a == "x"', 'Expected IDENTIFIER', '?metadata'],
    ['dyn(request.metadata.a) == "x"', 'dyn() is not offered', 'dyn'],
    ['type(request.metadata.a) == string', 'type() is not offered', 'type'],
    ['request.metadata.map(k, k) == ["a"]', whole, 'request.metadata'],
    ['request.metadata.filter(k, k == "a") == ["a"]', whole, 'request.metadata'],
  ])('is refused at its place: %s', (when, message, words) => {
    const before = "    when: '";
    const [refusal = ''] = refusalOf(`version: 1\nrules:\n  - id: a\n    decision: ask\n${before}${when}'\n`);
    expect(refusal).toContain(message);
    expect(refusal).toMatch(new RegExp(`^5:${before.length + when.lastIndexOf(words) + 1} `));
  });
});

const name = fc.constantFrom('a', 'b');
const path = fc.oneof(
  name.map((n) => `request.metadata.${n}`),
  fc.tuple(name, name).map(([n, m]) => `request.metadata.${n}.${m}`),
  fc.tuple(name, name).map(([n, m]) => `request.input["${n}"].${m}`),
);
const atom = fc.oneof(
  fc.tuple(path, fc.constantFrom('==', '!='), fc.constantFrom('"x"', '"y"', '1')).map((p) => p.join(' ')),
  fc.tuple(path, fc.constantFrom('==', '!='), path).map((p) => p.join(' ')),
  path.map((p) => `"a" in ${p}`),
  path.map((p) => `size(${p}) == 1`),
  path.map((p) => `${p}.exists(v, v == "a")`),
  path.map((p) => `${p}.all(v, v == "a")`),
  fc.tuple(path, path).map(([p, q]) => `[${p}].exists(v, v == ${q})`),
  fc.constantFrom('request.tool == "Do"', 'request.tool == "Bash"'),
);
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    atom,
    tie('expression').map((e) => `!(${e})`),
    fc
      .tuple(tie('expression'), fc.constantFrom('&&', '||', '=='), tie('expression'))
      .map(([l, op, r]) => `(${l}) ${op} (${r})`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([c, l, r]) => `(${c}) ? (${l}) : (${r})`),
  ),
}));
const leaf = fc.constantFrom<fc.JsonValue>('x', 'a', 1);
const member = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 2 }),
  fc.dictionary(name, leaf, { maxKeys: 2 }),
) as fc.Arbitrary<fc.JsonValue>;

it('leaving out members never turns a denial into anything else, or anything else into an allow', () => {
  fc.assert(
    fc.property(expression, fc.dictionary(name, member, { maxKeys: 2 }), (when, metadata) => {
      fc.pre(refusalOf(documentOf([{ id: 'a', decision: 'ask', when }])).length === 0);
      const [denied, allowed] = [decide('deny', when, metadata), decide('allow', when, metadata)];
      for (const other of omissions(metadata) as Metadata[]) {
        if (denied === 'deny') expect(decide('deny', when, other)).toBe('deny');
        if (decide('allow', when, other) === 'allow') expect(allowed).toBe('allow');
      }
    }),
    { numRuns: 500 },
  );
});
