#!/bin/bash
# The unit under a real systemd: it starts, reloads, is replaced by a new process, is started by a connection, and is ended and started anew when it stands.
# No part of `make test`: it needs root, cgroups of version 2 that may be written, and systemd, node and curl.
# systemd is the first process of a small machine of its own (inside.sh): own processes, mounts, network and control group.
# Usage: tests/systemd/run.sh [FRESHET]. Last line: N passed, N failed, N skipped.
cd "$(dirname "$0")/../.."
freshet=$(readlink -f "${1:-build/freshet}") passed=0 failed=0
skip() { echo "$1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
[ "$(id -u)" = 0 ] || skip "it needs root"
[ -x /lib/systemd/systemd ] || skip "systemd is not installed"
for base in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ "$(stat -fc %T $base 2>/dev/null)" = cgroup2fs ] && group=$base/freshet-test-$$; done
mkdir "$group" 2>/dev/null || skip "no control group can be made"
root=$(mktemp -d)
bash -c "echo \$\$ > $group/cgroup.procs && exec unshare --pid --mount --cgroup --ipc --uts --net --fork --kill-child bash tests/systemd/inside.sh $root $freshet" &
outer=$!
end() {
  [ -n "$first" ] && kill -9 "$first" 2>/dev/null
  kill -9 "$outer" 2>/dev/null
  wait "$outer" 2>/dev/null
  for _ in $(seq 100); do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$group" ] || break
    sleep 0.1
  done
  rmdir "$root"
}
trap end EXIT
# Within 20 seconds.
until_true() { for _ in $(seq 200); do "$@" 2>/dev/null && return 0; sleep 0.1; done; return 1; }
is_begun() { first=$(pgrep -P "$outer") && [ "$(cat /proc/"$first"/comm)" = systemd ]; }
until_true is_begun || skip "systemd does not start here"
in_it() { timeout 60 nsenter -t "$first" --all --wd=/ "$@"; }
until_true in_it systemctl is-active -q ready.target || skip "systemd does not come up here"

is() { in_it systemctl show -P "$1" freshet; }
is_active() { [ "$(is ActiveState)" = active ]; }
page() { in_it curl -s -m 5 "http://127.0.0.1$1"; }
has() { [ "$(page "$1")" = "$2" ]; }
is_new() { [ "$(is MainPID)" != "$old" ] && is_active && [ "$(is MainPID)" != 0 ]; }
said() { in_it grep -q "$1" /run/freshet.log; }
has_restarted() { [ "$(is NRestarts)" = 1 ] && is_active; }
check() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); echo "ok $what"; else
    failed=$((failed + 1))
    echo "FAILED $what"
    in_it systemctl status --no-pager freshet | head -20
    in_it tail -5 /run/freshet.log
    [ "$passed" = 0 ] && exit 1
  fi
}
in_it systemctl start origin
check 'it starts, and systemd waits until it serves' in_it systemctl start freshet
check 'it is active' is_active
until_true has /a '/a 1'
check 'it serves' has /a '/a 1'
check 'it is not root' [ "$(in_it stat -c %u /proc/"$(in_it systemctl show -P MainPID freshet)")" != 0 ]
check 'it reloads' in_it systemctl reload freshet
check 'it is active again' until_true is_active
old=$(is MainPID)
in_it systemctl kill -s USR2 --kill-whom=main freshet
check 'a new process takes over, and systemd follows to it' until_true is_new
check 'with what was stored' has /a '/a 1'
old=$(is MainPID)
[ "$old" -gt 1 ] && in_it kill -STOP "$old"
check 'it stands: systemd ends it and starts it anew' until_true has_restarted
check 'with what was stored on disk' until_true has /a '/a 1'
in_it systemctl stop freshet
check 'it ends when it is told to' [ "$(is Result)" = success ]
in_it systemctl start freshet.socket
check 'a socket of systemd is there, and it is not started' [ "$(is ActiveState)" = inactive ]
check 'a connection starts it, and is answered' until_true has /a '/a 1'
check 'it is active' is_active
in_it systemctl stop freshet.socket freshet
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
