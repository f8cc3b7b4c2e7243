#!/bin/sh
# SPDX-License-Identifier: MIT
# alone
#
# Swap on a drive: a machine of 512 MiB runs a process that needs more than that, so that
# what makes room goes through the helper. It must not stand still.
# Needs root and kernels, as scripts/setup brings them.
#
# TEST_SWAP_RUNS (1) is how often; `make check-swap` does it twenty times.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.12}

subject() {
	run=1
	while [ $run -le "${TEST_SWAP_RUNS:-1}" ]; do
		guest "$1" --mem 512M --timeout 1100 -- tests/vm/guest/swap.sh drives "disk$run-$1" || return
		run=$((run + 1))
	done
}

start_devstore
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
forwards=$store_port
# shellcheck disable=SC2034
url=$store_url
for_each_kernel subject
plan
