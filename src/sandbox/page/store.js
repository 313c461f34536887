/** What the page knows, kept up to date by the server's stream. */
export class Store extends EventTarget {
  directory = { chats: [], users: [], bots: [] };
  connected = false;
  /** chat id → message id → message */
  #messages = new Map();
  /** What the stream told while everything was being read, which may be newer than what was read. */
  #waiting = null;

  start() {
    const stream = new EventSource('/sandbox/stream');
    stream.addEventListener('open', () => this.#reload());
    stream.addEventListener('error', () => this.#setConnected(false));
    stream.addEventListener('directory', (event) => this.#setDirectory(JSON.parse(event.data)));
    stream.addEventListener('message', (event) =>
      this.#afterReading(() => this.#put(JSON.parse(event.data))),
    );
    stream.addEventListener('deleted', (event) => {
      const { chat, messageId } = JSON.parse(event.data);
      this.#afterReading(() => {
        this.#messages.get(chat)?.delete(messageId);
        this.#tell('deleted', { chat, messageId });
      });
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
    const waiting = (this.#waiting = []);
    const [directory, { messages }] = await Promise.all([
      get('/sandbox/directory'),
      get('/sandbox/messages'),
    ]);
    // A later reading has begun, and will know all of this.
    if (this.#waiting !== waiting) return;
    this.#waiting = null;
    this.#messages.clear();
    for (const message of messages) this.#keep(message);
    this.#setDirectory(directory);
    this.#setConnected(true);
    this.#tell('loaded');
    for (const apply of waiting) apply();
  }

  #afterReading(apply) {
    if (this.#waiting) this.#waiting.push(apply);
    else apply();
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
