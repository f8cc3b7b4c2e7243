#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The service goes back to an earlier state, as after a failover to another region: what had
# been acknowledged since is gone, and a drive that was there then must not go on as if it
# were not. Needs root and a kernel, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --timeout 600 -- tests/vm/guest/rollback.sh
}

# What is tested here is the programs' more than the kernel's.
kernels=${TEST_KERNELS:-uml}
for_each_kernel subject
plan
