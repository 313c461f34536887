import { memberOf } from '../tool-shapes';
import { nameOf } from '../shell/carriers';
import type { Facts } from './facts';

const namesIn = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Programs that read what to do from the terminal when no operand names it. */
const SHELLS = namesIn(
  `bash sh zsh dash ksh fish csh tcsh pwsh powershell python ipython node deno bun irb pry ruby lua r julia ghci iex scala
   groovy jshell clojure php perl redis-cli nc ncat screen tmux gdb lldb busybox`,
);
/** Programs that read statements from the terminal, also from a database or a host that one operand names. */
const CLIENTS = namesIn('sqlite duckdb mongo mongosh telnet ftp sftp');
/** Programs that take statements only by a flag, whatever operands they have. */
const SQL_CLIENTS = namesIn('psql mysql mariadb');
/** Programs that run the command in their operands. */
const WRAPPERS = namesIn('sudo sudo-rs doas env exec command nohup time nice ionice stdbuf setsid timeout');
const CONTAINERS = namesIn('docker podman nerdctl kubectl oc');

/** Flags with which a program runs what follows them, or says something and ends. */
const RUNS_AND_ENDS =
  /^(?:-[A-Za-z]*[cefhpvV?]|-(?:cmd|version|help)|--(?:command|file|exec|execute|eval|print|list|version|help|check|test)(?:=.*)?)$/;
/** Flags of ssh that have a value. */
const SSH_VALUE = /^-[A-Za-z]*[bcDEeFIiJLlmOopQRSWw]$/;

/** True if the request starts a shell or an interpreter at a terminal: nobody can see what runs in it. */
export function isInteractive(facts: Facts): boolean {
  const terminal = facts.shape && memberOf(facts.shape, 'terminal');
  const asked = terminal ?? (facts.shape === null ? 'tty' : null);
  const value = asked === null ? null : (facts.request.toolInput[asked] ?? null);
  if (value !== null && value !== false && value !== 0 && value !== '') return true;
  const command = facts.command();
  if (command === null || command.doubt !== null) return false;
  return command.statements
    .flat()
    .flatMap(({ commands }) => commands)
    .some(({ words }) => waitsAtTerminal(words));
}

/** True if a command of these words reads what to do from a terminal. */
function waitsAtTerminal([program = '', ...rest]: readonly string[]): boolean {
  const name = nameOf(program);
  if (WRAPPERS.has(name)) return wraps(name, rest);
  if (name === 'su') return !rest.some((word) => /^-[A-Za-z]*c|^--command/.test(word));
  if (name === 'ssh' || name === 'mosh') return opensShell(rest);
  if (CONTAINERS.has(name))
    return (
      /^(?:exec|run|attach)$/.test(rest[0] ?? '') && rest.some((word) => /^-[a-z]*t[a-z]*$|^--tty/.test(word))
    );
  if (rest.some((word) => RUNS_AND_ENDS.test(word) && !(SQL_CLIENTS.has(name) && /^-[hp]$/.test(word))))
    return false;
  if (SQL_CLIENTS.has(name)) return true;
  const operands = rest.filter((word) => !word.startsWith('-')).length;
  if (CLIENTS.has(name)) return operands <= 1;
  return SHELLS.has(name) && operands === 0;
}

/** The wrapped command begins at the first word that is no flag, or behind it, if that is the value of a flag. */
function wraps(name: string, rest: readonly string[]): boolean {
  const isPlain = (word: string): boolean => !word.startsWith('-') && !/^\w+=/.test(word);
  const at = rest.findIndex(isPlain);
  if (at < 0)
    return name.startsWith('sudo') && rest.some((word) => /^-[a-z]*[is]|^--(?:login|shell)/.test(word));
  const mayBeValue = name === 'timeout' || rest[at - 1]?.startsWith('-') === true;
  return waitsAtTerminal(rest.slice(at)) || (mayBeValue && waitsAtTerminal(rest.slice(at + 1)));
}

/** True if ssh gets a host and no command, or is told to make a terminal. */
function opensShell(rest: readonly string[]): boolean {
  if (rest.some((word) => /^-t+$/.test(word))) return true;
  if (rest.some((word) => /^-[A-Za-z]*[NTVGQf]/.test(word))) return false;
  const operands = rest.filter((word, i) => !word.startsWith('-') && !SSH_VALUE.test(rest[i - 1] ?? ''));
  return operands.length <= 1;
}
