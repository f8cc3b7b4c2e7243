#!/bin/sh
# SPDX-License-Identifier: MIT
#
# 4,096 clients that send a byte now and then, or nothing, take all of devstore's
# connections: good clients are served nevertheless, one that is slow but goes on is let
# be, and all the others are dropped in time. (Who is late, and who goes first:
# tests/unit/test_ds_peers.c.)

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh

# shellcheck disable=SC3045  # dash and bash have it
ulimit -n 8192 2>/dev/null || skip_all "no 8,192 open files"
start_devstore
timeout 300 node tests/devstore/slow.mjs 4096 drives >"$tmp/slow" 2>&1
for what in they-were-there good-clients good-clients-soon slow-but-steady all-dropped; do
	is "$(grep "^$what:" "$tmp/slow")" "$what: ok" "$what"
done
grep -v ': ok$' "$tmp/slow" | sed 's/^/# /'
[ "$(devstore counters | jq .dropped)" -ge 4096 ]
ok $? "they are counted"
blobtool list drives >"$tmp/list"
ok $? "it serves on"
plan
