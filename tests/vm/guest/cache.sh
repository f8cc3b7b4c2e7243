#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of cache.t.
# usage: cache.sh DEVICE

. tests/vm/lib.sh

modprobe cdrive || bail_out "no module"
PYTHONDONTWRITEBYTECODE=1 timeout 300 /usr/bin/python3 tests/vm/guest/cache.py "$@"
ok $? "all of it ran"
try "the module can be unloaded" rmmod cdrive
plan
