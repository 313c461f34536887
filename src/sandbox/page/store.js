/** What the page knows, kept up to date by the server's stream. */
export class Store extends EventTarget {
  directory = { chats: [], users: [], bots: [] };
  connected = false;
  /** chat id → message id → message */
  #messages = new Map();

  start() {
    const stream = new EventSource('/sandbox/stream');
    stream.addEventListener('open', () => this.#reload());
    stream.addEventListener('error', () => this.#setConnected(false));
    stream.addEventListener('directory', (event) => this.#setDirectory(JSON.parse(event.data)));
    stream.addEventListener('message', (event) => this.#put(JSON.parse(event.data)));
    stream.addEventListener('deleted', (event) => {
      const { chat, messageId } = JSON.parse(event.data);
      this.#messages.get(chat)?.delete(messageId);
      this.#tell('deleted', { chat, messageId });
    });
    stream.addEventListener('reset', () => this.#reload());
  }

  /** Oldest first. */
  messages(chat) {
    return [...(this.#messages.get(chat)?.values() ?? [])];
  }

  message(chat, messageId) {
    return this.#messages.get(chat)?.get(messageId);
  }

  user(id) {
    return this.directory.users.find((user) => user.id === id);
  }

  commands() {
    return this.directory.bots.flatMap((bot) => bot.commands);
  }

  press(tap) {
    return post('/sandbox/press', tap).then(({ answer }) => answer);
  }

  say(message) {
    return post('/sandbox/say', message);
  }

  /** The stream tells of changes only, so after every (re)connection everything is read once more. */
  async #reload() {
    const [directory, { messages }] = await Promise.all([
      get('/sandbox/directory'),
      get('/sandbox/messages'),
    ]);
    this.#messages.clear();
    for (const message of messages) this.#keep(message);
    this.#setDirectory(directory);
    this.#setConnected(true);
    this.#tell('loaded');
  }

  #put(message) {
    const isNew = this.message(message.chat, message.messageId) === undefined;
    this.#keep(message);
    this.#tell('message', { message, isNew });
  }

  #keep(message) {
    const chat = this.#messages.get(message.chat) ?? new Map();
    this.#messages.set(message.chat, chat.set(message.messageId, message));
  }

  #setDirectory(directory) {
    this.directory = directory;
    this.#tell('directory');
  }

  #setConnected(connected) {
    this.connected = connected;
    this.#tell('connection');
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

async function get(url) {
  const response = await fetch(url, { cache: 'no-store' });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

async function post(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error('The sandbox does not answer; nothing was sent.');
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `the sandbox answered ${response.status}`);
  return answer;
}
