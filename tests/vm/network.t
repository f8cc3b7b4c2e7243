#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What networks do to a drive: a firewall that forgets connections, and drops what comes
# by them without a word.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	guest "$1" --timeout 400 -- tests/vm/guest/network.sh
}

for_each_kernel subject
plan
