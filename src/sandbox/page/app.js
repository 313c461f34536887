import { avatar, byId, dayName, el, icon, redraw, timeOfDay } from './dom.js';
import { Composer } from './composer.js';
import { messageItem, preview } from './message-view.js';
import { alertWindow, toast } from './overlays.js';
import { People } from './people.js';
import { keepTimesFresh } from './rich-text.js';
import { Store } from './store.js';

/** More than this many messages are shown on request only. */
const SHOWN_AT_ONCE = 300;
/** Messages of one sender closer than this are one group. */
const GROUP_SECONDS = 300;
const NEAR_BOTTOM_PX = 120;

const store = new Store();
const people = new People(store, () => drawConversation());
const composer = new Composer(store, say);

let current = Number(/chat=(-?\d+)/.exec(location.hash)?.[1] ?? -1001);
let shown = SHOWN_AT_ONCE;
const unread = new Map();
/** The newest message is in view, and stays so when more come. */
let pinned = true;
let lastTop = 0;

const scroller = byId('scroller');
const list = byId('messages');

byId('back').append(icon('back'));
byId('jump').append(icon('down'));
byId('api-root').textContent = `TELEGRAM_API_ROOT=${location.origin}`;
byId('back').addEventListener('click', () => showPane('list'));
byId('jump').addEventListener('click', () => toBottom('smooth'));
scroller.addEventListener('scroll', () => {
  if (nearBottom()) pinned = true;
  else if (scroller.scrollTop < lastTop) pinned = false;
  lastTop = scroller.scrollTop;
  byId('jump').hidden = pinned;
  if (pinned) markRead();
});
// Whatever makes the list grow or the window shrink, who was at the end stays there.
const onResize = new ResizeObserver(() => {
  if (pinned) scroller.scrollTop = scroller.scrollHeight;
});
onResize.observe(scroller);
onResize.observe(list);
document.addEventListener('visibilitychange', () => markRead());

store.addEventListener('connection', () => {
  byId('connection').hidden = store.connected;
  byId('app').classList.toggle('offline', !store.connected);
});
store.addEventListener('loaded', () => {
  const { chats } = store.directory;
  if (!chats.some(({ id }) => id === current)) return open(chats[0].id);
  drawChats();
  drawConversation();
  toBottom('instant');
});
store.addEventListener('directory', () => {
  drawChats();
  drawHeader();
  people.render();
  composer.refresh();
  drawBotState();
});
store.addEventListener('message', ({ detail: { message, isNew } }) => {
  if (message.chat !== current || document.hidden || !pinned) {
    if (isNew && message.from.id !== people.me) unread.set(message.chat, (unread.get(message.chat) ?? 0) + 1);
  }
  if (message.chat === current) drawMessage(message, isNew);
  drawChats();
});
store.addEventListener('deleted', ({ detail: { chat, messageId } }) => {
  if (chat === current) item(messageId)?.remove();
  drawChats();
  drawEmpty();
});

people.render();
keepTimesFresh();
store.start();

async function say(text, replyTo) {
  try {
    await store.say({ chat: current, text, user: people.me, ...(replyTo === undefined ? {} : { replyTo }) });
    toBottom('smooth');
    return true;
  } catch (error) {
    toast(error.message, 'failed');
    return false;
  }
}

async function press(message, button) {
  try {
    const answer = await store.press({
      chat: message.chat,
      messageId: message.messageId,
      button: button.text,
      user: people.me,
    });
    if (!answer) toast('The bot did not answer this tap.', 'failed');
    else if (answer.showAlert) alertWindow(message.from.first_name, answer.text);
    else if (answer.text !== '') toast(answer.text);
  } catch (error) {
    toast(error.message, 'failed');
  }
}

function open(chat) {
  current = chat;
  shown = SHOWN_AT_ONCE;
  history.replaceState(null, '', `#chat=${chat}`);
  composer.replyTo(null);
  unread.delete(chat);
  drawChats();
  drawConversation();
  showPane('chat');
  toBottom('instant');
}

function showPane(pane) {
  byId('app').dataset.pane = pane;
}

function markRead() {
  if (document.hidden || !unread.delete(current)) return;
  drawChats();
}

function drawChats() {
  const entries = store.directory.chats
    .map((chat) => ({ chat, last: store.messages(chat.id).at(-1) }))
    .sort((a, b) => (b.last?.date ?? 0) - (a.last?.date ?? 0));
  redraw(
    byId('chats'),
    entries.map(({ chat, last }) => chatEntry(chat, last)),
    `[href="${document.activeElement.getAttribute('href')}"]`,
  );
  const waiting = [...unread.values()].reduce((sum, n) => sum + n, 0);
  document.title = waiting > 0 ? `(${waiting}) Telegram sandbox` : 'Telegram sandbox';
}

