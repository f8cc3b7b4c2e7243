#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Credentials that the service refuses, for the time being: clocks that differ, and a key
# that was changed.
# Needs root and a kernel, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --timeout 600 -- tests/vm/guest/credential.sh
}

# What is tested here is the programs' more than the kernel's.
kernels=${TEST_KERNELS:-uml}
for_each_kernel subject
plan
