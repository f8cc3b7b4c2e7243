#!/bin/sh
# SPDX-License-Identifier: MIT
#
# /run is full, or /run/clouddrive is lost, and helper and agent die: what a drive needs
# to go on is the driver's, and no drive of this machine is taken for another's.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --timeout 400 -- tests/vm/guest/runtime.sh
}

kernels=${TEST_KERNELS:-uml}
for_each_kernel subject
plan
