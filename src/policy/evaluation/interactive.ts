import { memberOf } from '../tool-shapes';
import type { Facts } from './facts';

/** Programs that read what to do from the terminal when they are called without arguments. */
const SHELLS: ReadonlySet<string> = new Set(
  `bash sh zsh dash ksh fish csh tcsh pwsh python python2 python3 ipython node deno bun irb pry ruby lua R julia ghci
   iex scala groovy jshell clojure php perl psql mysql sqlite3 redis-cli mongosh ssh telnet nc screen tmux`
    .trim()
    .split(/\s+/),
);

/** True if the request starts a shell or an interpreter at a terminal: nobody can see what runs in it. */
export function isInteractive(facts: Facts): boolean {
  const terminal = facts.shape && memberOf(facts.shape, 'terminal');
  if (terminal && facts.request.toolInput[terminal] === true) return true;
  if (facts.shape === null && facts.request.toolInput.tty === true) return true;
  const command = facts.command();
  if (command === null || command.doubt !== null) return false;
  return command.statements
    .flat()
    .flatMap(({ commands }) => commands)
    .some(
      ({ words: [name, ...rest] }) => SHELLS.has(name.slice(name.lastIndexOf('/') + 1)) && rest.every(isFlag),
    );
}

function isFlag(word: string): boolean {
  return /^(?:-i|-l|-il|-li|-s|--login|--interactive|-a)$/.test(word);
}
