#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Which names of drives the driver accepts (tests/vm/guest/names.py), and the links that
# udev makes of them.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	# What make install installs is what udev has in there.
	given='cp "$tmp"/root/usr/lib/udev/rules.d/* "$out"/'
	guest "$1" -- tests/vm/guest/links.sh
}

make_tmp
make -s install DESTDIR="${tmp:?}/root" >&2 || bail_out "make install failed"
for_each_kernel subject
plan
