#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A service with the limits of a standard page blob (devstore --profile standard): a
# drive that wants more has no trouble with it. How much of the limit it is served is a
# matter of the machine, too: make check-throttle asks for nine tenths, on a quiet one.
# THROTTLE_SECONDS (8) for each load.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}
seconds=${THROTTLE_SECONDS:-8}

# The blob, of 1 GiB, is in the machine's memory. (A store outside was tried: the emulated
# network takes more of the processor than the store does.)
subject() {
	guest "$1" --mem 4G --timeout $((5 * seconds + 200)) -- \
		tests/vm/guest/throttle.sh "$seconds" "${THROTTLE_STRICT-}"
}

for_each_kernel subject
plan
