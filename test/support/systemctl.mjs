#!/usr/bin/env node
// As much of systemctl as the documents use, on a machine without systemd: it reads the units and does what they say,
// but for the sandboxing. Units are in UNITS, the state of the running ones is below STATE.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const { UNITS, STATE } = process.env;

function pairs(text) {
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.includes('=') && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Reads a unit and fills in its specifiers. */
function unitOf(name) {
  const [template, instance = ''] = name.split('@');
  const file = join(UNITS, `${template}${name.includes('@') ? '@' : ''}.service`);
  const credentials = join(STATE, name, 'credentials');
  const entries = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]\w+=/.test(line))
    .map((line) => line.replaceAll('%i', instance).replaceAll('%d', credentials))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  const all = (key) => entries.filter(([each]) => each === key).map(([, value]) => value);
  return { all, credentials };
}

const pidFile = (name) => join(STATE, name, 'pid');

async function start(name) {
  const { all, credentials } = unitOf(name);
  mkdirSync(credentials, { recursive: true });
  for (const each of all('LoadCredential')) {
    const [id, path] = each.split(':');
    cpSync(path, join(credentials, id));
  }
  const files = all('EnvironmentFile').map((path) => pairs(readFileSync(path.replace(/^-/, ''), 'utf8')));
  const set = all('Environment').flatMap((value) => value.split(' ').map((pair) => pairs(pair)));
  const env = Object.assign({ PATH: process.env.PATH }, ...set, ...files);
  if (env.DATA_DIR) mkdirSync(env.DATA_DIR, { recursive: true, mode: 0o700 });
  const [command, ...args] = all('ExecStart')[0].split(' ');
  const log = openSync(join(STATE, name, 'log'), 'a');
  const cwd = all('WorkingDirectory')[0];
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
  if (all('Type')[0] === 'oneshot') {
    const code = await new Promise((ended) => child.once('close', ended));
    if (code !== 0) throw new Error(`${name} failed:\n${readFileSync(join(STATE, name, 'log'), 'utf8')}`);
    return;
  }
  writeFileSync(pidFile(name), String(child.pid));
  child.unref();
}

async function stop(name) {
  if (!existsSync(pidFile(name))) return;
  const pid = Number(readFileSync(pidFile(name), 'utf8'));
  // It is nobody's child any more, so it leaves no zombie that would look alive.
  for (let signal = 'SIGTERM'; ; signal = 0) {
    try {
      process.kill(pid, signal);
    } catch {
      break;
    }
    await sleep(50);
  }
  rmSync(pidFile(name));
}

const [verb, ...names] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
for (const name of names) {
  if (verb === 'stop' || verb === 'restart') await stop(name);
  if (verb === 'start' || verb === 'restart' || verb === 'enable') await start(name);
}
