#!/bin/bash
# The first process of the machine that run.sh makes, until systemd takes its place. $1: a new root, $2: the program. The root has nothing of the machine
# around it but /usr, the program, and a few of /etc's names, none of which can be written: systemd empties /tmp when it starts.
set -e
root=$1 freshet=$2 here=$(dirname "$(readlink -f "$0")")
mount --make-rprivate /
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr etc var/lib var/log var/tmp home tmp run proc sys dev opt root old
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
read_only() { mount --rbind "$1" "$2" && mount -o remount,bind,ro "$2"; }
read_only /usr usr
mount -t tmpfs none usr/local
mkdir -p usr/local/bin etc/systemd/system etc/freshet
touch usr/local/bin/freshet
read_only "$freshet" usr/local/bin/freshet
cp -r "$here/../../integrations/systemd/freshet.service" "$here/units/." etc/systemd/system/
cp "$here/freshet.yaml" etc/freshet/
cp "$here/origin.mjs" opt/
for name in passwd group nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d alternatives; do cp -r /etc/$name etc/ 2>/dev/null || true; done
tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id
mount -t tmpfs none dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/shm dev/pts
mount -t devpts none dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs none run
mount -t proc none proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro none sys
mount -t cgroup2 none sys/fs/cgroup
pivot_root . old
umount -l /old
rmdir /old
! test -e /work && ! touch /usr/bin/x 2>/dev/null && ! { echo 1 > /proc/sys/vm/swappiness; } 2>/dev/null # nothing of others is there
export container=freshet-test
exec /lib/systemd/systemd --system --unit=ready.target --log-target=null
