#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# The map of the cache (driver/cache/), compiled for user space, under random schedules: no
# hit is stale; see tests/cache/model.h. The map without any of its rules must be caught.
#
# A schedule that failed is run again by its seed: build/cache/model --steps 1 --seed N.
# CACHE_STEPS (1000000) says how many; CACHE_SEED begins elsewhere than at 1.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh
make_tmp
tmp=${tmp:?}

steps=${CACHE_STEPS:-1000000}
seed=${CACHE_SEED:-1}

make -s -j2 build/cache/model build/cache/sanitized WERROR=-Werror || bail_out "it does not compile"

# model PROGRAM [OPTION]...: what it said becomes diagnostics
model() {
	timeout 300 "$@" --seed "$seed" >"$tmp/model" 2>&1
	status=$?
	sed 's/^/# /' "$tmp/model"
	return $status
}

# of NAME: how many
of() {
	sed -n "s/^$1 //p" "$tmp/model"
}

model build/cache/model --steps "$steps"
ok $? "no hit is stale"
[ "$(of hits)" -gt $((steps / 200)) ] && [ "$(of wrong)" -gt 0 ] && [ "$(of resizes)" -gt 0 ] &&
	[ "$(of cold)" -gt 0 ] && [ "$(of imported)" -gt 0 ]
ok $? "all that may happen did"
model build/cache/sanitized --steps $((steps / 5))
ok $? "the same under sanitizers"

# caught [OPTION]: by what it says, or as it fell over; not as it hung
caught() {
	sh -c 'timeout 60 "$@"; exit $?' sh "build/cache/without/$name/model" --steps 3000000 "$@" \
		>"$tmp/mutant" 2>&1
	status=$?
	[ $status -ne 0 ] && [ $status -ne 124 ] &&
		{ [ $# = 0 ] || grep -q ': a hit is stale' "$tmp/mutant"; }
}

grep -v '^#' tests/cache/mutants >"$tmp/mutants"
while read -r name how file expression; do
	tests/cache/mutate "$name" "$file" "$expression" && caught
	ok $? "without $name it is caught"
	[ "$how" = '*' ] || continue
	caught --stale
	ok $? "and as a hit is stale"
done <"$tmp/mutants"

model build/cache/model --steps "$steps" --trusting
[ $? = 1 ] && grep -q ': a hit is stale' "$tmp/model"
ok $? "a volume that is taken for current though somebody else has written"
plan
