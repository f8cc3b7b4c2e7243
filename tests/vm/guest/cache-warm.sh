#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of cache-warm.t.
# usage: cache-warm.sh

. tests/vm/guest/lib.sh

start_store

# Reads that the service was asked for, since it was started.
reads() {
	clouddrivectl devstore counters --control "$control" | jq '[.. | objects | select(has("GetBlob")) | .GetBlob.calls][0] // 0'
}

read_blocks() {
	timeout 120 tests/vm/guest/read_blocks.py "$device" 400
}

# passes NAME READS: the same is read as before, by at most so many reads of the service
passes() {
	before=$(reads)
	is "$(read_blocks)" "$sum" "$1: the data is right"
	after=$(reads)
	[ $((after - before)) -le "$2" ]
	ok $? "$1: $((after - before)) reads of the service"
}

# began WORD: the drive's cache
began() {
	status .cache.start | grep -q "$1"
}

# Nothing is on its way into the cache any more.
entered() {
	was=$(status .cache.used)
	sleep 0.2
	[ "$(status .cache.used)" = "$was" ] && [ "$was" -ge "$1" ]
}

# --- set up -------------------------------------------------------------------------------

modprobe cdrive
cache_disk=$(find /dev -maxdepth 1 -name 'vda' -o -maxdepth 1 -name 'ubda' -o -maxdepth 1 -name 'ubdb' | sort | tail -n 1)
mkdir -p /var/cache/drives
if ! mkfs.ext4 -q "$cache_disk" || ! mount "$cache_disk" /var/cache/drives; then
	bail_out "no file system for the cache on $cache_disk"
fi
make_drive "$base/disk" 64M
try "without a cache, no part of it" refused 'this machine has no cache' \
	clouddrivectl mount "$url" --no-fs --cache 16M
try "the drive is not left behind" sh -c '[ "$(clouddrivectl list --json)" = "[]" ]'
try "init-cache" clouddrivectl init-cache /var/cache/drives --size 96M

# --- a remount ------------------------------------------------------------------------------

mount_again
dd if=/dev/urandom of="$device" bs=1M oflag=direct 2>/dev/null
sum=$(read_blocks)
is "$(status .cache.reserved)" false "it shares the cache"
try "what was read is in the cache" wait_for 20 entered $((400 * 16384))
passes "read again" 0
try "and counted" [ "$(status .cache.hits)" -ge 400 ]
try "unmount" unmount_drive
try "the cache is closed" [ "$(clouddrivectl init-cache --json | jq -r .state)" = closed ]
try "and its index is there" [ -s /var/cache/drives/clouddrive.index ]
mount_again
try "mounted again: the index is gone" [ ! -e /var/cache/drives/clouddrive.index ]
try "it is warm" began warm
passes "mounted again" 0

helper=$(helper_pid)
kill -9 "$helper"
try "a helper that dies has a successor" wait_for 20 another_than "$helper"
wait_for 20 state_is live
passes "after a helper's death" 0
try "unmount" unmount_drive
rmmod cdrive && umount /var/cache/drives && mount "$cache_disk" /var/cache/drives
ok $? "nothing keeps the module or the file system of the cache"
mount_again
try "the module reloaded: it is warm" began warm
passes "the module reloaded" 0

# --- what is written changes what is cached -----------------------------------------------------

dd if=/dev/urandom of="$device" bs=1M count=8 seek=20 oflag=direct 2>/dev/null
sum=$(read_blocks)
wait_for 20 entered $((380 * 16384))
try "unmount after writing" unmount_drive
mount_again
try "it is warm" began warm
passes "what was written" 0

# --- somebody else writes -----------------------------------------------------------------------

try "unmount" unmount_drive
mv /etc/clouddrive/cache.conf /tmp
mount_again
try "without a cache" [ "$(status .cache)" = null ]
dd if=/dev/zero of="$device" bs=1M count=16 seek=40 oflag=direct 2>/dev/null
sum=$(read_blocks)
try "unmount" unmount_drive
mv /tmp/cache.conf /etc/clouddrive
mount_again
try "the blob has changed: cold" began 'has changed'
try "its part of the cache is empty" [ "$(status .cache.used)" -lt $((100 * 16384)) ]
passes "the blob has changed" 500
wait_for 20 entered $((380 * 16384))

# --- an unclean shutdown ---------------------------------------------------------------------------

agent=$(clouddrivectl list --json | jq '.[0].agent_pid')
kill -9 "$agent" "$(helper_pid)"
wait_for 10 state_is parked
# As if the machine had ended here: what is in memory is lost.
python3 -c '
import fcntl, os
fcntl.ioctl(os.open("/dev/cdrive-cache", os.O_RDWR), 0xCDD1)'
try "killed, the drive is taken away" unmount_drive --force
mount_again --force # its lease is there still
try "cold after an unclean shutdown" began 'unclean shutdown'
passes "cold" 500
wait_for 20 entered $((380 * 16384))

