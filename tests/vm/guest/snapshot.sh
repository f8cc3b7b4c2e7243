#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of snapshot.t.
# usage: snapshot.sh CONTAINER

. tests/vm/guest/lib.sh

# mounted URL [OPTION]...: sets $device and $dir
mounted() {
	line=$(timeout 120 clouddrivectl mount "$@") || return 1
	device=${line% *} dir=${line#* } sysfs=/sys/block/${line% *}
	sysfs=/sys/block/${device#/dev/}
}

unmounted() {
	timeout 60 clouddrivectl unmount "$1"
}

# --- a snapshot that another tool took, of a file system in use -----------------------

blob=$1/disk
url=$TEST_URL/$blob
clouddrivectl create "$url" --size 64M >&2 || bail_out "no drive could be made"
mounted "$url" || bail_out "the drive could not be mounted"
live=$device
live_dir=$dir
echo first >"$live_dir/first"
sync "$live_dir/first"
at=$(host blobtool snapshot "$blob") || bail_out "no snapshot by another tool: $at"
dirty="$url?snapshot=$at"
mounted "$dirty"
ok $? "a snapshot with a journal to be replayed is mounted"
is "$(cat "/sys/block/${device#/dev/}/ro")" 1 "the device is read-only"
is "$(status '.lease.state + " " + .state')" "none live" "there is no lease"
try "nothing can be written to it" refused 'Read-only' touch "$dir/new"
is "$(clouddrivectl mount "$dirty")" "$device $dir" "mounted again it is the same"

# A helper that dies is followed by one that adopts it
pid=$(status .helper_pid)
kill -9 "$pid"
succeeded() {
	[ "$(cat "/sys/block/${device#/dev/}/cdrive/helper_pid")" != "$pid" ] && [ "$(status .state)" = live ]
}
try "another helper adopts it" wait_for 30 succeeded
echo 3 >/proc/sys/vm/drop_caches
try "and it can be read" ls "$dir"
try "unmount" unmounted "$device"

# --- taken by snapshot, while files are written and synced ------------------------------

content() {
	seq $(($1 * 10000)) $(($1 * 10000 + 9999))
}

load() {
	n=0
	while [ ! -e /tmp/enough ]; do
		content $n >"$live_dir/file$n"
		sync "$live_dir/file$n"
		echo $n >/tmp/synced.new
		mv /tmp/synced.new /tmp/synced
		n=$((n + 1))
	done
}

synced() {
	[ "$(cat /tmp/synced 2>/dev/null || echo -1)" -ge "$1" ]
}

load &
loader=$!
at_exit 'touch /tmp/enough'
try "files are written" wait_for 60 synced 3
before=$(cat /tmp/synced)
frozen=$(timeout 60 clouddrivectl snapshot "$live_dir" --json)
ok $? "a snapshot is taken meanwhile: $frozen"
is "$(echo "$frozen" | jq .frozen)" true "with the file system frozen"
frozen=$(echo "$frozen" | jq -r .url)
try "and thawed: writing goes on" wait_for 30 synced $((before + 3))

device=$(clouddrivectl mount "$frozen" --no-fs)
try "its file system is clean" e2fsck -fn "${device}p1"
! dumpe2fs -h "${device}p1" 2>/dev/null | grep -q needs_recovery
ok $? "with no journal to be replayed"
try "unmount" unmounted "$device"

whole() {
	n=0
	while [ $n -le "$before" ]; do
		content $n | cmp - "$dir/file$n" || return 1
		n=$((n + 1))
	done
}
mounted "$frozen" --fsck
ok $? "the snapshot is mounted"
first=$device
try "every file that was synced is whole" whole
mounted "$dirty"
ok $? "a second one beside it, and the drive"
[ "$first" != "$device" ] && [ "$device" != "$live" ] && [ "$live" != "$first" ]
ok $? "three devices: $live $first $device"
try "the second one shows what there was then" [ ! -e "$dir/file0" ]
touch /tmp/enough
try "writing ends" wait_for 60 ended $loader
try "unmount" unmounted "$device"
try "unmount" unmounted "$first"
try "unmount of the drive" unmounted "$live"

# --- killed while all is frozen -----------------------------------------------------------

start_store
clouddrivectl create "$base/disk" --size 64M >&2
mounted "$base/disk" || bail_out "no drive on devstore"
clouddrivectl devstore fault set delay --op SnapshotBlob --delay 15000 --control "$control" >/dev/null
# The file system is frozen when the service is asked.
hits() {
	clouddrivectl devstore fault list --control "$control" | jq .hits
}
asked() {
	[ "$(hits)" -gt "$before" ]
}
idle() {
	[ "$(status .requests.in_flight)" = 0 ]
}
# The process alone, and all of its group.
for killed in '' -; do
	before=$(hits)
	setsid clouddrivectl snapshot "$dir" >/tmp/snapshot 2>&1 &
	taker=$!
	try "a snapshot takes long" wait_for 10 asked
	echo text >"$dir/held" &
	writer=$!
	sleep 1
	! ended $writer
	ok $? "who writes waits"
	kill -s KILL -- $killed$taker
	try "killed, it leaves nothing frozen" wait_for 5 ended $writer
	# The helper has the service's answer to wait for still.
	wait_for 30 idle
	sleep 12
done
clouddrivectl devstore fault clear --control "$control"
try "another one is taken" clouddrivectl snapshot "$dir"
try "a copy of a mounted drive is refused" refused 'mounted, .*--via-snapshot' \
	clouddrivectl copy "$base/disk" "$base/copy"
try "but for one via a snapshot" clouddrivectl copy "$base/disk" "$base/copy" --via-snapshot
try "unmount" unmounted "$device"

mounted "$base/copy" --fsck
is "$?$(cat "$dir/held")" 0text "which is a drive of its own"
try "unmount" unmounted "$device"
device=$(clouddrivectl mount "$(clouddrivectl snapshot "$base/copy")" --no-fs)
try "what has a snapshot that is mounted here is not deleted" \
	refused "copy?snapshot=.*: mounted on this machine as $device" \
	clouddrivectl delete "$base/copy" --snapshots
try "unmount" unmounted "$device"
try "then it is deleted" clouddrivectl delete "$base/copy" --snapshots

# --- NTFS --------------------------------------------------------------------------------------

clouddrivectl create "$base/ntfs" --size 64M --fs ntfs >&2
mounted "$base/ntfs"
ok $? "NTFS is mounted"
# 6.1 has no ntfs3; see filesystems.t.
modinfo ntfs3 >/dev/null 2>&1 && type=ntfs3 || type=fuseblk
is "$(findmnt -no FSTYPE "$dir")" "$type" "by the kernel, where it can"
echo text >"$dir/file"
clouddrivectl snapshot "$dir" >/tmp/taken 2>/tmp/said
ok $? "a snapshot of it"
try "which says that it was not frozen" grep -q 'no file system that can be frozen' /tmp/said
taken=$(cat /tmp/taken)
try "unmount" unmounted "$device"
mounted "$base/ntfs" --fsck
ok $? "mounted again after ntfsfix"
is "$(cat "$dir/file")" text "what was written is there"
try "unmount" unmounted "$device"
mounted "$taken"
ok $? "its snapshot"
is "$(cat "$dir/file")" text "has it too"
try "unmount" unmounted "$device"

# --- --fsck ---------------------------------------------------------------------------------------

clouddrivectl create "$base/ext4" --size 64M --format raw >&2
device=$(clouddrivectl mount "$base/ext4" --no-fs)
debugfs -w -R 'set_bg 0 free_blocks_count 7' "$device" >/dev/null 2>&1
debugfs -w -R 'ssv state 2' "$device" >/dev/null 2>&1
unmounted "$device"
line=$(clouddrivectl mount "$base/ext4" --fsck 2>/tmp/said)
ok $? "--fsck: small damage is no obstacle"
try "and repaired" grep -q 'e2fsck has repaired the file system (exit status 1)' /tmp/said
unmounted "${line% *}"
device=$(clouddrivectl mount "$base/ext4" --no-fs)
debugfs -w -R 'clri <2>' "$device" >/dev/null 2>&1
debugfs -w -R 'ssv state 2' "$device" >/dev/null 2>&1
unmounted "$device"
try "what can't be repaired is not mounted" refused \
	'its ext4 file system: e2fsck says that it is damaged (exit status 4: .*; mount it with --no-fs and repair it with e2fsck' \
	clouddrivectl mount "$base/ext4" --fsck
is "$(clouddrivectl list --json)" "[]" "nothing of it is left"

clouddrivectl create "$base/xfs" --size 320M --format raw --fs xfs >&2
mounted "$base/xfs"
echo text >"$dir/file"
sync "$dir/file"
xfs_io -x -c 'shutdown -f' "$dir"
unmounted "$device"
mounted "$base/xfs" --fsck
ok $? "--fsck of an XFS with a log to be replayed"
is "$(cat "$dir/file")" text "what was in the log is there"
taken=$(clouddrivectl snapshot "$dir")
live=$device
mounted "$taken"
ok $? "a snapshot of it, beside it"
is "$(cat "$dir/file")" text "has it too"
try "unmount" unmounted "$device"
try "unmount of the drive" unmounted "$live"
try "the module can be unloaded" rmmod cdrive
