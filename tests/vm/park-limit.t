#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Past the park limit requests fail, and the drive goes on when the service is back, if
# the blob is still its own; --park-limit none waits for ever.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --timeout 240 -- tests/vm/guest/park-limit.sh
}

kernels=${TEST_KERNELS:-uml}
for_each_kernel subject
plan
