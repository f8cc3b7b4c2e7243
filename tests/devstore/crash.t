#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The storage of devstore under kill -9 and under loss of power (crash.c), on a
# file system in memory.
#
# CRASH_ROUNDS (200; half as many lose power) and CRASH_SEED (the time) change what
# is done.
# quick

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

make_tmp
dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
at_exit 'rm -rf "$dir"'
rounds=${CRASH_ROUNDS:-200} seed=${CRASH_SEED:-$(date +%s)}

# shellcheck disable=SC2086  # lists of words
cc -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Ihelper -o "$tmp/crash" \
	tests/devstore/crash*.c helper/devstore/storage/*.c || bail_out "crash does not compile"

# crash MODE ROUNDS
crash() {
	timeout 300 "$tmp/crash" "$1" "$dir/$1" "$2" "$seed" >"$tmp/output" 2>&1
	ok $? "$1: all that was acknowledged is there ($2 rounds, seed $seed)"
	diag "$(cat "$tmp/output")"
}

plan 3
crash fast "$rounds"
crash durable "$rounds"
crash power $((rounds / 2))
