#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
#
# What a block device is expected to do besides reading and writing: accounting, debugfs,
# removal and freezing under I/O, ioctls, partitions, cancelling, limits; mostly with
# requests that a helper holds. And direct I/O at every alignment, on a drive as users
# have it.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

make_tmp
for subject in direct aio uring; do
	cc -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -o "$tmp/manners_$subject" \
		"tests/vm/manners_$subject.c" tests/vm/uring.c || bail_out "manners_$subject does not build"
done
given='cp "$tmp"/manners_* "$out/"'

subject() {
	guest "$1" --timeout 400 -- tests/vm/guest/manners.sh
}

for_each_kernel subject
plan
