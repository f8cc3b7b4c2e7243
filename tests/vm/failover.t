#!/bin/sh
# SPDX-License-Identifier: MIT
# alone
# shellcheck disable=SC2034,SC2086,SC2154  # shared with tests/vm/lib.sh; words; by eval
#
# Failover as Windows Azure Drive has it: two machines, one store, two drives, one used
# bare and one with ext4. In each round one machine writes, and accounts outside of
# itself for what was acknowledged; something happens to it; the other takes the drives
# over by mount --force, finds all that was acknowledged, and writes; the first comes
# back, is fenced, and has changed nothing. Then they change roles.
#
# FAILOVER_ROUNDS (6) rounds, chosen by FAILOVER_SEED (printed).
# FAILOVER_KINDS: only these things happen, of those below.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh && . tests/vm/machines.sh

rounds=${FAILOVER_ROUNDS:-6}
seed=${FAILOVER_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
all_kinds=${FAILOVER_KINDS:-freeze pause kill drop hold refuse stop-helper kill-helper kill-agent nothing}
subjects="block files"
run=0
diag "FAILOVER_SEED=$seed"

# random BELOW: $random
random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	random=$(((seed >> 12) % $1))
}

# next_kind: $kind, at random from those that have not been
next_kind() {
	[ "${kinds-}" ] || kinds=$all_kinds
	# shellcheck disable=SC2086  # words
	set -- $kinds
	random $#
	shift $random
	kind=$1
	kinds=$(echo " $kinds " | sed "s/ $kind / /; s/^ *//; s/ *\$//")
}

# pause MILLISECONDS: at most; a moment that nobody chose
pause() {
	random "$1"
	sleep "$(printf '0.%03d' $random)"
}

# --- the machines ------------------------------------------------------------------

kernel_of() {
	case $1 in
	a) echo 6.1 ;;
	b) echo 6.12 ;;
	esac
}

# boot NAME: with a port of its own to the store
boot() {
	eval "port=\$port_$1"
	export TEST_URL="http://127.0.0.1:$port/$azurite_account"
	start_machine "$1" "$(kernel_of "$1")" tests/vm/guest/failover.sh \
		--forward "$port" --timeout "$machine_seconds"
}

connect() {
	eval "port=\$port_$1"
	setpriv --pdeathsig KILL -- node tests/vm/forward.mjs "$port" "$store_port" </dev/null >&2 &
	eval "forward_$1=$!"
	wait_for 30 curl -s -o "$tmp/nothing" "http://127.0.0.1:$port/" || bail_out "no way to the store"
}

disconnect() {
	eval "kill \$forward_$1 && wait \$forward_$1; forward_$1="
} 2>/dev/null

signal_forward() {
	eval "kill -s $2 \$forward_$1"
}

end_forwards() {
	for name in a b; do
		eval "pid=\${forward_$name-}"
		[ -z "$pid" ] || kill -s KILL "$pid"
	done
}

# --- what happens to a machine, and how it ends -------------------------------------------

# happen KIND MACHINE
happen() {
	case $1 in
	freeze) kill_machine "$2" STOP ;;
	pause) monitor "$2" stop ;;
	kill) kill_machine "$2" KILL ;;
	drop) ask "$2" 20 cut_off ;;
	hold) signal_forward "$2" STOP ;;
	refuse) disconnect "$2" ;;
	stop-helper) ask "$2" 20 signal_helpers STOP ;;
	kill-helper) ask "$2" 20 signal_helpers KILL ;;
	kill-agent) ask "$2" 20 kill_both ;;
	nothing) ;;
	esac
}

# come_back KIND MACHINE
come_back() {
	case $1 in
	freeze) kill_machine "$2" CONT ;;
	pause) monitor "$2" cont ;;
	kill) wait_machine "$2" 90 ;;
	drop) ask "$2" 20 heal ;;
	hold) signal_forward "$2" CONT ;;
	refuse) connect "$2" ;;
	stop-helper) ask "$2" 20 signal_helpers CONT ;;
	*) ;;
	esac
}

# --- writing and checking ------------------------------------------------------------------

# write_on MACHINE: begins the next run there
write_on() {
	run=$((run + 1))
	ask "$1" 20 start_writing $run
}

# has_written MACHINE RUN: something of both
has_written() {
	[ "$(grep -c ^A "$tmp/$1/block.$2")" -ge 5 ] && [ "$(grep -c ^A "$tmp/$1/files.$2")" -ge 5 ]
}

# give MACHINE FROM RUN: for its check, the models and what FROM has acknowledged
give() {
	for subject in $subjects; do
		cp "$tmp/model.$subject" "$tmp/$1/model.$subject"
		cp "$tmp/$2/$subject.$3" "$tmp/$1/acks.$subject"
	done
}

# take_models MACHINE: what was found is what is there
take_models() {
	for subject in $subjects; do
		cp "$tmp/$1/model.$subject" "$tmp/model.$subject"
	done
}

# each_thread_fails MACHINE RUN: the last that each had to say
each_thread_fails() {
	for subject in $subjects; do
		awk '{ last[$3] = $1 } END { for (t in last) if (last[t] != "F") exit 1; exit !length(last) }' \
			"$tmp/$1/$subject.$2" || return
	done
}

