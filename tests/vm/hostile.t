#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
#
# Programs that mean harm, for TEST_FUZZ_SECONDS (10): who is nobody, in this and in other
# namespaces (tests/vm/nl_nobody.c), and a helper that treats its requests and the payload
# device badly (tests/vm/nl_payload.c), beside a drive under a load that is verified; then
# malformed messages of root's (tests/vm/nl_garbage.c). `make check-fuzz SECONDS=` is the
# long form.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}
seconds=${TEST_FUZZ_SECONDS:-10}

make_tmp
# build PROGRAM PART...
build() {
	program=$1
	shift
	# shellcheck disable=SC2046  # words
	(cd tests/vm && cc -std=gnu11 -D_GNU_SOURCE -O1 -g -pthread -Wall -Wextra -I../../uapi \
		$(pkg-config --cflags libnl-genl-3.0) -o "$tmp/$program" "$program.c" nl_message.c "$@" \
		$(pkg-config --libs libnl-genl-3.0)) || bail_out "$program does not build"
}
build nl_garbage
build nl_nobody
build nl_payload nl_payload_calls.c uring.c
given='cp "$tmp"/nl_* "$out/"'

subject() {
	guest "$1" --timeout $((seconds * 2 + 400)) -- tests/vm/guest/hostile.sh "$seconds"
}

for_each_kernel subject
plan
