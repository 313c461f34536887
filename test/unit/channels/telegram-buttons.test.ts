import { Dialect, writeButtons } from '../../../src/channels/telegram/dialect';
import type { Button } from '../../../src/channels/telegram/operator-chat';

const BUTTONS: Button[] = [
  { text: 'Approve in the console', url: 'https://c.example.com/console/requests/1' },
  { text: 'Reject', data: 'r' },
];

it('a link stands beside a button', () => {
  expect(writeButtons(BUTTONS, new Dialect().form)).toEqual({
    inline_keyboard: [
      [
        { text: 'Approve in the console', url: 'https://c.example.com/console/requests/1' },
        { text: 'Reject', callback_data: 'r' },
      ],
    ],
  });
});

it.each([
  'Bad Request: BUTTON_URL_INVALID',
  'Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL',
])('a server that refuses the address of a link gets the card without it: %s', (refusal) => {
  const dialect = new Dialect();
  const simpler = dialect.simplify(dialect.form, refusal);
  expect(simpler && writeButtons(BUTTONS, simpler)).toEqual({
    inline_keyboard: [[{ text: 'Reject', callback_data: 'r' }]],
  });
  expect(dialect.form.links).toBe(false);
});