# --- an index that is damaged -------------------------------------------------------------------------

try "unmount" unmount_drive
printf x | dd of=/var/cache/drives/clouddrive.index bs=1 seek=1000 conv=notrunc 2>/dev/null
try "a damaged index is said" sh -c \
	'timeout 120 clouddrivectl mount "$0" --no-fs 2>&1 >/tmp/device | grep -q "begins cold, its index"' "$url"
device=$(cat /tmp/device)
passes "a damaged index" 500

# --- shares -------------------------------------------------------------------------------------------

make_drive "$base/second" 16M
second=$url
try "a second drive, 64M of the cache" sh -c 'clouddrivectl mount "$0" --no-fs --cache 64M >/tmp/second' "$second"
make_drive "$base/third" 16M
try "more than is left is refused, with who has what" refused \
	"of the cache's 96M only 32M are left: $(cat /tmp/second) has 64M" \
	clouddrivectl mount "$url" --no-fs --cache 48M
try "and not left behind" sh -c '[ "$(clouddrivectl list --json | jq length)" = 2 ]'
try "a smaller cache than is reserved is refused" refused 'drives have reserved 64M' \
	clouddrivectl init-cache /var/cache/drives --size 48M
try "it becomes smaller" clouddrivectl init-cache /var/cache/drives --size 80M
try "and larger" clouddrivectl init-cache /var/cache/drives --size 128M
try "a reservation is changed" clouddrivectl mount "$second" --no-fs --cache 16M
is "$(clouddrivectl init-cache --json | jq .reserved)" $((16 << 20)) "and told"
try "the second is unmounted" clouddrivectl unmount "$second"
url=$base/disk

# --- warm ----------------------------------------------------------------------------------------------

try "warm" clouddrivectl warm "$device"
passes "warmed" 0
try "moved" clouddrivectl init-cache /var/tmp --size 16M
try "warm: the cache is full" sh -c 'clouddrivectl warm "$0" 2>&1 | grep -q "part of the cache is full"' "$device"
try "off" clouddrivectl init-cache --off
try "nothing is left of it" sh -c '! ls /var/tmp/clouddrive.* /var/cache/drives/clouddrive.* 2>/dev/null'
passes "without a cache" 500
try "unmount" unmount_drive

# --- files ----------------------------------------------------------------------------------------------

# files DIR: what is in them
files() {
	find "$1" -type f | sort | xargs cat | sha256sum
}

try "init-cache again" clouddrivectl init-cache /var/cache/drives --size 96M
clouddrivectl create "$base/files" --size 64M --fs ext4 >/dev/null
url=$base/files
clouddrivectl mount "$url" /mnt >/dev/null
for n in $(seq 60); do
	head -c $((n * 2000)) /dev/urandom >"/mnt/file$n"
done
sum=$(files /mnt)
for pass in first second; do
	clouddrivectl unmount /mnt
	clouddrivectl mount "$url" /mnt >/dev/null
	before=$(reads)
	is "$(files /mnt)" "$sum" "files, $pass time: the data is right"
	after=$(reads)
done
[ $((after - before)) -eq 0 ]
ok $? "files, second time: $((after - before)) reads of the service"
try "a drive is no place for it" refused 'lies on the drive /dev/cdrive0' \
	clouddrivectl init-cache /mnt --size 16M
try "unmount" clouddrivectl unmount /mnt

# --- on a device --------------------------------------------------------------------------------------

try "a device that is mounted is refused" refused 'is mounted, or used by something else' \
	clouddrivectl init-cache "$cache_disk" --size 64M
umount /var/cache/drives
try "a device that holds a file system is refused" refused 'holds ext4; name another device' \
	clouddrivectl init-cache "$cache_disk" --size 64M
wipefs -qa "$cache_disk"
try "a device too small is refused" refused 'of which a cache may have' \
	clouddrivectl init-cache "$cache_disk" --size 1G
try "a device" clouddrivectl init-cache "$cache_disk" --size 64M
mount_again
sum=$(read_blocks)
wait_for 20 entered $((400 * 16384))
try "it becomes larger while it is used" clouddrivectl init-cache "$cache_disk" --size 128M
try "unmount" unmount_drive
try "its index is apart" [ -s /var/lib/clouddrive/cache.index ]
mount_again
try "on a device: warm" began warm
passes "on a device" 0
try "off" clouddrivectl init-cache --off
unload
plan
