#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where the account key is, with a drive mounted: in the agent's locked page, and
# nowhere else that root can look. What its processes may still do. Who may read what
# they leave in /run.
# Needs root, a kernel and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	container=$(new_container)
	guest "$1" --timeout 400 -- tests/vm/guest/secrets.sh "$container"
}

make -s programs build/unit/test_sandbox build/unit/test_secret || bail_out "it does not compile"
# A key of its own: the emulator's is a part of our programs, which know it by name.
azurite_account=secrets
azurite_key=$(head -c 64 /dev/urandom | base64 -w 0)
export AZURITE_ACCOUNTS="$azurite_account:$azurite_key"
start_azurite
kernels=${TEST_KERNELS:-6.12}
for_each_kernel subject
plan
