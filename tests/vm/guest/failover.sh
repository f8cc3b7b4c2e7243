# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2086  # process ids
#
# What a machine of failover.t can be asked (tests/vm/guest/machine.sh runs it). There
# are two drives, "block", used bare, and "files", an ext4 at /mnt/files; most
# functions do both. $ledger is tests/vm/ledger.c's program.

ledger=$TEST_LEDGER
mkdir -p /mnt/files

drive_url() {
	echo "$TEST_URL/drives/$1"
}

# The device that the last mount of SUBJECT printed, with its mount point
device_of() {
	read -r device _ <"/tmp/mounted.$1"
	echo "$device"
}

state_of() {
	cat "/sys/block/$(basename "$(device_of "$1")")/cdrive/state"
}

# mount_one SUBJECT [OPTION]...
mount_one() {
	subject=$1
	shift
	case $subject in
	block) set -- --no-fs "$@" ;;
	files) set -- /mnt/files "$@" ;;
	esac
	timeout 60 clouddrivectl mount "$(drive_url "$subject")" "$@" >"/tmp/mounting.$subject" &&
		mv "/tmp/mounting.$subject" "/tmp/mounted.$subject"
}

# take [OPTION]...: mounts both at once; status and output are those of the first that fails
take() {
	mount_one block "$@" >/tmp/take.block 2>&1 &
	block=$!
	mount_one files "$@" >/tmp/take.files 2>&1 &
	files=$!
	wait $block
	block=$?
	wait $files
	files=$?
	[ $block -eq 0 ] && [ $files -eq 0 ] && return
	cat /tmp/take.block /tmp/take.files
	clouddrivectl list
	dmesg | tail -n 10
	return $((block ? block : files))
}

# taken_by_another: neither can be mounted without --force, and nothing of them works
taken_by_another() {
	for subject in block files; do
		mount_one $subject >/tmp/refused 2>&1
		refused=$?
		echo "$subject: status $refused: $(cat /tmp/refused)"
		[ $refused -eq 5 ] && grep -q -e --force /tmp/refused || return 1
	done
	! clouddrivectl list --json | jq -r '.[].state' | grep -qv fenced
}

# check: all that $VM_OUT/acks.SUBJECT says, and the models, after the journal was
# replayed; the models become what is there
check() {
	umount /mnt/files && e2fsck -fn "$(device_of files)" || return
	mount "$(device_of files)" /mnt/files || return
	for subject in block files; do
		where=/mnt/files
		[ $subject = files ] || where=$(device_of block)
		"$ledger" check $subject "$where" "$VM_OUT/model.$subject" "$VM_OUT/acks.$subject" || return
	done
}

# start_writing RUN: acknowledgements go to $VM_OUT/SUBJECT.RUN
start_writing() {
	"$ledger" write block "$(device_of block)" "$VM_OUT/block.$1" "$1" >/tmp/writer.block 2>&1 &
	block_writer=$!
	"$ledger" write files /mnt/files "$VM_OUT/files.$1" "$1" >/tmp/writer.files 2>&1 &
	files_writer=$!
}

# stop_writing: both ended well: no write succeeded after one that failed
stop_writing() {
	kill $block_writer $files_writer
	wait_for 30 ended $block_writer && wait_for 30 ended $files_writer || return
	wait $block_writer && wait $files_writer && return
	cat /tmp/writer.*
	return 1
}

both_are() {
	[ "$(state_of block)" = "$1" ] && [ "$(state_of files)" = "$1" ]
}

become_fenced() {
	wait_for "$1" both_are fenced && return
	clouddrivectl list
	return 1
}

# says STATE LEASE-STATE: list and status of both, and there are no others
says() {
	clouddrivectl list --json >/tmp/list
	clouddrivectl status "$(device_of block)" --json >/tmp/status.block
	clouddrivectl status "$(device_of files)" --json >/tmp/status.files
	said=$(jq -r '.[].state' /tmp/list && jq -r '"\(.state) \(.lease.state)"' /tmp/status.*)
	[ "$said" = "$(printf '%s\n' "$1" "$1" "$1 $2" "$1 $2")" ] && return
	cat /tmp/list /tmp/status.*
	return 1
}

# unmount_both SECONDS: for each
unmount_both() {
	timeout "$1" clouddrivectl unmount "$(device_of block)" &&
		timeout "$1" clouddrivectl unmount "$(device_of files)"
}

# unmount_lost SECONDS: likewise, when they are fenced: that what is dirty in the file
# system is lost is said, and they are gone all the same
unmount_lost() {
	block=$(device_of block) files=$(device_of files)
	timeout "$1" clouddrivectl unmount "$block" || [ $? -eq 1 ] || return
	timeout "$1" clouddrivectl unmount "$files" 2>/tmp/lost
	if [ $? -ne 1 ] || ! grep -q 'not all that was written is in the blob: .*was fenced' /tmp/lost; then
		cat /tmp/lost
		return 1
	fi
	is_gone "$block" && is_gone "$files"
}

is_gone() {
	! clouddrivectl list --json | jq -r '.[].device' | grep -qx "$1"
}

# --- what can go wrong inside ---------------------------------------------------------

cut_off() {
	port=$(echo "$TEST_URL" | sed 's,.*:\([0-9]*\)/.*,\1,')
	nft "add table inet cut
		add chain inet cut out { type filter hook output priority -300; }
		add chain inet cut in { type filter hook input priority -300; }
		add rule inet cut out tcp dport $port drop
		add rule inet cut in tcp sport $port drop"
}

heal() {
	nft delete table inet cut
}

helpers() {
	for subject in block files; do
		cat "/sys/block/$(basename "$(device_of $subject)")/cdrive/helper_pid"
	done
}

agents() {
	for subject in block files; do
		read -r pid _ <"/run/clouddrive/$(basename "$(device_of $subject)").agent"
		echo "$pid"
	done
}

# shellcheck disable=SC2046  # process ids
signal_helpers() {
	kill -s "$1" $(helpers)
}

# Agents first: they would start other helpers.
# shellcheck disable=SC2046
kill_both() {
	kill -s KILL $(agents) && kill -s KILL $(helpers)
}

# Nothing stays; the machine can end.
finish() {
	# A helper that has answered is just ending.
	wait_for 10 rmmod cdrive
}
