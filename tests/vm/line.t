#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A drive over a line of 1 Mbit/s, whose rate all its connections share: it goes on, and
# is never parked.
# Needs root and kernels, as scripts/setup brings them.
#
# LINE_MIB (1) is how much is written, and read, at once; of 32 each MiB takes minutes.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}
mib=${LINE_MIB:-1}

subject() {
	guest "$1" --timeout $((200 + 40 * mib)) -- tests/vm/guest/line.sh "$mib"
}

for_each_kernel subject
plan
