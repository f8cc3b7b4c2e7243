#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of deadline.t.

. tests/vm/lib.sh

modprobe cdrive || bail_out "no module"
PYTHONDONTWRITEBYTECODE=1 timeout 150 /usr/bin/python3 tests/vm/guest/deadline.py
ok $? "all of it ran"
try "the module can be unloaded" rmmod cdrive
plan
