#!/bin/sh
# SPDX-License-Identifier: MIT
#
# clouddrivectl upgrade: drives under verified load, one of them mounted in the foreground,
# go on with the programs of the next version; and with those of this one, where the next
# do not work.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

# The next version is this one with another number: what does not know it is not compiled
# again.
next=build/next
build_next() {
	rm -rf $next && mkdir -p $next && cp -al build/obj $next/ || return
	# shellcheck disable=SC2013  # names without spaces
	for source in $(grep -l CD_VERSION helper/*/*.c); do
		rm -f "$next/obj/${source%.c}.o"
	done
	rm -f $next/obj/*.a
	make -s --no-print-directory BUILD=$next VERSION=9.9.9 $next/clouddrivectl $next/clouddrived
}

subject() {
	guest "$1" --timeout 600 -- tests/vm/guest/upgrade.sh
}

# What is tested here is not the kernel's.
kernels=${TEST_KERNELS:-uml}
build_next || bail_out "the next version does not build"
for_each_kernel subject
plan
