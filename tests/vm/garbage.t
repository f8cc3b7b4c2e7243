#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
#
# Malformed netlink messages from a privileged program (tests/vm/nl_garbage.c), and
# work on a drive meanwhile and afterwards.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

make_tmp
# shellcheck disable=SC2046  # words
cc -D_GNU_SOURCE -O1 -g -Wall -Wextra -Iuapi $(pkg-config --cflags libnl-genl-3.0) \
	-o "$tmp/nl_garbage" tests/vm/nl_garbage.c tests/vm/nl_message.c $(pkg-config --libs libnl-genl-3.0) ||
	bail_out "nl_garbage does not build"
given='cp "$tmp/nl_garbage" "$out/"'

subject() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/garbage.sh "$container"
}

start_azurite
for_each_kernel subject
plan
