#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The helper dies by SIGKILL in the middle of a verified load, several times, and is
# brought back by its agent, or by mount: nobody notices but for a pause. One that
# nobody brings back: errors after the park limit. Also tracepoints.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/helper.sh "$container"
}

start_azurite
for_each_kernel subject
plan
