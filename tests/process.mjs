// What is asked of a freshet from outside, by each suite that runs one.
import fs from 'node:fs';

// What no log may hold: the sanitizers' reports and a failed CHECK.
export const alarm = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|CHECK failed|Assertion/;

// The part of a log that an alarm is in.
export const alarmed = (log) => log.slice(Math.max(0, log.search(alarm) - 300)).slice(0, 8000);

// A process that nobody has waited for yet does not.
export function lives(pid) {
  try {
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
