#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of upgrade.t.

. tests/vm/guest/lib.sh

programs=/tmp/programs
mkdir $programs
PATH=$programs:$PATH

# As dpkg does it: the new file takes the old one's name.
install_from() {
	for program in clouddrivectl clouddrived; do
		cp "$1/$program" $programs/new && mv $programs/new "$programs/$program" || return
	done
}

agent_of() {
	clouddrivectl list --json | jq ".[$1].agent_pid"
}

helper_of() {
	cat "/sys/block/cdrive$1/cdrive/helper_pid"
}

pids() {
	echo "$(agent_of 0) $(agent_of 1) $(helper_of 0) $(helper_of 1)"
}

# alive NAME: its processes, without those that have only to be reaped
alive() {
	pgrep -x -r S,D,R "$1"
}

# what_runs NAME...: the processes of these names are of what is installed now
what_runs() {
	for name in "$@"; do
		for pid in $(alive "$name"); do
			case $name in
			clouddrived) cmp "/proc/$pid/exe" $programs/clouddrived || return ;;
			*) cmp "/proc/$pid/exe" $programs/clouddrivectl || return ;;
			esac
			! readlink "/proc/$pid/exe" | grep deleted || return
		done
	done
}

# Rounds of load, each of which is verified, until it is to end or one fails.
load() {
	round=0
	until [ -e /tmp/enough ]; do
		verified_fio 120 --ioengine=libaio --iodepth=8 --rw=randwrite --bssplit=4k/70:64k/30 \
			--size=512k --offset=$((round % 16))M || return
		round=$((round + 1))
		echo $round >/tmp/rounds
	done
}

rounds() {
	cat /tmp/rounds 2>/dev/null || echo 0
}

has_done() {
	[ "$(rounds)" -ge "$1" ]
}

# One more round than now is begun and done.
goes_on() {
	wait_for 60 has_done $(($(rounds) + 2))
}

same() {
	[ "$(pids)" = "$before" ]
}

install_from build || bail_out "no programs"
start_store
make_drive "$base/disk2" 64M
mount_drive "$base/disk" 64M --sas-lifetime 12
clouddrivectl mount "$base/disk2" --no-fs --foreground >/tmp/foreground 2>&1 &
foreground=$!
wait_for 30 [ -b /dev/cdrive1 ]
watch_states
load &
load=$!
wait_for 60 has_done 1
before=$(pids)

try "nothing new: nothing is done" sh -c "clouddrivectl upgrade | grep -c 'is up to date' | grep -qx 2"
try "and all is the same" same

# --- the next version -------------------------------------------------------------------

install_from build/next
is "$(clouddrivectl --version)" "clouddrivectl 9.9.9" "the next version is installed"
try "clouddrivectl upgrade" clouddrivectl upgrade
is "$output" "/dev/cdrive0 upgraded
/dev/cdrive1 upgraded" "says of each that it is upgraded"
after=$(pids)
for i in 1 2 3 4; do
	[ "$(echo "$before" | cut -d' ' -f$i)" != "$(echo "$after" | cut -d' ' -f$i)" ] &&
		[ "$(echo "$after" | cut -d' ' -f$i)" -gt 0 ]
	ok $? "process $i of four is another"
done
try "agents, spawners and helpers are of the next version" what_runs cdrive-agent cdrive-spawner clouddrived
is "$(alive cdrive-agent | wc -l) $(alive cdrive-spawner | wc -l) $(alive clouddrived | wc -l)" "2 2 2" \
	"two of each, none of before"
echo "$AZURE_STORAGE_KEY" >/tmp/key
try "no key is in its arguments or its environment" sh -c "
	cat /proc/${after%% *}/cmdline /proc/${after%% *}/environ >/tmp/seen && grep -aq PATH= /tmp/seen &&
	! grep -aqFf /tmp/key /tmp/seen"
try "the load goes on" goes_on
sleep 13
try "past the end of the SAS that came from the agent before, too" goes_on
helper=$(helper_of 0)
kill -9 "$helper"
try "a helper that dies has a successor" wait_for 20 another_than "$helper"
try "of the next version" what_runs clouddrived

# --- one that does not work ----------------------------------------------------------------

before=$(pids)
printf '#!/bin/sh\nexit 1\n' >/tmp/broken
chmod +x /tmp/broken
cp /tmp/broken $programs/new && mv $programs/new $programs/clouddrived
clouddrivectl upgrade 2>/tmp/says
is "$? $(cat /tmp/says)" "1 clouddrivectl: upgrade: $programs/clouddrived: can't be executed; all stays as it is; install clouddrive anew" \
	"a clouddrived that does not run: refused"
try "and all is the same" same
cp /tmp/broken $programs/new && mv $programs/new $programs/clouddrivectl
build/next/clouddrivectl upgrade 2>/tmp/says
is "$?" 1 "a clouddrivectl that does not run: an error"
try "which says where to look" grep -q "cdrive0: its agent (process ${before%% *}) could not be replaced; see the system log" /tmp/says
install_from build
try "and all is the same" same
is "$(status .agent.pid)" "${before%% *}" "the agent has its helper back"
sleep 13
try "and gives it tokens" goes_on
try "back to this version" clouddrivectl upgrade
try "with all processes" what_runs cdrive-agent cdrive-spawner clouddrived

touch /tmp/enough
wait $load
ok $? "no block was wrong in $(rounds) rounds"
is "$(grep -c 'failing\|fenced' /tmp/events)" 0 "no drive was failing or fenced"
kill -TERM $foreground
wait_for 60 ended $foreground
try "the mount in the foreground takes its drive away when it is told to end" wait_for 10 [ ! -e /sys/block/cdrive1 ]
unload
try "nothing is left" sh -c '! pgrep "cloudd|cdrive-" | grep -vx '$store_pid' && [ -z "$(ls -A /run/clouddrive)" ]'
plan
