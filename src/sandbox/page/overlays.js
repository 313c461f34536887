import { byId, el } from './dom.js';

const TOAST_MS = 4500;

/** A short note below the header that goes by itself; said again, it begins anew. */
export function toast(text, kind = 'plain') {
  const note = el('div', { class: `toast toast-${kind}`, text });
  const toasts = byId('toasts');
  [...toasts.children].find((other) => other.isEqualNode(note))?.remove();
  toasts.append(note);
  setTimeout(() => {
    note.classList.add('leaving');
    setTimeout(() => note.remove(), 250);
  }, TOAST_MS);
}

/** A window that wants an OK, for answers with `show_alert`. */
export function alertWindow(from, text) {
  const dialog = byId('alert');
  byId('alert-from').textContent = from;
  byId('alert-text').textContent = text;
  if (!dialog.open) dialog.showModal();
}
