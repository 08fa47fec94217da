// What the kernel says about processes: CPU time, memory, and which are the children of which.
import fs from 'node:fs';

// A process, or one of its tasks, may end while we look.
function read(file) {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch (e) {
    if (e.code === 'ENOENT' || e.code === 'ESRCH') return undefined;
    throw e;
  }
}

function list(folder) {
  try {
    return fs.readdirSync(folder);
  } catch (e) {
    if (e.code === 'ENOENT' || e.code === 'ESRCH') return [];
    throw e;
  }
}

// A process and all that it started, and what they started.
export function family(pid) {
  const children = new Map();
  for (const p of list('/proc')) {
    if (!/^\d+$/.test(p)) continue;
    const parent = /^\d+ \(.*\) \S (\d+)/s.exec(read(`/proc/${p}/stat`) ?? '')?.[1];
    if (parent) children.set(+parent, [...(children.get(+parent) ?? []), +p]);
  }
  const all = [pid];
  for (let i = 0; i < all.length; i++) all.push(...(children.get(all[i]) ?? []));
  return all;
}

// Nanoseconds that each thread of these processes has been on a CPU, in user and in kernel mode. The scheduler's own sum: the
// utime and stime of /proc/PID/stat are cut to ticks of 10 ms, their total is the same (smoke.mjs compares them).
export function threads(pids) {
  return pids.flatMap((pid) => list(`/proc/${pid}/task`).map((tid) => +(read(`/proc/${pid}/task/${tid}/schedstat`) ?? '0').split(' ')[0]));
}

export function cpuNs(pids) {
  return threads(pids).reduce((a, b) => a + b, 0);
}

// How often their threads have begun to wait, and so were woken.
export function waits(pids) {
  const of = (pid, tid) => +(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${tid}/status`) ?? '')?.[1] ?? 0);
  return pids.flatMap((pid) => list(`/proc/${pid}/task`).map((tid) => of(pid, tid))).reduce((a, b) => a + b, 0);
}

// CPU time from the coarse counters: { user, system } in ms.
export function coarse(pids) {
  const sum = { user: 0, system: 0 };
  for (const pid of pids) {
    const f = /^\d+ \(.*\) (.*)$/s.exec(read(`/proc/${pid}/stat`) ?? '')?.[1].split(' ');
    if (!f) continue;
    sum.user += +f[11] * 10;
    sum.system += +f[12] * 10;
  }
  return sum;
}

// Resident memory of these processes in bytes; what they share counts in each.
export function rss(pids) {
  return pids.reduce((sum, pid) => sum + 1024 * +(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? 0), 0);
}
