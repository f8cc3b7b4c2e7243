#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# Replacement (driver/cache/policy.h) on traces: no fewer hits than LRU, and a volume that is
# read once takes nothing of another's part; see tests/cache/replay.c.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh
make_tmp
tmp=${tmp:?}

make -s -j2 build/cache/replay WERROR=-Werror || bail_out "it does not compile"

# replay NAME [OPTION]...
replay() {
	name=$1
	shift
	timeout 300 build/cache/replay "$@" >"$tmp/said" 2>&1
	ok $? "$name"
	sed 's/^/# /' "$tmp/said"
}

for alpha in 0.9 1.1; do
	for percent in 1 10 50; do
		replay "zipf $alpha, $percent %: no fewer hits than LRU" --alpha $alpha \
			--percent $percent --reads 300000 --chunks 20000
	done
done
replay "a scan leaves the others their part" --scan
plan
