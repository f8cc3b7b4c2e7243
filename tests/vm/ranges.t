#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A blob of many page ranges, whose list the service takes long for: it is mounted as
# soon as one that has none, served and adopted meanwhile.
# Needs root and kernels, as scripts/setup brings them.
#
# TEST_RANGES (20,000) is how many; `make check-ranges` does it with 500,000, and asks for
# times that take a machine that does nothing else.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}
count=${TEST_RANGES:-20000}

subject() {
	guest "$1" --timeout 400 -- tests/vm/guest/ranges.sh drives "$count" "${RANGES_STRICT-}"
}

start_devstore
export AZURE_STORAGE_KEY="$azurite_key"
cc -D_GNU_SOURCE -std=gnu11 -O2 -g -Wall -Wextra -Ihelper -o "$tmp/ranges" tests/vm/ranges.c \
	helper/devstore/storage/*.c || bail_out "ranges does not compile"
for blob in warm none many; do
	build/clouddrivectl create "$store_url/drives/$blob" --size 1G --format raw --fs none >"$tmp/create" 2>&1 ||
		bail_out "create: $(cat "$tmp/create")"
done
stop_devstore
began=$(date +%s)
"$tmp/ranges" "$tmp/store" "$azurite_account" drives many "$count" || bail_out "no ranges could be made"
diag "$count ranges were made in $(($(date +%s) - began)) s"
start_devstore --profile standard
# Nobody gets a list until the guest says so.
devstore fault set delay --op GetPageRanges --delay 20000 >/dev/null || bail_out "no fault"
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
forwards=$store_port
# shellcheck disable=SC2034
url=$store_url
for_each_kernel subject
plan
