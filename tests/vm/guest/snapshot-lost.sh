#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of snapshot-lost.t.
# usage: snapshot-lost.sh

. tests/vm/guest/losing.sh

# snapshots STATUS PATTERN WHAT: of the drive; $taken is its URL
snapshots() {
	says_and_ends "$1" "$2" "$3: snapshot" clouddrivectl snapshot "$url"
	taken=$(cat /tmp/said.out)
	[ "$1" = 0 ] || is "$taken" '' "$3: and prints no URL"
}

# copies STATUS PATTERN WHAT: to $url.copy, by way of a snapshot
copies() {
	says_and_ends "$1" "$2" "$3: copy --via-snapshot" clouddrivectl copy "$url" "$url.copy" --via-snapshot
	is "$(clouddrivectl download "$url.copy" /tmp/copy 2>&1 | grep -c 'no such blob')" 1 "$3: there is no copy"
}

lost_snapshot='could not be written out: .*not all that was written is in the blob'

# --- nothing is wrong ----------------------------------------------------------------------

drive plain ext4
write_file
sum=$(sha256sum </mnt/file)
snapshots 0 '' "nothing wrong"
mkdir -p /media/taken
clouddrivectl mount "$taken" /media/taken >/dev/null
is "$(sha256sum </media/taken/file)" "$sum" "nothing wrong: it is in the snapshot"
clouddrivectl unmount /media/taken
unmounts 0 '' "nothing wrong"

# What was written to a partition lies in a page cache of its own.
drive parts none
printf 'label: dos\nstart=2048, size=8192\n' | sfdisk -q --no-reread "$device" >/tmp/sfdisk 2>&1 ||
	bail_out "sfdisk: $(cat /tmp/sfdisk)"
blockdev --rereadpt "$device"
wait_for 10 [ -b "${device}p1" ] || bail_out "no partition"
exec 9<>"${device}p1" # else it is written out when dd closes it
write_device "${device}p1"
sum=$(dd if="${device}p1" bs=64k count=16 2>/dev/null | sha256sum)
snapshots 0 'no file system that can be frozen' "a partition"
live=$device
clouddrivectl mount "$taken" --no-fs >/tmp/mounted
is "$(dd if="$(cat /tmp/mounted)" bs=64k skip=16 count=16 2>/dev/null | sha256sum)" "$sum" \
	"a partition: what was written to it is in the snapshot"
clouddrivectl unmount "$taken"
exec 9<&-
device=$live
unmounts 0 '' "a partition"

# --- the lease is lost -----------------------------------------------------------------------

for fs in ext4 xfs; do
	drive "taken-$fs" $fs
	write_file
	lose_lease_at PutPage
	snapshots 1 "$lost_snapshot" "$fs, taken while it is frozen"
	snapshots 5 'fenced' "$fs, fenced"
	copies 5 'fenced' "$fs, fenced"
	unmounts 1 "$lost" "$fs"
done

drive taken-copy ext4
write_file
lose_lease_at PutPage
copies 1 "$lost_snapshot" "ext4, taken while it is frozen"
unmounts 1 "$lost" "ext4"

drive taken-then ext4
lose_lease_at SnapshotBlob
snapshots 5 'can.t take a snapshot: .*another client took or broke the lease' "ext4, taken when it was frozen"
try "which has it looked for: fenced" wait_for 25 state_is fenced
unmounts 1 "$lost" "ext4"

drive taken-raw none
exec 9<>"$device"
write_device
lose_lease_at PutPage
snapshots 1 "$lost_snapshot" "a device, taken while it is written out"
exec 9<&-
unmounts 1 "$lost" "a device"

# --- a write is refused for good -----------------------------------------------------------------

drive refused ext4
write_file
refuse_write
snapshots 1 "$lost_snapshot" "ext4, a write refused for good"
unmounts 1 "$lost" "ext4, when a snapshot has told of it already"

drive consumed none
exec 9<>"$device"
refuse_write
write_device
! sync "$device"
ok $? "who syncs it is told"
snapshots 1 'failed writes: 1, so not all that was written is in the blob' "a device, of which another program had the error"
snapshots 0 'no file system that can be frozen' "a device, of which a snapshot has told that"
exec 9<&-
unmounts 1 "$lost: failed writes: 1;" "a device, of which a snapshot has told that"

drive dead ext4
mkdir /mnt/new
refuse_write
sync -f /mnt
wait_for 20 grep -q ' /mnt .* ext4 .*\bro\b' /proc/self/mountinfo ||
	diag "$(grep /mnt /proc/self/mountinfo)"
snapshots 1 "$lost_snapshot" "ext4 that has turned read-only after an error"
unmounts 1 "$lost" "ext4 that has turned read-only"

# --- the service is gone ------------------------------------------------------------------------------

drive gone ext4
write_file
sum=$(sha256sum </mnt/file)
kill -STOP $store
snapshots 1 "can't be written out in 30 s" "ext4, the service gone"
kill -CONT $store
thawed() {
	timeout 2 touch /mnt/thawed
}
try "ext4, the service back: it is thawed" wait_for 60 thawed
wait_for 60 state_is live
snapshots 0 '' "ext4, the service back"
clouddrivectl mount "$taken" /media/taken >/dev/null
is "$(sha256sum </media/taken/file)" "$sum" "ext4, the service back: all is in the snapshot"
clouddrivectl unmount /media/taken
unmounts 0 '' "ext4, the service back"

# --- the park limit ------------------------------------------------------------------------------------

drive limit ext4 --park-limit 5
write_file
kill -STOP $store
snapshots 1 . "ext4, past the park limit while it is frozen"
try "past the park limit its requests fail" wait_for 200 state_is failing
kill -CONT $store
try "the service is back: it goes on" wait_for 120 state_is live
unmounts 1 "$lost" "ext4, past the park limit"

# --- what --fsck repairs ---------------------------------------------------------------------------------

drive broken ext4
write_file
unmounts 0 '' "to be repaired"
clouddrivectl mount "$url" --no-fs >/dev/null
debugfs -w -R 'set_super_value free_blocks_count 7' "$device" 2>/dev/null
debugfs -w -R 'set_super_value state 2' "$device" 2>/dev/null
unmounts 0 '' "to be repaired"
lose_lease_at PutPage
timeout 100 clouddrivectl mount "$url" /mnt --fsck >/tmp/said.out 2>/tmp/said
is $? 1 "--fsck, the lease taken while it repairs: ends with 1"
try "it says so" grep -q 'mount: .*: what was repaired is not in the blob' /tmp/said
diag "$(cat /tmp/said)"
try "nothing is mounted" [ ! -e "$device" ]
plan
