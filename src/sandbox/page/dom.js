const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  back: 'M15 5l-7 7 7 7',
  send: 'M4 12l16-8-5 16-3-6.5L4 12zm8 1.5L20 4',
  reply: 'M10 6L4 12l6 6M4 12h9a7 7 0 0 1 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M6 10l6 6 6-6',
  slash: 'M15 4L9 20',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  file: 'M7 3h7l5 5v13H7zM14 3v5h5',
  download: 'M12 4v11m-5-5l5 5 5-5M5 20h14',
  shield: 'M12 3l7 3v5.5c0 4.3-2.9 7.6-7 9.5-4.1-1.9-7-5.2-7-9.5V6zM8.8 12l2.3 2.3 4.2-4.4',
  check: 'M5 12.5l4.5 4.5L19 7.5',
};

/**
 * Makes an element. `text` and every child that is a string become text nodes, so nothing in a message is ever
 * read as markup.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'text') node.textContent = value;
    else if (name === 'class') node.className = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Gives the parent other children. Focus on one of the old ones goes to the new one that fits the selector `heir`:
 * the browser would drop it.
 */
export function redraw(parent, children, heir) {
  const hadFocus = parent.contains(document.activeElement);
  parent.replaceChildren(...children);
  if (hadFocus) parent.querySelector(heir)?.focus();
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** The round picture of a person, a chat or a bot; the colour depends on the id alone. */
export function avatar({ id, name, bot = false, small = false }) {
  const classes = ['avatar', `hue-${Math.abs(id) % 6}`, bot ? 'avatar-bot' : '', small ? 'avatar-small' : ''];
  const face = bot ? icon('shield') : initials(name);
  return el('span', { class: classes.filter(Boolean).join(' '), 'aria-hidden': 'true' }, face);
}

function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters =
    words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : ([...(words[0] ?? '?')][0] ?? '?');
  return letters.toUpperCase();
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export const timeOfDay = (unixSeconds) => clock.format(unixSeconds * 1000);

export function dayName(unixSeconds) {
  const day = new Date(unixSeconds * 1000);
  const daysAgo = Math.round(
    (new Date().setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86_400_000,
  );
  if (daysAgo === 0) return 'Today';
  if (daysAgo === 1) return 'Yesterday';
  return calendar.format(day);
}
