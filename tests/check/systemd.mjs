// The unit for systemd that we ship scores below 2.0 in `systemd-analyze security`, has no line that systemd does not know, and lets
// through each system call that the sandbox lets through. Where there is no systemd-analyze, it says so.
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { done, finding, read, root } from './lib.mjs';

const unit = 'integrations/systemd/freshet.service';
const most = 2.0;
const analyze = (...args) => spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' } });

// The calls of a group, with those of groups in it.
function group(name) {
  const all = new Set();
  for (const line of analyze('syscall-filter', '--no-pager', name).stdout.split('\n').slice(1).map((l) => l.trim())) {
    if (line.startsWith('@')) for (const call of group(line)) all.add(call);
    else if (line && !line.startsWith('#')) all.add(line);
  }
  return all;
}

function calls_of_unit() {
  const all = new Set();
  for (const [, no, words] of read(unit).matchAll(/^SystemCallFilter=(~?)(.*)$/gm))
    for (const word of words.split(' ')) for (const call of word.startsWith('@') ? group(word) : [word]) no ? all.delete(call) : all.add(call);
  return all;
}

function calls_of_sandbox() {
  const text = read('src/io/sandbox_calls.c');
  const list = /static const char allowed\[\] =([\s\S]*?)#ifdef FRESHET_SANITIZED/.exec(text)[1];
  const some = [...text.matchAll(/^ *\{ "(\w+)",/gm)].map((m) => m[1]);
  return [...[...list.matchAll(/"([^"]*)"/g)].flatMap((m) => m[1].trim().split(' ')), ...some];
}

let seen = 0;
if (analyze('--version').status !== 0) {
  console.log('check systemd: skipped, there is no systemd-analyze here');
  process.exit(77);
} else {
  const r = analyze('security', '--offline=true', path.join(root, unit));
  const score = /Overall exposure level for \S+: ([\d.]+)/.exec(r.stdout)?.[1];
  if (score === undefined) finding(unit, 1, `systemd-analyze says no score: ${r.stderr.trim()}`);
  else if (+score >= most) finding(unit, 1, `scores ${score} in systemd-analyze security, not below ${most}`);
  for (const line of r.stderr.split('\n')) if (/ignoring|Unknown/.test(line)) finding(unit, 1, line);
  const let_through = calls_of_unit();
  // Another name of what newer libraries call: no program of this system makes them.
  const calls = calls_of_sandbox();
  for (const call of calls) if (!let_through.has(call)) finding(unit, 1, `the sandbox permits ${call}, the unit does not`);
  seen = calls.length + 1;
}
done('systemd', seen, 'system calls and a score');
