#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The disk that the cache is on: file systems and devices it may be, and what a disk does to
# drives that is slow, full, pulled out, or loses and changes what was written. Whatever it
# does, what is read is right, and nobody waits for it. With CACHE_STRICT=y a slow one may
# cost 5 % at the most, which takes a machine that has nothing else to do.
#
# All of it takes seven minutes of an emulated machine: make check-cache-disk. CACHE_PARTS (what
# could lose data) are the functions of tests/vm/guest/cache-disk.sh that are run; "": all.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	# shellcheck disable=SC2086  # a list of words
	VM_ENV=CACHE_STRICT guest "$1" --disk 64M --disk 320M --disk 24M --timeout 1200 -- \
		tests/vm/guest/cache-disk.sh ${CACHE_PARTS-refused_places pulled_out flips loses}
}

# The device mapper's targets are modules of Debian's.
# shellcheck disable=SC2034  # for for_each_kernel
kernels=${TEST_KERNELS:-6.12}
for_each_kernel subject
plan
