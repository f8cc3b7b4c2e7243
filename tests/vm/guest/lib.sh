# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the guest's side of the drive tests shares. A guest script prints TAP, which
# tests/vm/suite.sh makes part of its own.
#
#	. tests/vm/guest/lib.sh
#	mount_drive "$TEST_URL/$1/disk" 256M	# made there, mounted: $url, $device, $disk

. tests/vm/lib.sh

# make_drive URL SIZE, mount_again [OPTION]..., mount_drive URL SIZE [OPTION]...:
# bail out, as nothing can be tested without a drive.
make_drive() {
	url=$1
	clouddrivectl create "$url" --size "$2" --format raw --fs none >&2 || bail_out "no drive could be made"
}

mount_again() {
	device=$(timeout 120 clouddrivectl mount "$url" --no-fs "$@") || bail_out "the drive could not be mounted"
	disk=${device#/dev/}
	sysfs=/sys/block/$disk
	wait_for 10 [ -b "$device" ] || bail_out "$device did not appear"
}

mount_drive() {
	make_drive "$1" "$2"
	shift 2
	mount_again "$@"
}

unmount_drive() {
	timeout 60 clouddrivectl unmount "$device" "$@"
}

# start_store [OPTION]...: a devstore in this machine, for a test that needs nothing outside, with
# the container $base; $control is its control socket.
# shellcheck disable=SC2034  # for the tests
start_store() {
	export AZURE_STORAGE_KEY="${azurite_key:?}"
	control=/tmp/devstore/control
	clouddrivectl devstore --data /tmp/devstore --listen 127.0.0.1:0 --container drives "$@" >/tmp/serving 2>&1 &
	store_pid=$!
	at_exit stop_store
	wait_for 30 grep -q ' control ' /tmp/serving || bail_out "devstore: $(cat /tmp/serving)"
	base=$(sed -n 's/.*serving //p' /tmp/serving)/drives
	store_address=$(echo "$base" | cut -d/ -f3)
}

# stop_store, restart_store [OPTION]...: its end, and it again, at the same address
stop_store() {
	kill "$store_pid" 2>/dev/null
	wait "$store_pid" 2>/dev/null
}

restart_store() {
	clouddrivectl devstore --data /tmp/devstore --listen "$store_address" "$@" >/tmp/serving 2>&1 &
	store_pid=$!
	wait_for 30 grep -q ' control ' /tmp/serving || bail_out "devstore: $(cat /tmp/serving)"
}

# What the helper knows, by a filter of jq: status .transactions.reads
status() {
	clouddrivectl status "$device" --json | jq -r "$1"
}

state() {
	cat "$sysfs/cdrive/state"
}

state_is() {
	[ "$(state)" = "$1" ]
}

helper_pid() {
	cat "$sysfs/cdrive/helper_pid"
}

# another_than PID: the drive has a helper, and not that one
another_than() {
	case $(helper_pid) in
	0 | "$1") return 1 ;;
	esac
}

# watch_states: from here on the states that drives come to are in /tmp/events, "cdriveN
# STATE" a line, after a first line of another kind
watch_states() {
	/usr/bin/python3 -u -c '
import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE
s.bind((0, 1))
print("listening")
while True:
    event = dict(p.split("=", 1) for p in s.recv(8192).decode().split("\0") if "=" in p)
    if "CDRIVE_STATE" in event:
        print(event["DEVNAME"], event["CDRIVE_STATE"])' >/tmp/events &
	at_exit "kill $! 2>/dev/null"
	wait_for 20 grep -q listening /tmp/events || bail_out "events can't be seen"
}

# Whatever fails, the machine must end: a mounted drive that waits would not let it.
leave_nothing() {
	[ -e "${sysfs-/nowhere}" ] || return 0
	umount -l /mnt 2>/dev/null
	timeout 60 clouddrivectl unmount "$device" --force >/dev/null 2>&1
}
at_exit leave_nothing

# host COMMAND...: has the test run a command outside, in its own shell; output and
# status are the command's. Ten minutes are longer than any test.
host() {
	echo "$*" >"$VM_OUT/question.new"
	mv "$VM_OUT/question.new" "$VM_OUT/question"
	wait_for 600 [ -e "$VM_OUT/answer" ] || return 1
	host_status=$(cat "$VM_OUT/status")
	cat "$VM_OUT/answer"
	rm "$VM_OUT/answer" "$VM_OUT/status"
	return "$host_status"
}

# verified_fio SECONDS [OPTION]...: direct writes, each block read back afterwards
# and compared with its CRC; fails at the first error.
verified_fio() {
	fio_seconds=$1
	shift
	timeout "$fio_seconds" fio --minimal --output=/tmp/fio.out --name=verified \
		--filename="$device" --direct=1 --verify=crc32c --verify_fatal=1 \
		--randrepeat=0 --group_reporting "$@" 2>/tmp/fio.err
	fio_status=$?
	[ $fio_status -eq 0 ] || diag "fio: status $fio_status: $(cat /tmp/fio.err)"
	return $fio_status
}

# ended PID: this script's child has ended (a subshell sees it as a zombie)
ended() {
	! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null
}

# I/O is with the driver
in_flight() {
	[ "$(cat "$sysfs/cdrive/in_flight")" -gt 0 ]
}

# written COUNT: so many requests to write have come to the helper
written() {
	[ "$(status .requests.writes)" -ge "$1" ]
}

# refused PATTERN COMMAND...: fails, saying PATTERN
refused() {
	pattern=$1
	shift
	! "$@" >/tmp/refused 2>&1 && grep -q "$pattern" /tmp/refused
}

# ext4_is_clean: by e2fsck, when it is not mounted
ext4_is_clean() {
	e2fsck -fn "$device" >/tmp/e2fsck 2>&1 || {
		cat /tmp/e2fsck
		return 1
	}
}

# The last check of most: nothing of the drive stays.
unload() {
	try "unmount" unmount_drive
	try "the module can be unloaded" rmmod cdrive
	try "the device is gone" [ ! -e "$device" ]
}
