import { avatar, dayName, el, icon, timeOfDay } from './dom.js';
import { richText } from './rich-text.js';

const BUTTON_STYLES = new Set(['success', 'danger', 'primary']);

/**
 * One message as a list item.
 *
 * @param context `{ store, me, follows, onReply, onPress, onCommand, onJump }`; `follows` = same sender, just before
 */
export function messageItem(message, context) {
  if (message.service) return serviceItem(message);
  const { me, follows } = context;
  const own = message.from.id === me && message.senderChat === null;
  const name = senderName(message, context.store);
  const item = el('li', {
    class: ['message', own ? 'own' : '', follows ? 'follows' : ''].filter(Boolean).join(' '),
    'data-id': String(message.messageId),
    'data-day': dayName(message.date),
  });
  const isBot = message.from.is_bot && message.senderChat === null;
  const column = el(
    'div',
    { class: 'column' },
    bubble(message, name, isBot, own, context),
    keyboard(message, context),
  );
  if (!own) item.append(avatar({ id: message.senderChat ?? message.from.id, name, bot: isBot }));
  item.append(column);
  return item;
}

function senderName(message, store) {
  if (message.senderChat === null) return message.from.first_name;
  return store.directory.chats.find((chat) => chat.id === message.senderChat)?.title ?? 'A channel';
}

/** A few words of a message, for quotes and the chat list. */
export function preview(message) {
  if (message.service) return serviceWords(message);
  const words = hideSpoilers(message).replace(/\s+/g, ' ').slice(0, 120);
  return message.document ? [`📎 ${message.document.fileName}`, words].filter(Boolean).join(' · ') : words;
}

function hideSpoilers({ text, entities }) {
  return entities
    .filter((entity) => entity.type === 'spoiler')
    .reduce(
      (rest, { offset, length }) => rest.slice(0, offset) + '▒'.repeat(length) + rest.slice(offset + length),
      text,
    );
}

export function quote(message, store) {
  return [
    el('span', { class: 'quote-name', text: senderName(message, store) }),
    el('span', { class: 'quote-text', text: preview(message) }),
  ];
}

function bubble(message, name, isBot, own, context) {
  const { store, onReply, onCommand, onJump } = context;
  const replied = message.replyTo === null ? undefined : store.message(message.chat, message.replyTo);
  const content = el('div', { class: 'bubble' });
  if (!own) {
    const badge = isBot ? el('span', { class: 'badge', text: 'bot' }) : null;
    content.append(
      el('div', { class: `sender hue-${Math.abs(message.senderChat ?? message.from.id) % 6}` }, name, badge),
    );
  }
  if (replied) {
    const onclick = (event) => {
      event.preventDefault();
      onJump(replied.messageId);
    };
    const props = {
      class: 'quote',
      href: `#chat=${message.chat}`,
      title: 'Go to the quoted message',
      onclick,
    };
    content.append(el('a', props, ...quote(replied, store)));
  }
  if (message.document) content.append(message.photo ? photo(message) : attachment(message.document));
  if (message.text !== '')
    content.append(
      el('div', { class: 'text', id: textId(message), dir: 'auto' }, richText(message, onCommand)),
    );
  const reply = el(
    'button',
    {
      type: 'button',
      class: 'reply',
      'aria-label': 'Reply',
      title: 'Reply',
      onclick: () => onReply(message),
    },
    icon('reply'),
  );
  content.append(meta(message), reply);
  return content;
}

function meta(message) {
  const sent = el('time', {
    datetime: new Date(message.date * 1000).toISOString(),
    text: timeOfDay(message.date),
  });
  const edited =
    message.editDate === null
      ? null
      : el('span', { class: 'edited', title: `last edited ${timeOfDay(message.editDate)}`, text: 'edited' });
  return el('div', { class: 'meta' }, edited, sent);
}

/** A picture in the width of its message; the space is kept free while it loads. */
function photo({ document, photo: { width, height } }) {
  const source = `/sandbox/photos/${encodeURIComponent(document.fileId)}`;
  return el(
    'a',
    { class: 'photo', href: source, target: '_blank', title: `SHA-256 ${document.sha256}` },
    el('img', { src: source, width, height, alt: document.fileName }),
  );
}

function attachment({ fileName, size, sha256, fileId }) {
  const extension = /\.([a-z0-9]{1,5})$/i.exec(fileName)?.[1] ?? '';
  return el(
    'a',
    {
      class: 'attachment',
      href: `/sandbox/documents/${encodeURIComponent(fileId)}`,
      download: fileName,
      title: `SHA-256 ${sha256}`,
    },
    el(
      'span',
      { class: 'attachment-icon' },
      icon('file'),
      el('span', { class: 'extension', text: extension }),
    ),
    el(
      'span',
      { class: 'attachment-words' },
      el('span', { class: 'attachment-name', text: fileName }),
      el('span', { class: 'attachment-size', text: `${bytes(size)} · sha256 ${sha256.slice(0, 12)}…` }),
    ),
    el('span', { class: 'attachment-get' }, icon('download')),
  );
}

function bytes(size) {
  if (size < 1024) return `${size} B`;
  const kilo = size / 1024;
  return kilo < 1024 ? `${kilo.toFixed(1)} KB` : `${(kilo / 1024).toFixed(1)} MB`;
}

function keyboard(message, { onPress }) {
  if (message.buttons.length === 0) return null;
  const rows = message.buttons.map((row) =>
    el('div', { class: 'key-row' }, ...row.map((button) => key(message, button, onPress))),
  );
  const props = {
    class: 'keyboard',
    role: 'group',
    'aria-label': 'Buttons',
    'aria-describedby': message.text === '' ? undefined : textId(message),
  };
  return el('div', props, ...rows);
}

const textId = ({ messageId }) => `text-${messageId}`;

function key(message, button, onPress) {
  const style = BUTTON_STYLES.has(button.style) ? ` key-${button.style}` : '';
  if (button.url !== undefined) {
    const address = /^https?:\/\//i.test(button.url) ? button.url : undefined;
    return el('a', {
      class: `key${style}`,
      href: address,
      target: '_blank',
      rel: 'noopener noreferrer',
      text: button.text,
    });
  }
  const node = el('button', { type: 'button', class: `key${style}` }, el('span', { text: button.text }));
  node.addEventListener('click', async () => {
    if (node.getAttribute('aria-busy') === 'true') return;
    node.setAttribute('aria-busy', 'true');
    await onPress(message, button);
    node.removeAttribute('aria-busy');
  });
  return node;
}

function serviceWords({ service }) {
  if (service.migrate_to_chat_id !== undefined) return 'This group became a supergroup';
  if (service.migrate_from_chat_id !== undefined) return 'Supergroup created from a group';
  return 'Service message';
}

function serviceItem(message) {
  return el(
    'li',
    { class: 'service', 'data-id': String(message.messageId), 'data-day': dayName(message.date) },
    el('span', { text: serviceWords(message) }),
  );
}
