#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What unmount says when what was written can't be put into the blob: the lease is lost,
# the service is gone, or away for longer than the park limit, just before, while or after
# it is written out; with file systems and without.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	guest "$1" --timeout 900 -- tests/vm/guest/unmount.sh
}

for_each_kernel subject
plan
