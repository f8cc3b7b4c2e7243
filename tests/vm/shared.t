#!/bin/sh
# SPDX-License-Identifier: MIT
# alone
# shellcheck disable=SC2154  # of tests/vm/lib.sh
#
# Two machines and one blob, which another client has uploaded: one of them mounts it,
# its snapshot both do, and --read-only takes the lease all the same.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh && . tests/vm/machines.sh

PATH=$PATH:/usr/sbin:/sbin
make_tmp
start_azurite
container=$(new_container)
blob=$azurite_url/$container/theirs

# A disk of others' make: sfdisk, mkfs.ext4, qemu-img, and @azure/storage-blob.
mkdir "$tmp/files"
seq 100000 >"$tmp/files/numbers"
truncate -s 64M "$tmp/raw"
echo 'start=2048, type=83' | sfdisk -q "$tmp/raw" || bail_out "no partition"
mkfs.ext4 -q -E offset=1048576 -d "$tmp/files" "$tmp/raw" 63M || bail_out "no file system"
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$tmp/raw" "$tmp/vhd"
blobtool upload "$tmp/vhd" "$container/theirs" || bail_out "no upload"

for name in a b; do
	kernel=6.12
	[ $name = a ] || kernel=6.1
	start_machine $name $kernel tests/vm/guest/lib.sh --forward "$azurite_port" --timeout 300
done
for name in a b; do
	wait_machine $name 120 || bail_out "machine $name: $(tail -n 5 "$tmp/$name.log")"
done

# does MACHINE NAME COMMAND...
does() {
	does_machine=$1 does_name=$2
	shift 2
	try "$does_machine: $does_name" ask "$does_machine" 60 "$@"
}

# leased MACHINE NAME COMMAND...: it says that another client has it
leased() {
	leased_machine=$1 leased_name=$2
	shift 2
	message=$(ask "$leased_machine" 60 "$@")
	is "$? $(echo "$message" | grep -c 'leased by another client')" "5 1" "$leased_machine: $leased_name"
}

state() {
	blobtool props "$container/theirs" | jq -r .leaseState
}

does a "mounts what another client has uploaded" clouddrivectl mount "$blob" /mnt
does a "finds what others wrote" 'seq 100000 | cmp - /mnt/numbers'
does a "writes" 'echo more >/mnt/more && sync /mnt/more'
taken=$(ask a 60 clouddrivectl snapshot /mnt 2>/dev/null) || bail_out "no snapshot: $taken"
leased b "can't have it" clouddrivectl mount "$blob" /mnt
leased b "not even to read" clouddrivectl mount "$blob" /mnt --read-only
does b "mounts the snapshot" "clouddrivectl mount '$taken' /mnt"
does a "does, too, at the same time" "clouddrivectl mount '$taken' /media"
does b "reads it" 'seq 100000 | cmp - /mnt/numbers && grep -q more /mnt/more'
does a "reads it" 'seq 100000 | cmp - /media/numbers && grep -q more /media/more'
does b "can't write to it" '! touch /mnt/new'
is "$(ask b 60 "clouddrivectl status /mnt --json" | jq -r .lease.state)" none "b: without a lease"
does a "unmounts the drive" clouddrivectl unmount /mnt
is "$(state)" available "whose lease is gone, while the snapshot stays mounted twice"
does b "unmounts the snapshot" clouddrivectl unmount /mnt
does b "mounts the drive read-only" clouddrivectl mount "$blob" /mnt --read-only
is "$(state)" leased "which takes the lease"
leased a "can't have it meanwhile" clouddrivectl mount "$blob" /mnt --read-only
does b "can't write to it" '! touch /mnt/new'
does b "unmounts it" clouddrivectl unmount /mnt
does a "unmounts the snapshot" clouddrivectl unmount /media
plan
