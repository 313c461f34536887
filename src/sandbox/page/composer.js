import { byId, el, icon } from './dom.js';
import { quote } from './message-view.js';

/** The field where one writes: grows with the text, offers the bot's commands, quotes what is replied to. */
export class Composer {
  #replyTo = null;
  #highlighted = 0;

  /** @param onSend `(text, replyTo message id or undefined) => Promise` */
  constructor(store, onSend) {
    this.store = store;
    this.onSend = onSend;
    this.draft = byId('draft');
    byId('send').append(icon('send'));
    byId('replying-cancel').append(icon('close'));
    byId('command-button').append(icon('slash'));
    this.draft.addEventListener('input', () => this.#changed());
    this.draft.addEventListener('keydown', (event) => this.#key(event));
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    byId('replying-cancel').addEventListener('click', () => this.replyTo(null));
    byId('command-button').addEventListener('click', () => {
      this.draft.value = this.draft.value.startsWith('/') ? '' : '/';
      this.draft.focus();
      this.#changed();
    });
  }

  /** Shows the commands button once the bot has commands. */
  refresh() {
    byId('command-button').hidden = this.store.commands().length === 0;
  }

  replyTo(message) {
    this.#replyTo = message;
    byId('replying').hidden = message === null;
    if (!message) return;
    byId('replying-quote').replaceChildren(...quote(message, this.store));
    this.draft.focus();
  }

  #matching() {
    const typed = /^\/([a-z0-9_]*)$/i.exec(this.draft.value)?.[1]?.toLowerCase();
    return typed === undefined ? [] : this.store.commands().filter((c) => c.command.startsWith(typed));
  }

  #changed() {
    this.draft.style.height = 'auto';
    this.draft.style.height = `${Math.min(this.draft.scrollHeight, 180)}px`;
    byId('send').disabled = this.draft.value.trim() === '';
    this.#highlighted = 0;
    this.#showCommands();
  }

  #showCommands() {
    const matching = this.#matching();
    byId('commands').replaceChildren(
      ...matching.map(({ command, description }, index) =>
        el(
          'button',
          {
            type: 'button',
            class: 'command-option',
            role: 'option',
            id: `command-${index}`,
            tabindex: '-1',
            'aria-selected': String(index === this.#highlighted),
            onclick: () => void this.#sendText(`/${command}`),
          },
          el('span', { class: 'command-name', text: `/${command}` }),
          el('span', { class: 'command-about', text: description }),
        ),
      ),
    );
    this.#offer(matching.length > 0);
  }

  /** Shows or hides the list; while it is there, the field is its combobox. */
  #offer(shown) {
    byId('commands').hidden = !shown;
    const states = {
      role: 'combobox',
      'aria-autocomplete': 'list',
      'aria-controls': 'commands',
      'aria-expanded': 'true',
      'aria-activedescendant': `command-${this.#highlighted}`,
    };
    for (const [name, value] of Object.entries(states)) {
      if (shown) this.draft.setAttribute(name, value);
      else this.draft.removeAttribute(name);
    }
  }

  #key(event) {
    const matching = this.#matching();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && matching.length > 0) {
      event.preventDefault();
      this.#highlighted = (this.#highlighted + step + matching.length) % matching.length;
      this.#showCommands();
    } else if (event.key === 'Tab' && matching.length > 0 && !event.shiftKey) {
      event.preventDefault();
      this.draft.value = `/${matching[this.#highlighted].command}`;
      this.#changed();
    } else if (event.key === 'Escape') {
      if (matching.length > 0) this.#offer(false);
      else this.replyTo(null);
    } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      const chosen = matching[this.#highlighted];
      void (chosen && !byId('commands').hidden ? this.#sendText(`/${chosen.command}`) : this.#send());
    }
  }

  #send() {
    return this.#sendText(this.draft.value.trim());
  }

  async #sendText(text) {
    if (text === '') return;
    const replied = this.#replyTo;
    this.draft.value = '';
    this.replyTo(null);
    this.#changed();
    this.draft.focus();
    const sent = await this.onSend(text, replied?.messageId);
    if (sent || this.draft.value !== '') return;
    // What could not be sent comes back to be tried again.
    this.draft.value = text;
    this.replyTo(replied);
    this.#changed();
  }
}
