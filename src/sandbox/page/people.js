import { avatar, byId, el, icon, redraw } from './dom.js';

const ROLES = { 1: 'operator in the demo', 2: 'stranger' };

/** Whom you tap and write as: the list in the side bar, and the same as a menu in the chat's header. */
export class People {
  /** The numeric id of the chosen person, who stays when the page is loaded again. */
  me = Number(sessionStorage.getItem('me') ?? 1);
  /** Chosen before: they stay to be chosen while the sandbox does not know them. */
  #extra = new Set([this.me]);

  constructor(store, onChange) {
    this.store = store;
    this.onChange = onChange;
    const menu = byId('acting-menu');
    const button = byId('acting');
    const toggle = (open) => {
      menu.hidden = !open;
      button.setAttribute('aria-expanded', String(open));
      if (open) menu.querySelector('[aria-checked="true"]')?.focus();
    };
    button.addEventListener('click', () => toggle(menu.hidden));
    document.addEventListener('click', (event) => {
      if (!event.composedPath().includes(button.parentElement)) toggle(false);
    });
    menu.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      toggle(false);
      button.focus();
    });
    menu.addEventListener('click', () => {
      toggle(false);
      button.focus();
    });
    byId('people-add').addEventListener('submit', (event) => {
      event.preventDefault();
      const field = byId('person-id');
      const id = Number(field.value);
      if (!Number.isSafeInteger(id) || id <= 0) return;
      field.value = '';
      this.choose(id);
    });
  }

  choose(id) {
    this.me = id;
    this.#extra.add(id);
    sessionStorage.setItem('me', String(id));
    this.render();
    this.onChange();
  }

  render() {
    const known = this.store.directory.users.filter((user) => !user.is_bot);
    const added = [...this.#extra].filter((id) => !known.some((user) => user.id === id));
    const all = [...known, ...added.map((id) => ({ id, first_name: `User ${id}` }))];
    for (const list of ['people', 'acting-menu']) {
      redraw(
        byId(list),
        all.map((user) => this.#option(user)),
        '[aria-checked="true"]',
      );
    }
    const me = all.find((user) => user.id === this.me);
    const button = byId('acting');
    button.replaceChildren(
      avatar({ id: me.id, name: me.first_name, small: true }),
      el('span', { class: 'acting-words' }, el('small', { text: 'as' }), el('span', { text: me.first_name })),
      icon('down'),
    );
    button.setAttribute('aria-label', `You tap and write as ${me.first_name}; change`);
  }

  #option(user) {
    const chosen = user.id === this.me;
    const option = el(
      'button',
      {
        type: 'button',
        class: 'person',
        role: 'radio',
        'aria-checked': String(chosen),
        tabindex: chosen ? '0' : '-1',
        'data-user': String(user.id),
      },
      avatar({ id: user.id, name: user.first_name, small: true }),
      el(
        'span',
        { class: 'person-words' },
        el('span', { class: 'person-name', text: user.first_name }),
        el('span', {
          class: 'person-role',
          text: [ROLES[user.id], `id ${user.id}`].filter(Boolean).join(' · '),
        }),
      ),
      chosen ? icon('check') : null,
    );
    option.addEventListener('click', () => this.choose(user.id));
    option.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const siblings = [...option.parentElement.children];
      const next = siblings[(siblings.indexOf(option) + step + siblings.length) % siblings.length];
      this.choose(Number(next.dataset.user));
    });
    return option;
  }
}
