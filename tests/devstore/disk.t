#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devstore on a disk that is full, answers EIO or goes away, and after kill -9: what
# nobody wrote stays as it was, what is refused has changed nothing, and what can't be
# stored is not acknowledged. (Every point at which a disk can be full:
# tests/unit/test_storage_full.c.)
# quick

cd "$(dirname "$0")/../.." || exit
[ "${DISK_TEST-}" ] || DISK_TEST=1 exec unshare -m"$([ "$(id -u)" = 0 ] || echo r)" "$0" "$@"
. tests/vm/lib.sh

make -s build/clouddrivectl || bail_out "clouddrivectl does not compile"
make_tmp
disk=$tmp/disk
mkdir "$disk"
mount -t tmpfs -o size=12m none "$disk" || skip_all "no file system of its own to be had"
at_exit 'umount -l "$disk"'

# serve DIR [OPTION]...: starts a devstore, with $preload; $store is its process
serve() {
	serve_dir=$1
	shift
	: >"$tmp/log"
	LD_PRELOAD=${preload-} setpriv --pdeathsig KILL -- build/clouddrivectl devstore \
		--data "$serve_dir" --control "$tmp/control" --listen 127.0.0.1:0 --container drives \
		"$@" </dev/null >>"$tmp/log" 2>&1 &
	store=$!
	at_exit "kill $store 2>/dev/null"
	wait_for 20 grep -q 'devstore: control' "$tmp/log" || return 1
	url=$(sed -n 's/^devstore: serving //p' "$tmp/log")
	export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$url;"
}

# ended NAME STATUS: it ends by itself, within a bound
ended() {
	wait_for 20 gone
	wait "$store"
	is $? "$2" "$1: status $2"
}

gone() {
	! kill -0 "$store" 2>/dev/null || [ "$(ps -o stat= -p "$store" | cut -c 1)" = Z ]
}

killed() {
	kill -9 "$store"
	wait "$store" 2>/dev/null
}

# rest METHOD PATH…: one request; its status is $status, its headers are in $tmp/answer
rest() {
	node tests/devstore/rest.mjs "$@" >"$tmp/answer"
	status=$(head -n 1 "$tmp/answer")
}

# answers STATUS NAME METHOD PATH…
answers() {
	answers_status=$1 answers_name=$2
	shift 2
	rest "$@"
	is "$status" "$answers_status" "$answers_name"
}

# head_of PATH: what a client may take for a sign of change, and what must survive
head_of() {
	rest HEAD "$1"
	grep -E '^(etag|last-modified|x-ms-lease-(status|state|duration)|x-ms-blob-sequence-number|x-ms-meta-.*|x-ms-creation-time|content-length):' \
		"$tmp/answer" | sort
}

page() {
	rest PUT "drives/$1?comp=page" x-ms-page-write:update "x-ms-range:bytes=$2" --body "$3"
}

head -c 4194304 /dev/urandom >"$tmp/4m"
head -c 1048576 /dev/urandom >"$tmp/1m"
head -c 512 /dev/urandom >"$tmp/512"
lease=11111111-2222-3333-4444-555555555555

# --- kill -9 --------------------------------------------------------------------------------

for how in '' --durable; do
	# shellcheck disable=SC2086
	serve "$tmp/store$how" --async-copy-above 0 --copy-time 4000 $how || bail_out "$(cat "$tmp/log")"
	answers 201 "a blob $how" PUT drives/a x-ms-blob-type:PageBlob x-ms-blob-content-length:8388608 \
		x-ms-blob-sequence-number:5 x-ms-meta-a:b
	page a 0-4194303 "$tmp/4m"
	page a 4194304-4194815 "$tmp/512"
	answers 200 "its number raised" PUT 'drives/a?comp=properties' x-ms-sequence-number-action:increment
	page a 4194816-4195327 "$tmp/512"
	answers 201 "a lease" PUT 'drives/a?comp=lease' x-ms-lease-action:acquire x-ms-lease-duration:60 \
		"x-ms-proposed-lease-id:$lease"
	answers 201 "another blob" PUT drives/b x-ms-blob-type:PageBlob x-ms-blob-content-length:1048576
	page b 0-1048575 "$tmp/1m"
	answers 201 "all of it cleared" PUT 'drives/b?comp=page' x-ms-page-write:clear x-ms-range:bytes=0-1048575
	answers 200 "the container's metadata" PUT 'drives?restype=container&comp=metadata' x-ms-meta-c:d
	a=$(head_of drives/a) b=$(head_of drives/b) container=$(head_of 'drives?restype=container')
	answers 202 "a copy that takes a while" PUT drives/copy "x-ms-copy-source:$url/drives/a"
	for round in 1 2 3; do
		killed
		# shellcheck disable=SC2086
		serve "$tmp/store$how" --async-copy-above 0 --copy-time 1000 $how || bail_out "$(cat "$tmp/log")"
		is "$(head_of drives/a)" "$a" "killed $round times: the blob that was written is as it was"
		is "$(head_of drives/b)" "$b" "killed $round times: so is the other"
		is "$(head_of 'drives?restype=container')" "$container" "killed $round times: so is the container"
	done
	copied() {
		rest HEAD drives/copy
		grep -q '^x-ms-copy-status: success' "$tmp/answer"
	}
	wait_for 20 copied
	ok $? "the copy goes on and ends: the source has not changed"
	answers 200 "the lease is whose it was" PUT 'drives/a?comp=lease' x-ms-lease-action:renew \
		"x-ms-lease-id:$lease"
	kill "$store"
	ended "told to end" 0
	# shellcheck disable=SC2086
	serve "$tmp/store$how" $how || bail_out "$(cat "$tmp/log")"
	is "$(head_of drives/b)" "$b" "ended in order: as it was"
	kill "$store"
	wait "$store"
