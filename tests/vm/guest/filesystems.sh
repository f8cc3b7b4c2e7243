#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/vm/lib.sh
#
# Guest side of filesystems.t: what a user meets who has blacklisted modules, or not
# installed programs.

. tests/vm/guest/lib.sh

start_store

mkdir -p /run/modprobe.d
printf 'blacklist ntfs3\nblacklist ntfs\nblacklist xfs\n' >/run/modprobe.d/test.conf

# shown: the type of what is mounted at /mnt
shown() {
	awk '$2 == "/mnt" { type = $3 } END { print type }' /proc/mounts
}

unmounted() {
	timeout 60 clouddrivectl unmount "$@"
}

program() {
	pidof mount.ntfs-3g
}

# --- NTFS without ntfs3 -------------------------------------------------------------------

clouddrivectl create "$base/ntfs" --size 64M --fs ntfs >&2 || bail_out "no drive could be made"
is "$(timeout 60 clouddrivectl mount "$base/ntfs" --fsck)" "/dev/cdrive0 /mnt/cdrive0" "NTFS is mounted"
is "$(findmnt -no FSTYPE,SOURCE /mnt/cdrive0)" "fuseblk /dev/cdrive0p1" "by ntfs-3g"
device=/dev/cdrive0 sysfs=/sys/block/cdrive0
pid=$(program)
is "$(grep -c AZURE "/proc/$pid/environ")" 0 "which has no key in its environment"
# SIGHUP, SIGINT and SIGTERM are bits 0, 1 and 14.
for mask in SigBlk SigIgn; do
	is $(($(sed -n "s/^$mask:\t/0x/p" "/proc/$pid/status") & 0x4003)) 0 "and can be ended by signals: $mask"
done
find "/proc/$pid/fd" -printf '%l\n' | grep -Ev '^(/dev/(null|fuse|cdrive0p1))?$' >/tmp/files
is "$(cat /tmp/files)" "" "and has no files of this program's"

head -c 20000000 /dev/urandom >/tmp/file
try "files are written" cp /tmp/file /mnt/cdrive0/file
is "$(clouddrivectl mount "$base/ntfs")" "/dev/cdrive0 /mnt/cdrive0" "mounted again it is the same"
is "$(clouddrivectl list --json | jq -r '.[].mount_point')" /mnt/cdrive0 "list shows where"
taken=$(clouddrivectl snapshot /mnt/cdrive0 2>/tmp/said)
ok $? "a snapshot is taken"
try "which says that it was not frozen" grep -q 'no file system that can be frozen' /tmp/said

tail -f /mnt/cdrive0/file >/dev/null &
reader=$!
reads() {
	readlink "/proc/$reader/fd"/* | grep -q /mnt/cdrive0/file
}
wait_for 20 reads
try "files in use: unmount says by whom" refused "files in use by tail ($reader)" unmounted /mnt/cdrive0
kill $reader
wait $reader
try "unmount" unmounted /mnt/cdrive0
try "ntfs-3g has ended" wait_for 10 ended "$pid"

timeout 60 clouddrivectl mount "$base/ntfs" /mnt >&2
try "mounted again, all is there" cmp /tmp/file /mnt/file
try "a helper that dies" kill -9 "$(status .helper_pid)"
echo 3 >/proc/sys/vm/drop_caches
try "is followed by one from which all can be read" timeout 60 cmp /tmp/file /mnt/file
pid=$(program)
tail -f /mnt/file >/dev/null &
reader=$!
try "files in use: unmount --force" unmounted /mnt --force
try "the device is gone" [ ! -e /dev/cdrive0 ]
kill $reader
wait $reader
try "and ntfs-3g, when nobody has its files open" wait_for 10 ended "$pid"

timeout 60 clouddrivectl mount "$taken" /mnt >&2
try "the snapshot has what was written before" cmp /tmp/file /mnt/file
try "nothing can be written to it" refused 'Read-only' touch /mnt/new
try "unmount by mount point" unmounted /mnt

# --- nor ntfs-3g ----------------------------------------------------------------------------

mkdir -p /run/over /run/work
mount -t overlay -o lowerdir=/usr/sbin,upperdir=/run/over,workdir=/run/work overlay /usr/sbin
rm /usr/sbin/mount.ntfs-3g
timeout 60 clouddrivectl mount "$base/ntfs" >/tmp/out 2>&1
is "$? $(cat /tmp/out)" "1 clouddrivectl: mount: $base/ntfs: its ntfs file system can't be mounted at /mnt/cdrive0: the kernel has no ntfs3, and ntfs-3g is not installed; install ntfs-3g" \
	"without both: what to do"
is "$(clouddrivectl list --json)" "[]" "nothing of it is left"
try "nor its mount point" [ ! -e /mnt/cdrive0 ]
umount /usr/sbin

# --- others -----------------------------------------------------------------------------------

clouddrivectl create "$base/xfs" --size 320M --fs xfs >&2
timeout 60 clouddrivectl mount "$base/xfs" >/tmp/out 2>&1
is "$? $(cat /tmp/out)" "1 clouddrivectl: mount: $base/xfs: its xfs file system can't be mounted at /mnt/cdrive0: this kernel has no xfs; load its module, or boot a kernel that has it" \
	"XFS without a module: what to do"
rm /run/modprobe.d/test.conf
timeout 60 clouddrivectl mount "$base/xfs" /mnt >&2
is "$(shown)" xfs "with it, it is mounted"
try "unmount" unmounted /mnt
timeout 60 clouddrivectl mount "$base/ntfs" /mnt >&2
# (6.1 has not.)
modinfo ntfs3 >/dev/null 2>&1 && type=ntfs3 || type=fuseblk
is "$(shown)" "$type" "and NTFS by the kernel, if it has ntfs3"
try "what ntfs-3g wrote is there" cmp /tmp/file /mnt/file
try "unmount" unmounted /mnt
try "the module can be unloaded" wait_for 10 rmmod cdrive
