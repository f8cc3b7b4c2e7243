#!/bin/sh
# SPDX-License-Identifier: MIT
#
# No write lands late (Documentation/design.rst, "Rules that keep the data"): random
# histories of one blob, with the real client, on devstore and on Azurite, behind a
# proxy that loses answers and holds calls; see tests/late/schedule.h. The same programs
# without the conditions, and without the raise after a lost answer, must be caught.
#
# A history that failed is run again by its seed: build/late/late --help.
# LATE_SEED begins elsewhere than at 1; LATE_MORE multiplies the number.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh
make_tmp

more=${LATE_MORE:-1}
seed=${LATE_SEED:-1}

make -s -j2 programs build/late/late build/late/without_conditions build/late/without_overlap build/late/without_compare ||
	bail_out "late does not compile"

# late NAME PROGRAM [OPTION]...: its tests become one, its figures diagnostics
late() {
	late_name=$1
	late_program=$2
	shift 2
	late_begin=$(date +%s%N)
	timeout 600 "build/late/$late_program" --seed "$seed" "$@" >"$tmp/late" 2>&1
	late_status=$?
	sed 's/^\([^#]\)/# \1/' "$tmp/late"
	diag "$late_name: $((($(date +%s%N) - late_begin) / 1000000)) ms"
	ok $late_status "$late_name"
}

build/clouddrivectl devstore --data "$tmp/store" --listen 127.0.0.1:0 --container late \
	>"$tmp/log" 2>&1 &
at_exit "kill $!"
wait_for 10 grep -q ' control ' "$tmp/log" || bail_out "devstore did not start: $(cat "$tmp/log")"
devstore=$(sed -n 's/.*serving //p' "$tmp/log")/late

late "devstore: nothing lands late" late --schedules $((1200 * more)) \
	--server "$devstore" --control "$tmp/store/control"
late "without the conditions, something does" without_conditions --broken --schedules 300 \
	--server "$devstore" --control "$tmp/store/control"
late "without the raise before what overlaps, something does" without_overlap --broken \
	--schedules 1000 --server "$devstore" --control "$tmp/store/control"
late "with other bytes sent as a repetition, something does" without_compare --broken \
	--schedules 1000 --server "$devstore" --control "$tmp/store/control"

[ -d tests/node_modules/azurite ] || bail_out "no Azurite: run scripts/setup"
start_azurite
container=$(new_container) || bail_out "no container"
late "Azurite: nothing lands late" late --schedules $((80 * more)) \
	--server "$azurite_url/$container"
late "Azurite, without the conditions" without_conditions --broken --schedules 300 \
	--server "$azurite_url/$container"

plan
