import {
  Environment,
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
  type ASTNode,
} from '@marcbachmann/cel-js';
import type { JsonObject } from '../../kernel/json';
import { Members, MissingMember, type Absence } from './members';

/** Maximum length of a `when`, in characters. */
const MAX_LENGTH = 2_000;

/**
 * The language of `when`. Nothing in it builds text or lists, loops within a loop, matches a regular expression, or reads
 * an object as a whole: an agent could make the first three cost any amount, and loosen a rule by the last one by leaving
 * a member out.
 */
const OPERATORS: ReadonlySet<string> = new Set(
  'value id . [] list ?: || && !_ -_ == != < <= > >= in call rcall'.split(' '),
);
const FUNCTIONS: ReadonlySet<string> = new Set(['size', 'int', 'double', 'timestamp', 'duration']);
const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one']);
const METHODS: ReadonlySet<string> = new Set([
  ...LOOPS,
  ...'size startsWith endsWith contains lowerAscii'.split(' '),
  ...'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes'.split(' '),
]);

const environment = new Environment({
  limits: { maxAstNodes: 200, maxDepth: 20, maxListElements: 100, maxMapEntries: 20, maxCallArguments: 4 },
})
  .registerVariable({
    name: 'request',
    schema: {
      key: 'string',
      owner: 'string',
      connector: 'string',
      agent: 'string',
      session: 'string',
      tool: 'string',
      cwd: 'string',
      mode: 'string',
      input: 'map<string, dyn>',
      metadata: 'map<string, dyn>',
    },
  })
  .registerVariable('now', 'google.protobuf.Timestamp');

/** The variables of a condition. */
export interface ConditionContext {
  readonly request: Members;
  readonly now: Date;
  readonly absence: Absence;
}

/** The labels that the caller gave, and the members of its input and metadata. */
export function conditionContext(
  labels: Readonly<Record<string, string | null>>,
  { input, metadata }: Readonly<Record<'input' | 'metadata', JsonObject>>,
  now: Date,
): ConditionContext {
  const given = Object.fromEntries(Object.entries(labels).filter(([, label]) => label !== null));
  const absence: Absence = { wasRead: false };
  return { request: new Members({ ...given, input, metadata }, absence), now, absence };
}

/** The parts of an expression whose time grows with the request. */
interface Work {
  /** Loops through a list. */
  readonly loops: number;
  /** Searches of a list, and comparisons of two members. */
  readonly searches: number;
  /** Functions that read each character of a text. */
  readonly scans: number;
}

export interface Condition {
  readonly work: Work;
  /** The value where the expression depends on nothing; else null. */
  readonly constant: boolean | null;
  /** `missing`: a member that the expression reads is not there. */
  readonly test: (context: ConditionContext) => boolean | 'missing';
}

/** The fault of an expression, with its place in it. */
export class ConditionFault extends Error {
  override readonly name = 'ConditionFault';

  constructor(
    message: string,
    readonly range: { readonly start: number; readonly end: number },
    readonly fix: string,
  ) {
    super(message);
  }
}

/** @throws ConditionFault */
export function compileCondition(text: string): Condition {
  const whole = { start: 0, end: text.length };
  if (text.length > MAX_LENGTH) {
    throw new ConditionFault(
      `The expression has more than ${MAX_LENGTH} characters.`,
      whole,
      'Write a shorter one.',
    );
  }
  const parsed = parse(text);
  const { reads, ...work } = inspect(parsed.ast, false);
  const { valid, type, error } = parsed.check();
  if (!valid) throw celFault(error, text);
  if (type !== 'bool') {
    throw new ConditionFault(
      `The expression is a ${type}, not true or false.`,
      whole,
      'Compare it with a value.',
    );
  }
  const test = ({ request, now, absence }: ConditionContext): boolean | 'missing' => {
    absence.wasRead = false;
    try {
      const value: unknown = parsed({ request, now });
      if (typeof value !== 'boolean') throw new Error('The expression gave neither true nor false.');
      return value;
    } catch (failure) {
      if (isMissing(failure, absence)) return 'missing';
      throw failure;
    }
  };
  return { work, constant: reads ? null : constantOf(test, text), test };
}

