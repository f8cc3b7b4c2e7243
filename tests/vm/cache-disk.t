#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The disk that the cache is on: file systems and devices it may be, and what a disk does to
# drives that is slow, full, pulled out, or loses and changes what was written. Whatever it
# does, what is read is right, and nobody waits for it. With CACHE_STRICT=y a slow one may
# cost 5 % at the most, which takes a machine that has nothing else to do.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	VM_ENV=CACHE_STRICT guest "$1" --disk 64M --disk 320M --disk 24M --timeout 1200 -- \
		tests/vm/guest/cache-disk.sh
}

# The device mapper's targets are modules of Debian's.
# shellcheck disable=SC2034  # for for_each_kernel
kernels=${TEST_KERNELS:-6.12}
for_each_kernel subject
plan
