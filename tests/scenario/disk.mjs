// A disk that gets full, or stands, when a scenario says so: a library that is loaded before libc (tests/faults/faults.c).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { soon } from './lib.mjs';

const source = fileURLToPath(new URL('../faults/faults.c', import.meta.url));

// From now on each freshet of this scenario has it. It needs `--sandbox off`: the library looks at files that freshet may not.
export class Disk {
  constructor() {
    const program = process.env.FRESHET, library = path.resolve('faults.so');
    this.folder = path.resolve('disk');
    fs.mkdirSync(this.folder);
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl']);
    // A sanitizer's library must come before all others.
    const bytes = fs.readFileSync(program), name = ['asan', 'tsan'].find((s) => bytes.includes(`__${s}_init`));
    const sanitizer = name ? `${execFileSync('cc', [`-print-file-name=lib${name}.so`], { encoding: 'utf8' }).trim()}:` : '';
    fs.writeFileSync('freshet.sh', `#!/bin/sh\nexport ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" FAULT_DISK='${this.folder}'\n` +
      `LD_PRELOAD='${sanitizer}${library}' exec '${program}' "$@"\n`, { mode: 0o755 });
    process.env.FRESHET = path.resolve('freshet.sh');
  }

  at(name) {
    return path.join(this.folder, name);
  }

  // `full` or `stands`, until `is_well`.
  gets(how) {
    fs.writeFileSync(this.at(how), '');
  }

  // Somebody waits for a disk that stands.
  is_waited_for() {
    return soon(() => fs.existsSync(this.at('stood')));
  }

  is_well() {
    for (const name of ['full', 'stands', 'stood']) fs.rmSync(this.at(name), { force: true });
  }
}
