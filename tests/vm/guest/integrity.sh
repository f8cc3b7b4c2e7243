#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of integrity.t: fio with verification, in many shapes, then a file
# system that is mounted, filled, trimmed, emptied and checked.
# usage: integrity.sh CONTAINER

. tests/vm/guest/lib.sh

mount_drive "$TEST_URL/$1/disk" 512M

sizes=512/10:1536/10:4k/40:16k/15:64k/15:1m/7:4m/3

try "libaio, depth 64, 512 bytes to 4 MiB" verified_fio 300 --ioengine=libaio --iodepth=64 \
	--rw=randwrite --bssplit=$sizes --size=64M
try "io_uring, depth 32, reads and writes" verified_fio 300 --ioengine=io_uring --iodepth=32 \
	--rw=randrw --bssplit=$sizes --offset=64M --size=64M
try "synchronous, depth 1, 4 KiB" verified_fio 300 --ioengine=psync --iodepth=1 \
	--rw=randwrite --bs=4k --offset=128M --size=1M
try "two processes, depth 16, 4 MiB in order" verified_fio 300 --ioengine=libaio --iodepth=16 \
	--rw=write --bs=4m --offset=192M --size=32M --numjobs=2 --offset_increment=32M
try "each block discarded, then written; depth 16" verified_fio 300 --ioengine=libaio --iodepth=16 \
	--rw=randtrimwrite --bssplit=512/20:4k/60:64k/20 --offset=256M --size=16M
try "written twice and verified twice, through the page cache" verified_fio 300 --ioengine=psync \
	--rw=randwrite --bssplit=4k/70:64k/30 --offset=320M --size=16M --direct=0 --loops=2 --end_fsync=1

# A file system's own pattern: small files, deleted again, trimmed, refilled.
try "mkfs.ext4" mkfs.ext4 -q -E discard "$device"
try "mount" mount "$device" /mnt
mkdir /mnt/1 /mnt/2
try "files are written" cp -a /usr/share/perl5 /mnt/1/
rm -rf /mnt/1/perl5
try "fstrim" fstrim /mnt
try "files are written again" cp -a /usr/share/perl5 /mnt/2/
try "umount" umount /mnt
try "mount, read-only" mount -o ro "$device" /mnt
try "they are the same" diff -r /usr/share/perl5 /mnt/2/perl5
try "umount" umount /mnt
try "e2fsck finds nothing" ext4_is_clean
is "$(status .requests.errors)" 0 "no request failed"
unload
plan