function chatEntry(chat, last) {
  const count = unread.get(chat.id) ?? 0;
  const words = last
    ? `${last.from.id === people.me ? 'You' : last.from.first_name}: ${preview(last)}`
    : 'No messages yet';
  const onclick = (event) => {
    event.preventDefault();
    open(chat.id);
  };
  return el(
    'a',
    {
      class: 'chat-entry',
      href: `#chat=${chat.id}`,
      'aria-label': count > 0 ? `${chat.title}, ${count} unread` : chat.title,
      'aria-current': chat.id === current ? 'true' : undefined,
      onclick,
    },
    avatar({ id: chat.id, name: chat.title }),
    el(
      'span',
      { class: 'chat-words' },
      el(
        'span',
        { class: 'chat-line' },
        el('span', { class: 'chat-entry-name', text: chat.title }),
        el('span', { class: 'chat-time', text: last ? timeOfDay(last.date) : '' }),
      ),
      el(
        'span',
        { class: 'chat-line' },
        el('span', { class: 'chat-preview', text: words }),
        count > 0
          ? el('span', { class: 'unread', 'aria-label': `${count} unread`, text: String(count) })
          : null,
      ),
    ),
  );
}

function drawHeader() {
  const chat = store.directory.chats.find((c) => c.id === current);
  const name = chat?.title ?? String(current);
  byId('chat-avatar').replaceChildren(avatar({ id: current, name }));
  byId('chat-name').textContent = name;
  const kind = { private: 'private chat', group: 'group', supergroup: 'supergroup' }[chat?.type] ?? 'chat';
  byId('chat-about').textContent = [kind, current, chat?.blocked ? 'the bot was removed' : '']
    .filter(Boolean)
    .join(' · ');
}

function drawBotState() {
  const { bots } = store.directory;
  const state = byId('bot-state');
  state.classList.toggle('ready', bots.length > 0);
  byId('setting').hidden = bots.length > 0;
  state.textContent =
    bots.length > 0
      ? `${bots.map((bot) => bot.first_name).join(', ')} is connected`
      : 'No bot has connected yet';
}

function drawConversation() {
  drawHeader();
  const all = store.messages(current);
  const visible = all.slice(-shown);
  const items = visible.map((message, index) => draw(message, visible[index - 1]));
  list.replaceChildren(...withDays(items));
  if (all.length > visible.length) list.prepend(el('li', { class: 'service' }, earlierButton()));
  drawEmpty();
}

function earlierButton() {
  return el('button', {
    type: 'button',
    class: 'quiet-button',
    text: 'Show earlier messages',
    onclick: () => {
      const fromBottom = scroller.scrollHeight - scroller.scrollTop;
      shown += SHOWN_AT_ONCE;
      drawConversation();
      scroller.scrollTop = scroller.scrollHeight - fromBottom;
    },
  });
}

function drawMessage(message, isNew) {
  const existing = item(message.messageId);
  const previous = store
    .messages(current)
    .filter((m) => m.messageId < message.messageId)
    .at(-1);
  const drawn = draw(message, previous);
  if (existing) {
    drawn.classList.add('changed');
    const hadFocus = existing.contains(document.activeElement);
    existing.replaceWith(drawn);
    if (hadFocus) {
      // The button that was tapped is gone; whoever works by keyboard goes on from the message.
      drawn.tabIndex = -1;
      drawn.focus({ preventScroll: true });
    }
  } else if (isNew) {
    drawn.classList.add('arriving');
    if (list.lastElementChild?.dataset.day !== drawn.dataset.day)
      list.append(daySeparator(drawn.dataset.day));
    list.append(drawn);
    if (pinned && drawn.offsetHeight > scroller.clientHeight) {
      // Reading begins at the start, which the end of the list would leave out of view.
      pinned = false;
      drawn.scrollIntoView({ block: 'start' });
    }
  }
  drawEmpty();
  byId('jump').hidden = pinned;
}

function draw(message, previous) {
  const follows =
    previous !== undefined &&
    !previous.service &&
    previous.from.id === message.from.id &&
    previous.senderChat === message.senderChat &&
    message.date - previous.date < GROUP_SECONDS &&
    dayName(previous.date) === dayName(message.date);
  return messageItem(message, {
    store,
    me: people.me,
    follows,
    onReply: (replied) => composer.replyTo(replied),
    onPress: press,
    onCommand: (command) => void say(command),
    onJump: jumpTo,
  });
}

function withDays(items) {
  let day;
  return items.flatMap((node) => {
    if (node.dataset.day === day) return [node];
    day = node.dataset.day;
    return [daySeparator(day), node];
  });
}

function daySeparator(day) {
  return el('li', { class: 'service day', 'data-day': day }, el('span', { text: day }));
}

function drawEmpty() {
  byId('empty').hidden = store.messages(current).length > 0;
}

function item(messageId) {
  return list.querySelector(`[data-id="${messageId}"]`);
}

function jumpTo(messageId) {
  const target = item(messageId);
  if (!target) return;
  target.scrollIntoView({ block: 'center', behavior: 'smooth' });
  target.classList.remove('found');
  requestAnimationFrame(() => target.classList.add('found'));
}

function nearBottom() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_BOTTOM_PX;
}

function toBottom(behavior) {
  pinned = true;
  byId('jump').hidden = true;
  requestAnimationFrame(() => {
    if (pinned) scroller.scrollTo({ top: scroller.scrollHeight, behavior });
  });
}
