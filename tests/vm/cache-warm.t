#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is cached of a drive outlives it: what is read again after the drive was unmounted and
# mounted, and the module reloaded, comes from the cache, unless somebody has written to the
# blob, or the machine was not shut down cleanly. And how much of it each drive may have.
# Needs root and a kernel, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --disk 256M --timeout 600 -- tests/vm/guest/cache-warm.sh
}

# What is tested here is the programs' more than the kernel's.
# shellcheck disable=SC2034  # for for_each_kernel
kernels=${TEST_KERNELS:-uml}
for_each_kernel subject
plan