done

# --- a full disk ------------------------------------------------------------------------------

# Of the disk, all but what @1 KiB need.
fill() {
	rm -f "$disk/junk"
	left=$(df --output=avail -k "$disk" | tail -n 1)
	head -c $(((left - $1) * 1024)) /dev/zero >"$disk/junk"
}

for how in '' --durable; do
	rm -rf "${disk:?}"/*
	# shellcheck disable=SC2086
	serve "$disk/store" $how || bail_out "$(cat "$tmp/log")"
	rest PUT drives/disk x-ms-blob-type:PageBlob x-ms-blob-content-length:16777216
	page disk 0-1048575 "$tmp/1m"
	answers 201 "a block blob $how" PUT drives/block x-ms-blob-type:BlockBlob --body "$tmp/1m"
	answers 201 "one to be deleted" PUT drives/junk x-ms-blob-type:BlockBlob --body "$tmp/1m"
	disk_was=$(head_of drives/disk) block_was=$(head_of drives/block)
	fill 1536
	for refused in 0-4194303 512-4194815 8388608-12582911; do
		page disk "$refused" "$tmp/4m"
		is "$status" "507 InsufficientStorage" "Put Page of $refused: there is no room"
	done
	is "$(head_of drives/disk)" "$disk_was" "the blob has its ETag still"
	rest GET drives/disk "x-ms-range:bytes=0-1048575" --to "$tmp/got"
	cmp "$tmp/got" "$tmp/1m"
	ok $? "and what it had"
	answers "404 BlobNotFound" "nothing is there before it is there" GET drives/new
	answers "507 InsufficientStorage" "Put Blob: no room" PUT drives/block x-ms-blob-type:BlockBlob \
		--body "$tmp/4m"
	is "$(head_of drives/block)" "$block_was" "the block blob has its ETag still"
	rest GET drives/block --to "$tmp/got"
	cmp "$tmp/got" "$tmp/1m"
	ok $? "and what it had"
	answers "507 InsufficientStorage" "a new one: no room" PUT drives/new x-ms-blob-type:BlockBlob \
		--body "$tmp/4m"
	answers "404 BlobNotFound" "nothing of it is there" GET drives/new
	fill 600
	junk_was=$(head_of drives/junk)
	answers "507 InsufficientStorage" "Copy Blob: no room" PUT drives/junk \
		"x-ms-copy-source:$url/drives/block"
	is "$(head_of drives/junk)" "$junk_was" "the destination is as it was"

	fill 0
	killed
	# shellcheck disable=SC2086
	serve "$disk/store" $how
	ok $? "after kill -9 on a full disk it starts $how"
	grep -q "$disk/store: the disk is full" "$tmp/log"
	ok $? "and says what is full"
	is "$(head_of drives/disk)" "$disk_was" "all is there"
	rest GET drives/block --to "$tmp/got"
	cmp "$tmp/got" "$tmp/1m"
	ok $? "and is read"
	page disk 0-4194303 "$tmp/4m"
	is "$status" "507 InsufficientStorage" "a write is refused"
	answers 202 "what gives room back is done" DELETE drives/junk
	page disk 0-511 "$tmp/512"
	is "$status" 201 "then there is room"
	rm -f "$disk/junk"
	page disk 4194304-8388607 "$tmp/4m"
	is "$status" 201 "and more"
	grep -q "there is room again" "$tmp/log"
	ok $? "it says so"
	kill "$store"
	ended "told to end" 0
done

# --- a directory that goes away, I/O errors ------------------------------------------------------

serve "$tmp/gone" || bail_out "$(cat "$tmp/log")"
rest PUT drives/disk x-ms-blob-type:PageBlob x-ms-blob-content-length:1048576
rm -rf "$tmp/gone"
answers "500 InternalError" "a container is not made in a directory that is gone" PUT 'new?restype=container'
# It may have ended by now, and then nobody answers.
rest PUT drives/new x-ms-blob-type:PageBlob x-ms-blob-content-length:512
case $status in
"500 InternalError" | "none "*) true ;;
*) false ;;
esac
ok $? "nor a blob"
ended "it ends by itself" 1
grep -q "^clouddrivectl: devstore: $tmp/gone: the directory is not there any more; " "$tmp/log"
ok $? "and says why"
grep -q "^devstore: CreateContainer $azurite_account/new: " "$tmp/log"
ok $? "and what failed"

serve "$tmp/gone" || bail_out "$(cat "$tmp/log")"
mv "$tmp/gone" "$tmp/moved"
kill "$store"
ended "a directory that was moved, told to end" 1
rm -rf "$tmp/moved"

cat >"$tmp/eio.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int broken(const char *what)
{
	char *name = getenv(what);

	return name && !access(name, F_OK) ? (errno = EIO) : 0;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	return broken("BREAK_WRITES") ? -1 : syscall(SYS_pwritev, fd, iov, n, at, 0);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	return broken("BREAK_READS") ? -1 : syscall(SYS_pread64, fd, buf, n, at);
}

int fdatasync(int fd)
{
	return broken("BREAK_FLUSHES") ? -1 : (int)syscall(SYS_fdatasync, fd);
}
C
cc -shared -fPIC -o "$tmp/eio.so" "$tmp/eio.c" || bail_out "eio.c does not compile"
export BREAK_WRITES="$tmp/writes" BREAK_READS="$tmp/reads" BREAK_FLUSHES="$tmp/flushes"
preload=$tmp/eio.so

serve "$tmp/eio" || bail_out "$(cat "$tmp/log")"
rest PUT drives/disk x-ms-blob-type:PageBlob x-ms-blob-content-length:1048576
page disk 0-511 "$tmp/512"
was=$(head_of drives/disk)
touch "$BREAK_WRITES"
page disk 0-1048575 "$tmp/1m"
is "$status" "500 InternalError" "EIO: a write is refused"
answers "500 InternalError" "EIO: a blob is not made" PUT drives/new x-ms-blob-type:PageBlob \
	x-ms-blob-content-length:512
answers "500 InternalError" "EIO: nor a container" PUT 'new?restype=container'
answers "500 InternalError" "EIO: metadata" PUT 'drives/disk?comp=metadata' x-ms-meta-x:y
answers "500 InternalError" "EIO: size" PUT 'drives/disk?comp=properties' x-ms-blob-content-length:512
answers "500 InternalError" "EIO: a lease" PUT 'drives/disk?comp=lease' x-ms-lease-action:acquire \
	x-ms-lease-duration:60
answers "500 InternalError" "EIO: a snapshot" PUT 'drives/disk?comp=snapshot'
answers "500 InternalError" "EIO: deleting" DELETE drives/disk
rm "$BREAK_WRITES"
is "$(head_of drives/disk)" "$was" "nothing of it has happened"
answers "404 BlobNotFound" "no new blob" HEAD drives/new
for op in PutPage PutBlob CreateContainer SetBlobMetadata SetBlobProperties LeaseBlob SnapshotBlob DeleteBlob; do
	grep -q "^devstore: $op $azurite_account/.*: Input/output error" "$tmp/log"
	ok $? "$op: it was said"
done
touch "$BREAK_READS"
answers "500 InternalError" "EIO: reading" GET drives/disk x-ms-range:bytes=0-511
rm "$BREAK_READS"
grep -q "^devstore: GetBlob $azurite_account/drives/disk: Input/output error" "$tmp/log"
ok $? "GetBlob: it was said"
page disk 0-1048575 "$tmp/1m"
is "$status" 201 "what passes, passes"
kill "$store"
ended "told to end" 0

serve "$tmp/eio" --durable || bail_out "$(cat "$tmp/log")"
touch "$BREAK_FLUSHES"
page disk 0-511 "$tmp/512"
is "$status" "500 InternalError" "a flush that fails: a write is not acknowledged"
ended "nobody knows what is on the disk: it ends" 1
grep -q "^clouddrivectl: devstore: $tmp/eio: Input/output error; " "$tmp/log"
ok $? "and says why"
rm "$BREAK_FLUSHES"
plan
