import type { Actor, Person } from '../kernel/actor';
import { rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';

const MAX_NAME_LENGTH = 80;
/** The words of a scope, and its maker. */
const MAX_GRANT_LENGTH = 240;

/** Name and id of the actor, as code. */
export function who(actor: Actor): RichText {
  const short = (text: string) => shorten(visibleLine(text), MAX_NAME_LENGTH);
  switch (actor.kind) {
    case 'person':
      return whichPerson(actor, short(actor.name), short(actor.id));
    case 'policy':
      return rich`rule ${short(actor.rule)} of the policy`;
    case 'grant':
      return rich`the grant ${shorten(visibleLine(actor.name), MAX_GRANT_LENGTH)}`;
    case 'system':
      return words('Countersign');
  }
}

function whichPerson(person: Person, name: RichText, id: RichText): RichText {
  switch (person.channel) {
    case 'telegram':
      return rich`${name} (Telegram id ${id})`;
    case 'console':
      return rich`${name} (console, ${id})`;
    case 'api':
      return person.name === person.id ? rich`API key ${id}` : rich`${name} (API key ${id})`;
  }
}
