#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The lease: held while mounted, released by unmount, respected by others; a drive
# whose lease somebody breaks is fenced.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	container=$(new_container)
	guest "$1" --timeout 400 -- tests/vm/guest/lease.sh "$container"
}

start_azurite
for_each_kernel subject
plan
