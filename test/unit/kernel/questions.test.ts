import {
  answersDigest,
  answersIn,
  faultOf,
  questionsOf,
  withAnswers,
  type Answers,
} from '../../../src/kernel/questions';
import type { JsonObject } from '../../../src/kernel/json';

const option = (label: string) => ({ label, description: `The ${label}` });
const colour = { question: 'Which colour?', header: 'Colour', options: [option('Red'), option('Blue')] };
const fruits = {
  question: 'Which fruits?',
  multiSelect: true,
  options: [option('Apple'), option('Pear')],
};
const asked = (...questions: JsonObject[]) =>
  questionsOf({ toolName: 'AskUserQuestion', toolInput: { questions } });
const both = asked(colour, fruits) ?? [];

describe('the questions of a call', () => {
  it('are read with their options', () => {
    expect(both).toEqual([
      { text: 'Which colour?', isMultiple: false, options: ['Red', 'Blue'] },
      { text: 'Which fruits?', isMultiple: true, options: ['Apple', 'Pear'] },
    ]);
  });

  it('are none in another tool, and in a form that an answer could not name', () => {
    expect(questionsOf({ toolName: 'Bash', toolInput: { questions: [colour] } })).toBeNull();
    for (const questions of [
      [],
      [colour, colour],
      [{ ...colour, options: [option('Red'), option('Red')] }],
      [{ ...colour, question: '' }],
      [{ ...colour, question: '__proto__' }],
      [{ ...colour, question: 'x'.repeat(1001) }],
      [{ ...colour, options: [option('x'.repeat(1001))] }],
      Array.from({ length: 7 }, (_, i) => ({ ...colour, question: `${i}?` })),
      [{ ...colour, options: Array.from({ length: 13 }, (_, i) => option(`${i}`)) }],
    ])
      expect(asked(...(questions as JsonObject[]))).toBeNull();
  });
});

describe('answers', () => {
  it.each<[Answers, string | null]>([
    [{ 'Which colour?': ['Red'], 'Which fruits?': ['Apple', 'Pear'] }, null],
    [{ 'Which colour?': ['a colour of my own'], 'Which fruits?': ['Apple'] }, null],
    [{ 'Which colour?': ['Red'] }, 'lacks an answer to question 2'],
    [{ 'Which colour?': ['Red', 'Blue'], 'Which fruits?': ['Pear'] }, 'more than one answer to question 1'],
    [{ 'Which colour?': [''], 'Which fruits?': ['Pear'] }, 'must have 1 to 1000 characters'],
    [{ 'Which colour?': ['x'.repeat(1001)], 'Which fruits?': ['Pear'] }, 'must have 1 to 1000 characters'],
    [{ 'Which colour?': ['Red'], 'Which fruits?': ['Pear'], 'Why?': ['So'] }, 'was not asked'],
    [{ toString: ['Red'] }, 'was not asked'],
  ])('%j: %s', (answers, fault) => {
    if (fault === null) expect(faultOf(answers, both)).toBeNull();
    else expect(faultOf(answers, both)).toContain(fault);
  });

  it('go into the input in the form of Claude Code', () => {
    const input = { questions: [colour] };
    expect(withAnswers(input, { 'Which colour?': ['Red'], 'Which fruits?': ['Apple', 'Pear'] })).toEqual({
      questions: [colour],
      answers: { 'Which colour?': 'Red', 'Which fruits?': 'Apple, Pear' },
    });
  });

  it('have a digest that does not depend on their order', () => {
    expect(answersDigest({ a: ['1'], b: ['2'] })).toBe(answersDigest({ b: ['2'], a: ['1'] }));
    expect(answersDigest({ a: ['1', '2'] })).not.toBe(answersDigest({ a: ['1, 2'] }));
  });

  it('are words of a person: one line for each question', () => {
    expect(answersIn(' green,\nlike grass ', asked(colour) ?? [])).toEqual({
      'Which colour?': ['green,\nlike grass'],
    });
    expect(answersIn('green\n\n kiwi ', both)).toEqual({
      'Which colour?': ['green'],
      'Which fruits?': ['kiwi'],
    });
    expect(answersIn('green', both)).toBeNull();
    expect(answersIn('  ', asked(colour) ?? [])).toBeNull();
  });
});
