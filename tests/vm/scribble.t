#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A user's program writes to its buffer while the kernel writes it out (O_DIRECT): the
# service finds that the bytes are not those of the checksum, and refuses them. That must
# not park the drive for everybody. SCRIBBLE_SECONDS (10); ten minutes were red for a
# version that sent the same buffer again and again.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}
seconds=${SCRIBBLE_SECONDS:-10}
make_tmp
tmp=${tmp:?}

cc -D_GNU_SOURCE -std=gnu11 -O1 -g -Wall -Wextra -pthread -o "$tmp/scribble" tests/vm/scribble.c ||
	bail_out "scribble does not compile"

subject() {
	guest "$1" --timeout $((seconds + 300)) -- tests/vm/guest/scribble.sh "$tmp/scribble" "$seconds"
}

for_each_kernel subject
plan
