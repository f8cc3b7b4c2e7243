#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of unmount.t.
# usage: unmount.sh

. tests/vm/guest/losing.sh

# --- nothing is wrong -------------------------------------------------------------------

drive plain ext4
write_file
sum=$(sha256sum </mnt/file)
unmounts 0 '' "nothing wrong"
clouddrivectl mount "$url" /mnt >/dev/null
is "$(sha256sum </mnt/file)" "$sum" "nothing wrong: it is in the blob"
unmounts 0 '' "nothing wrong, nothing written"

# --- the lease is lost --------------------------------------------------------------------

for fs in ext4 xfs; do
	drive "taken-$fs" $fs
	write_file
	lose_lease_at PutPage
	unmounts 1 "$lost: .*fenced" "$fs, taken while it is written out"
done

drive released none
lose_lease_at LeaseBlob
unmounts 0 '' "a device, taken when all was written"

drive known ext4
write_file
lose_lease_at LeaseBlob
try "fenced before" wait_for 25 state_is fenced
unmounts 1 "$lost: .*fenced" "ext4, fenced before"

drive by-hand ext4
write_file
lose_lease_at PutPage
umount /mnt
try "umount(8) has seen nothing" wait_for 25 state_is fenced
unmounts 1 "$lost" "ext4, unmounted by hand"

drive device none
lose_lease_at PutPage
write_device
try "the device's writer has seen nothing" wait_for 25 state_is fenced
unmounts 1 "$lost" "a device, written to by a program that did not sync"

drive idle none
lose_lease_at LeaseBlob
try "an idle device is fenced" wait_for 25 state_is fenced
unmounts 0 'fenced' "an idle device, fenced: nothing was lost"

drive both ext4
mkdir -p /media/second && mount "$device" /media/second
write_file
lose_lease_at PutPage
unmounts 1 "$lost: .*fenced" "ext4, mounted twice"

drive open ext4
exec 9>/mnt/held
echo data >&9
lose_lease_at PutPage
unmounts 1 "$lost: .*fenced" "ext4 in use, taken while it is written out: --force" --force
exec 9>&-

# What a program writes until it gets an error is in the blob, to the last line.
drive busy ext4
exec 9>/mnt/lines
(
	n=0
	while echo $n >&9; do
		echo $n >/tmp/last
		n=$((n + 1))
	done
) 2>/dev/null &
writer=$!
wait_for 10 [ -s /tmp/last ]
unmounts 0 '' "ext4 in use, and written to all the while: --force" --force
exec 9>&-
wait $writer
clouddrivectl mount "$url" /mnt >/dev/null
is "$(tail -n 1 /mnt/lines)" "$(cat /tmp/last)" "what was written until the end is in the blob"
unmounts 0 '' "it, again"

drive consumed none
lose_lease_at PutPage
write_device
! sync "$device"
ok $? "who syncs it is told"
try "the drive is fenced" wait_for 25 state_is fenced
unmounts 1 "$lost: failed writes since it was mounted: 1;" "a device, of which another program had the error"

# --- an error that is none of the drive's ---------------------------------------------------

# While a direct write is with the service, its place in the page cache is written to. What
# was written last is right, and in the blob.
drive stale none
devstore fault set delay --delay 4000 --blob drives/stale --op PutPage --count 1
dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct 2>/dev/null &
in_flight() {
	[ "$(cat "$sysfs/cdrive/in_flight")" = "$1" ]
}
try "a direct write is on its way" wait_for 10 in_flight 1
dd if=/dev/urandom of="$device" bs=4k count=1 conv=notrunc 2>/dev/null
wait $!
try "the kernel says that the page cache is stale" wait_for 10 sh -c 'dmesg | grep -q "Page cache invalidation failure on direct I/O"'
is "$(cat "$sysfs/cdrive/failed")" 0 "no request has failed"
sum=$(dd if="$device" bs=4k count=1 2>/dev/null | sha256sum)
unmounts 0 '' "a device, written to past the page cache and through it"
clouddrivectl mount "$url" --no-fs >/dev/null
is "$(dd if="$device" bs=4k count=1 2>/dev/null | sha256sum)" "$sum" "and what was written is in the blob"
unmounts 0 '' "nothing written since"

# --- a write is refused for good ---------------------------------------------------------

drive refused none
refuse_write
write_device
unmounts 1 "$lost" "a device, a write refused for good"

drive refused-ext4 ext4
write_file
refuse_write
unmounts 1 "$lost" "ext4, a write refused for good"

# --- the service is gone ------------------------------------------------------------------

drive gone ext4
write_file
kill -STOP $store
unmounts 7 'data waits to be written' "ext4, the service gone"
unmounts 1 "$lost" "ext4, the service gone: --force" --force
kill -CONT $store

drive waits ext4
sync -f /mnt
kill -STOP $store
unmounts 0 'lease could not be released' "ext4, the service gone when all was written: --force" --force
kill -CONT $store

# --- the park limit ------------------------------------------------------------------------

drive limit ext4 --park-limit 5
write_file
kill -STOP $store
sync & # tells nobody of errors, and leaves them for who asks
try "past the park limit its requests fail" wait_for 200 state_is failing
unmounts 7 'park limit has passed' "ext4, past the park limit"
kill -CONT $store
try "the service is back: it goes on" wait_for 120 state_is live
unmounts 1 "$lost" "ext4, after the park limit had passed"

drive limit-force ext4 --park-limit 5
write_file
kill -STOP $store
sync &
try "past the park limit its requests fail" wait_for 200 state_is failing
unmounts 1 "$lost" "ext4, past the park limit: --force" --force
kill -CONT $store
plan
