#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The server freezes for longer than the helper waits, ends and starts, is killed and
# starts, all under a verified load: the drive parks, resumes, and nothing is lost.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/server.sh "$container"
}

start_azurite
for_each_kernel subject
plan
