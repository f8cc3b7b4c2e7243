#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# The driver's own tests, tests/kunit/*_test.c: a module that brings them runs them
# when it is loaded. On user-mode Linux with all checkers; TEST_KERNELS names other
# kernels that have KUnit.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh

# each_case: from KUnit's KTAP of many suites, a line "STATUS SUITE: CASE" for each
# case, and whatever it has to say
each_case() {
	awk '
	/# Subtest: / { suite = $NF; next }
	/^ +(ok|not ok) / {
		status = $1 == "ok" ? 0 : 1
		sub(/^ *(not )?ok [0-9]+ /, "")
		print status, suite ": " $0
		next
	}
	/^ +# module:/ { next }
	/^ +/ && !/^ +(1\.\.|KTAP)/ { print "#", $0 }'
}

subject() {
	module=build/kunit/$1/cdrive.ko
	make -s "$module" >&2 || bail_out "$module does not build"
	make_tmp
	tmp=${tmp:?}
	scripts/vm --kernel "$1" --append kunit.enable=1 --timeout 200 -- sh -c 'insmod "$1" || exit
		cat /sys/kernel/debug/kunit/cdrive_*/results
		rmmod cdrive' sh "$PWD/$module" >"$tmp/ktap" 2>"$tmp/errors"
	status=$?
	each_case <"$tmp/ktap" >"$tmp/cases"
	while read -r result name; do
		case $result in
		'#') echo "# $name" ;;
		*) ok "$result" "$1: $name" ;;
		esac
	done <"$tmp/cases"
	is "$(grep -c '^[01] ' "$tmp/cases")" \
		"$(cat tests/kunit/*_test.c | grep -c 'KUNIT_CASE(')" "$1: no case was left out"
	is $status 0 "$1: the machine ended well"
	[ $status = 0 ] || diag "$(cat "$tmp/errors")"
}

for kernel in ${TEST_KERNELS:-uml}; do
	subject "$kernel"
done
plan
