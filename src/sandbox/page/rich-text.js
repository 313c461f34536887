import { el, icon } from './dom.js';

const TAGS = { bold: 'strong', italic: 'em', underline: 'u', strikethrough: 's', code: 'code' };

/** These begin a line of their own, so the line breaks around them are already there. */
const BLOCKS = new Set(['pre', 'blockquote', 'expandable_blockquote']);

/** Longer words with a hyphen are ids and data, which may break anywhere. */
const LONGEST_OPTION = 30;

const SAFE_LINK = /^https?:\/\//i;

/**
 * The text with its entities as elements. Offsets are UTF-16 units, as in JavaScript strings; a part of an entity
 * that sticks out of the one around it is cut off.
 *
 * @param onCommand called with a bot command that was tapped
 */
export function richText({ text, entities }, onCommand) {
  const fragment = document.createDocumentFragment();
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  fill(fragment, text, 0, text.length, sorted, onCommand);
  return fragment;
}

function fill(parent, text, from, to, entities, onCommand) {
  let position = from;
  let rest = entities;
  while (rest.length > 0) {
    const [entity, ...others] = rest;
    const begin = Math.max(entity.offset, position);
    const end = Math.min(entity.offset + entity.length, to);
    rest = others;
    if (begin >= end) continue;
    const block = BLOCKS.has(entity.type);
    const before = text.slice(position, begin);
    append(parent, block ? before.replace(/\n$/, '') : before);
    const inside = others.filter((other) => other.offset < end);
    const { shell, body } = element(entity, text.slice(begin, end), onCommand);
    if (body) fill(body, text, begin, end, inside, onCommand);
    parent.append(shell);
    position = block && end < to && text[end] === '\n' ? end + 1 : end;
    rest = others.filter((other) => other.offset + other.length > end);
  }
  append(parent, text.slice(position, to));
}

/** In code, an option gets a box of its own: browsers would break `--env` after its first hyphen. */
function append(parent, text) {
  if (parent.localName !== 'code') return parent.append(text);
  for (const word of text.split(/(\s+)/)) {
    const whole = word.includes('-') && word.length <= LONGEST_OPTION;
    parent.append(whole ? el('span', { class: 'whole', text: word }) : word);
  }
}

/** The element of an entity, and the place inside it where its text goes (null when it brings its own). */
function element(entity, text, onCommand) {
  const plain = (node) => ({ shell: node, body: node });
  switch (entity.type) {
    case 'pre':
      return codeBlock(entity, text);
    case 'blockquote':
      return plain(el('blockquote'));
    case 'expandable_blockquote':
      return expandable();
    case 'spoiler':
      return plain(spoiler());
    case 'text_link':
      return plain(link(entity.url));
    case 'url':
      return plain(link(text));
    case 'date_time':
      return { shell: dateTime(entity, text), body: null };
    case 'bot_command':
      return plain(el('button', { type: 'button', class: 'command', onclick: () => onCommand(text) }));
    case 'mention':
    case 'text_mention':
    case 'hashtag':
    case 'email':
      return plain(el('span', { class: 'mention' }));
    default:
      return plain(el(TAGS[entity.type] ?? 'span'));
  }
}

function link(url) {
  if (!SAFE_LINK.test(url)) return el('span', { class: 'mention', title: url });
  return el('a', { href: url, title: url, target: '_blank', rel: 'noopener noreferrer nofollow' });
}

function codeBlock({ language }, text) {
  const code = el('code');
  const copy = el('button', { type: 'button', class: 'copy', 'aria-label': 'Copy' }, icon('copy'));
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    copy.replaceChildren(icon('check'));
    setTimeout(() => copy.replaceChildren(icon('copy')), 1500);
  });
  const head = el('div', { class: 'code-head' }, el('span', { text: language ?? '' }), copy);
  const shell = el('div', { class: 'code-block' }, head, el('pre', {}, code));
  if (language !== 'diff') return { shell, body: code };
  code.append(...diffLines(text));
  return { shell, body: null };
}

/** Lines of a diff in their colours, as Telegram's clients have them. */
function diffLines(text) {
  const kinds = { '+': 'added', '-': 'removed', '@': 'place' };
  return text.split('\n').flatMap((line, i) => {
    const kind = kinds[line[0]];
    return [i > 0 ? '\n' : null, kind ? el('span', { class: `diff-${kind}`, text: line }) : line].filter(
      (each) => each !== null,
    );
  });
}

function expandable() {
  const body = el('div', { class: 'expandable-body' });
  const toggle = el('button', {
    type: 'button',
    class: 'expand',
    'aria-expanded': 'false',
    text: 'Show more',
  });
  const shell = el('blockquote', { class: 'expandable' }, body, toggle);
  toggle.addEventListener('click', () => {
    const open = shell.classList.toggle('open');
    toggle.textContent = open ? 'Show less' : 'Show more';
    toggle.setAttribute('aria-expanded', String(open));
  });
  return { shell, body };
}

function spoiler() {
  const node = el('span', {
    class: 'spoiler',
    role: 'button',
    tabindex: '0',
    'aria-label': 'Hidden text, show it',
  });
  const reveal = () => {
    node.classList.add('revealed');
    for (const name of ['role', 'tabindex', 'aria-label']) node.removeAttribute(name);
  };
  node.addEventListener('click', reveal);
  node.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    reveal();
  });
  return node;
}

function dateTime({ unix_time: unix, date_time_format: format = '' }, text) {
  const moment = new Date(unix * 1000);
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' }).format(moment);
  const node = el('time', { datetime: moment.toISOString(), title: full, 'data-format': format });
  node.textContent = format === '' ? text : formatMoment(moment, format);
  return node;
}

function formatMoment(moment, format) {
  if (format === 'r') return relative(moment);
  const has = (letter) => format.includes(letter);
  return new Intl.DateTimeFormat(undefined, {
    ...(has('w') ? { weekday: 'long' } : {}),
    ...(has('d') ? { day: '2-digit', month: '2-digit', year: '2-digit' } : {}),
    ...(has('D') ? { day: 'numeric', month: 'long', year: 'numeric' } : {}),
    ...(has('t') || has('T') ? { hour: '2-digit', minute: '2-digit' } : {}),
    ...(has('T') ? { second: '2-digit' } : {}),
  }).format(moment);
}

const relativeWords = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

function relative(moment) {
  const seconds = Math.round((moment.getTime() - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
  return relativeWords.format(Math.trunc(seconds / size), unit);
}

/** Keeps relative times true; call it once. */
export function keepTimesFresh() {
  setInterval(() => {
    for (const node of document.querySelectorAll('time[data-format="r"]')) {
      const words = relative(new Date(node.dateTime));
      if (node.textContent !== words) node.textContent = words;
    }
  }, 1000);
}