# covered MACHINE RUN: also what was acknowledged late was there
covered() {
	for subject in $subjects; do
		"$TEST_LEDGER" covered $subject "$tmp/model.$subject" "$tmp/$1/$subject.$2" || return
	done
}

# look MACHINE RUN: what is in the blobs, without the driver or a machine: what was
# there, and what MACHINE acknowledged, no more
look() {
	for subject in $subjects; do
		blobtool download "drives/$subject" "$tmp/$subject.image" || return
	done
	"$TEST_LEDGER" check block "$tmp/block.image" "$tmp/model.block" "$tmp/$1/block.$2" exact || return
	# After the journal, what preening mends is the superblock's counts, kept in memory.
	e2fsck -fp "$tmp/files.image" || [ $? -eq 1 ] || return
	rm -rf "$tmp/files" && mkdir "$tmp/files"
	debugfs -R "rdump / $tmp/files" "$tmp/files.image" || return
	"$TEST_LEDGER" check files "$tmp/files" "$tmp/model.files" "$tmp/$1/files.$2" exact
}

# --- a round -----------------------------------------------------------------------------------

# The writer, $w, is mounted and writes run $run; the taker, $t, has nothing.
fail_over() {
	name="round $1 ($kind, $w to $t)"
	lost=$run
	try "$name: there are writes" wait_for 20 has_written $w $lost
	pause 1000
	try_here "$name: it happens" happen "$kind" $w
	[ "$kind" != kill ] || boot $w
	pause 1000
	started=$(date +%s)
	try "$name: the other takes the drives" ask $t 90 take --force
	diag "taken after $(($(date +%s) - started)) s"
	give $t $w $lost
	try "$name: all that was acknowledged is there" ask $t 60 check
	take_models $t
	write_on $t
	try "$name: the other writes" wait_for 20 has_written $t $run
	started=$(date +%s)
	try_here "$name: the first comes back" come_back "$kind" $w
	fenced
	covered $w $lost >"$tmp/covered"
	ok $? "$name: what it acknowledged late was there, too"
	[ ! -s "$tmp/covered" ] || diag "$(cat "$tmp/covered")"
	try "$name: it can't have them back without --force" ask $w 60 taken_by_another
	[ "$kind" != kill-agent ] || try "$name: its writers have ended" ask $w 60 stop_writing
	try "$name: the other's drives live" ask $t 90 says live held
	try "$name: and it has no trouble" ask $t 40 stop_writing
	try "$name: nobody else has changed anything" look $t $run
}

# What the first machine finds. One that was started anew, or has lost its processes,
# has nobody who could find out: the latter's writers wait until somebody mounts.
fenced() {
	case $kind in
	kill | kill-agent) return ;;
	esac
	try "$name: it is fenced within 25 s" ask $w 30 become_fenced 25
	diag "fenced after $(($(date +%s) - started)) s"
	try "$name: list and status say so" ask $w 90 says fenced lost
	try "$name: all its writes fail" wait_for 15 each_thread_fails $w $lost
	try "$name: it unmounts within 10 s, files being open" ask $w 25 unmount_lost 10
	try "$name: and no write has succeeded since the first failed" ask $w 60 stop_writing
}

# The drives stay where they were taken, or go back politely.
settle() {
	random 3
	if [ $random -eq 0 ]; then
		try "$name: unmounted there" ask $t 60 unmount_both 30
		try "$name: mounted here without --force" ask $w 90 take
		try "$name: they live" ask $w 90 says live held
	else
		swapped=$w w=$t t=$swapped
	fi
	write_on $w
}

# --- all of it --------------------------------------------------------------------------------

make_tmp
export TEST_LEDGER="$tmp/ledger"
cc -D_GNU_SOURCE -std=gnu11 -O1 -g -Wall -Wextra -pthread -o "$TEST_LEDGER" tests/vm/ledger.c ||
	bail_out "ledger does not build"
start_devstore
port_a=$(free_port)
port_b=$(free_port)
machine_seconds=$((300 + rounds * 120))
at_exit end_forwards
connect a
connect b

truncate -s 16M "$tmp/block.image"
truncate -s 48M "$tmp/files.image"
mkfs.ext4 -q -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 "$tmp/files.image"
for subject in $subjects; do
	blobtool upload "$tmp/$subject.image" "drives/$subject" || bail_out "no drive"
	: >"$tmp/model.$subject"
done

w=a t=b
for machine in a b; do
	boot $machine
done
for machine in a b; do
	wait_machine $machine 90 || bail_out "machine $machine: $(tail "$tmp/$machine.log")"
done
try "the first machine mounts the drives" ask $w 90 take
write_on $w
round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	next_kind
	fail_over $round
	settle
done

try "writing ends" ask $w 40 stop_writing
try "the drives are unmounted" ask $w 60 unmount_both 30
for machine in a b; do
	post $machine 'finish; exit'
	end_machine $machine wait
	is $? 0 "machine $machine ended well"
	grep -A 40 'the kernel reported' "$tmp/$machine.log" | sed 's/^/# /'
done
plan