/** @throws ConditionFault for an expression that fails whatever the request: `int("x") == 1` */
function constantOf(test: Condition['test'], text: string): boolean {
  try {
    return test(conditionContext({}, { input: {}, metadata: {} }, new Date(0))) === true;
  } catch (error) {
    throw celFault(error, text);
  }
}

const MISSING: ReadonlySet<string> = new Set(['no_such_key', 'index_out_of_bounds']);

function isMissing(failure: unknown, absence: Absence): boolean {
  if (absence.wasRead || failure instanceof MissingMember) return true;
  return failure instanceof EvaluationError && MISSING.has(failure.code);
}

function parse(text: string) {
  try {
    return environment.parse(text);
  } catch (error) {
    throw celFault(error, text);
  }
}

function celFault(error: unknown, text: string): ConditionFault {
  const known =
    error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError;
  const range = known && error.range ? error.range : { start: 0, end: text.length };
  const message = known ? error.summary : 'The expression cannot be read';
  return new ConditionFault(
    `${message}.`,
    { start: range.start, end: Math.max(range.end, range.start + 1) },
    'Correct the expression; it is CEL, with the variables request and now.',
  );
}

/** @throws ConditionFault for what the language of `when` leaves out */
function inspect(node: ASTNode, inLoop: boolean): Work & { readonly reads: boolean } {
  const refuse = (what: string, fix: string) =>
    new ConditionFault(`${what} is not offered in when.`, node.range, fix);
  if (!OPERATORS.has(node.op))
    throw refuse(`"${node.op}"`, 'Compare members with values; put the rest into matchers.');
  const isAccess = node.op === '.' || node.op === '[]';
  const whole = children(node.args).find((child, i) => isWhole(child) && !(isAccess && i === 0));
  if (whole) {
    throw new ConditionFault(
      'A condition reads members one by one: an object as a whole shows which ones the caller left out.',
      whole.range,
      'Compare the member itself: a missing one matches in ask and deny, and does not in allow.',
    );
  }
  const name = node.op === 'call' || node.op === 'rcall' ? node.args[0] : null;
  if (node.op === 'call' && !FUNCTIONS.has(node.args[0])) {
    throw node.args[0] === 'has'
      ? refuse(
          'has()',
          'Compare the member itself: a missing one matches in ask and deny, and does not in allow.',
        )
      : refuse(`${name}()`, `Use one of ${[...FUNCTIONS].join(', ')}.`);
  }
  if (node.op === 'rcall' && !METHODS.has(node.args[0])) {
    throw refuse(`${name}()`, `Use one of ${[...METHODS].join(', ')}.`);
  }
  const isLoop = node.op === 'rcall' && LOOPS.has(node.args[0]);
  if (isLoop && inLoop)
    throw refuse('A loop within a loop', 'Write two rules, or compare with a list by "in".');
  const parts = children(node.args).map((child) => inspect(child, inLoop || isLoop));
  const sum = (kind: keyof Work) => parts.reduce((total, part) => total + part[kind], 0);
  const compares = node.op === 'in' || node.op === '==' || node.op === '!=';
  const isSearch = compares && children(node.args).every(({ op }) => op !== 'value' && op !== 'list');
  const isMembership = node.op === 'in' && children(node.args)[1]?.op !== 'list';
  return {
    loops: sum('loops') + (isLoop ? 1 : 0),
    searches: sum('searches') + (isSearch || isMembership ? 1 : 0),
    scans: sum('scans') + (typeof name === 'string' && !isLoop && !name.startsWith('get') ? 1 : 0),
    reads: node.op === 'id' || parts.some(({ reads }) => reads),
  };
}

/** True for `request`, `request.input` and `request.metadata`. */
function isWhole(node: ASTNode): boolean {
  if (node.op === 'id') return node.args === 'request';
  if (node.op !== '.' && node.op !== '[]') return false;
  const [object, name] = node.args as readonly [ASTNode, string | ASTNode];
  if (object.op !== 'id' || object.args !== 'request') return false;
  return node.op === '[]' || name === 'input' || name === 'metadata';
}

/** Nodes lie in arrays of arguments, which may lie in arrays themselves. */
function children(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(children);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}
