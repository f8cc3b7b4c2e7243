#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of bad-input.t.
# usage: bad-input.sh CONTAINER

. tests/cli/lib.sh
. tests/vm/guest/lib.sh

container=$1
base=$TEST_URL/$container
tmp=/tmp/work
key=$VM_OUT/key
mkdir "$tmp"
unset AZURE_STORAGE_CONNECTION_STRING
add_secret "$(cat "$key")"
add_secret "$(echo "$TEST_EXPIRED" | sed 's/.*sig=//; s/&.*//')"
add_secret "$(echo "$TEST_READER" | sed 's/.*sig=//; s/&.*//')"

# --- nothing left behind --------------------------------------------------------------

no_device() {
	[ -z "$(find /dev -name 'cdrive[0-9]*')" ] && [ "$("$ctl" list | wc -l)" = 1 ]
}

no_process() {
	! pgrep 'cloudd|cdrive-' >/dev/null
}

no_record() {
	[ -z "$(find /run/clouddrive -type f -o -type s 2>/dev/null)" ]
}

# left_nothing NAME: what is ended was told before: nothing has to be waited for.
left_nothing() {
	if no_device && no_process && no_record && [ -z "$(ls /mnt)" ]; then
		pass "$1: no device, no process, no record left"
	else
		fail "$1: no device, no process, no record left"
		diag "$(ls /dev/cdrive* /mnt; "$ctl" list; pgrep -a 'cloudd|cdrive-'; ls /run/clouddrive)"
	fi
}

left_no_lease() {
	is "$(host lease_state)" "${2:-available}" "$1: no lease left"
}

# mount_rejected STATUS PATTERN NAME ARGUMENT...
mount_rejected() {
	mount_name=$3
	mount_status=$1 mount_pattern=$2
	shift 3
	rejected "$mount_status" "$mount_pattern" "mount: $mount_name" mount "$@"
	left_nothing "$mount_name"
}

# --- before anything is touched -----------------------------------------------------------

mount -t tmpfs none /usr/lib/modules
mount_rejected 1 "module cdrive not found for kernel .*; install clouddrive-dkms and .*, or build it: .*" "module missing" \
	"$base/disk" --key-file "$key"
umount /usr/lib/modules
left_no_lease "module missing"

message=$(setpriv --reuid 65534 --regid 65534 --clear-groups clouddrivectl mount "$base/disk" 2>&1)
is "$? $message" "1 clouddrivectl: mount: must be root; run it with sudo" "not root"
mount_rejected 2 'account name' "malformed URL" "http://127.0.0.1:10000/a/b/c"
mount_rejected 2 'plain http' "http to another host" "http://192.0.2.1/account/disks/disk" --key-file "$key"
mount_rejected 2 'neither .* nor part of a SAS' "a query that is no SAS" "$base/disk?frob=SECRET"
mount_rejected 1 '/nowhere: No such file' "no such mount point" "$base/disk" /nowhere --key-file "$key"
mount_rejected 1 'not a directory' "a file as mount point" "$base/disk" "$key" --key-file "$key"
mount_rejected 2 'a mount point, but --no-fs' "a mount point and --no-fs" "$base/disk" /tmp --no-fs
mount_rejected 4 'no credential' "no credential" "$base/disk"

# --- what the service says ----------------------------------------------------------------------

head -c 64 /dev/zero | base64 -w 0 >/tmp/wrong
mount_rejected 4 'check the account key' "a wrong key" "$base/disk" --key-file /tmp/wrong
mount_rejected 4 'the SAS expired at .*; make a new one' "an expired SAS" "$base/disk?$TEST_EXPIRED"
mount_rejected 4 'lacks .*write' "a SAS that may only read" "$base/disk?$TEST_READER"
mount_rejected '[34]' . "no such account" "${TEST_URL%/*}/nobody/$container/disk" --key-file "$key"
mount_rejected 3 . "no such container" "$TEST_URL/nowhere/disk" --key-file "$key"
mount_rejected 3 . "no such blob" "$base/nothing" --key-file "$key"
mount_rejected 8 'not a page blob' "a block blob" "$base/text" --key-file "$key"
mount_rejected 1 'holds no file system; make one with' "an empty drive" "$base/disk" --key-file "$key"
left_no_lease "an empty drive"
lease=$(host blobtool acquire-lease "$container/disk")
mount_rejected 5 . "leased elsewhere" "$base/disk" --no-fs --key-file "$key"
mount_rejected 5 . "leased elsewhere, read-only" "$base/disk" --no-fs --read-only --key-file "$key"
is "$(host lease_state)" leased "whose lease is left alone"
[ "$lease" ] && host blobtool break-lease "$container/disk"

# --- servers -------------------------------------------------------------------------------------

mount_rejected 7 "unreachable" "server down" "http://127.0.0.1:9/account/disks/disk" --key-file "$key"
mount_rejected 7 "unreachable" "server out of reach" "http://192.0.2.1:10000/account/disks/disk" \
	--allow-http --key-file "$key"
mount_rejected 7 "unreachable" "no such host" "https://nosuchaccount.invalid/disks/disk" --key-file "$key"
for server in $TEST_SERVERS; do
	case ${server%%=*} in
	close | reset | header | busy) expected=7 ;;
	*) expected='[1478]' ;;
	esac
	mount_rejected "$expected" . "a server that answers ${server%%=*}" "${server#*=}" --key-file "$key"
done

# The first is what a disk without content costs, up to its partition table.
for requests in 0 1 2 3 4 5; do
	curl -s "$TEST_CUT/cut/$requests"
	mount_rejected 7 . "a server that dies after $requests requests" \
		"$TEST_CUT/${TEST_URL##*/}/$container/disk" --no-fs --key-file "$key"
	host blobtool break-lease "$container/disk" >/dev/null 2>&1
done

# --- TLS -------------------------------------------------------------------------------------------

tls=$TEST_TLS/$container/disk
mount_rejected 7 'not trusted.*SSL_CERT_FILE' "a certificate that nobody signed" "$tls" --no-fs --key-file "$key"
SSL_CERT_FILE=$VM_OUT/tls.pem
export SSL_CERT_FILE
try "TLS, trusted through SSL_CERT_FILE: create" "$ctl" create "$tls" --size 1M --format raw --fs none --key-file "$key"
try "TLS, trusted through SSL_CERT_FILE: mount" "$ctl" mount "$tls" --no-fs --key-file "$key"
try "TLS, trusted through SSL_CERT_FILE: unmount" "$ctl" unmount "$tls"
unset SSL_CERT_FILE
left_nothing "TLS"

# --- what is mounted already ---------------------------------------------------------------------------

url=$base/disk
device=$("$ctl" mount "$url?$TEST_WRITER" --no-fs) || bail_out "the drive could not be mounted"
pid=$(pgrep -x clouddrived)
! grep -q sig= "/proc/$pid/cmdline" "/proc/$pid/environ" /run/clouddrive/*.json
ok $? "the SAS is in no command line, environment or record"
rejected 6 "already mounted on this machine as $device, to be written to" "the same blob twice, read-only" \
	mount "$url" --no-fs --read-only --key-file "$key"
is "$("$ctl" mount "$url" --no-fs --key-file "$key" 2>&1)" "$device" "the same blob twice"
rejected 6 "mounted on this machine as $device" "delete of what is mounted" delete "$url" --key-file "$key"
rejected 3 "not a drive's device or mount point" "unmount of another mount point" unmount /tmp
rejected 3 "not mounted on this machine" "unmount of another blob" unmount "$base/nothing"
rejected 3 "not a drive's device" "unmount of another device" unmount /dev/null
exec 9<"$device"
rejected 6 "in use" "unmount of an open device" unmount "$device"
exec 9<&-
mkfs.ext4 -q "$device" && mount "$device" /mnt
exec 9>/mnt/file
rejected 6 "/mnt: files in use by .*sh \($$\)" "unmount of files in use" unmount /mnt
exec 9>&-
is "$("$ctl" list --json | jq -r '.[0] | "\(.device) \(.mount_point) \(.url) \(.state)"')" \
	"$device /mnt $url live" "it is as it was"
done_quietly "unmount by mount point" unmount /mnt
left_nothing "unmount"
left_no_lease "unmount"
rejected 3 "not a drive's device or mount point" "unmount of what isn't mounted" unmount "$device"

# --- interrupted -----------------------------------------------------------------------------------------

for signal in INT TERM HUP; do
	# Background processes of a shell ignore INT; env gives it back.
	env --default-signal=INT "$ctl" mount "$url" --no-fs --key-file "$key" >"$tmp/stdout" 2>"$tmp/stderr" &
	pid=$!
	wait_for 20 pgrep -x clouddrived
	kill -s $signal $pid 2>/dev/null
	wait $pid
	status=$?
	# Too late is possible too, and is fine.
	if [ $status = 0 ]; then
		"$ctl" unmount "$url"
	fi
	[ $status = 0 ] || { [ $status = 1 ] && grep -q interrupted "$tmp/stderr"; }
	ok $? "SIG$signal: status $status, $(cat "$tmp/stderr")"
	left_nothing "SIG$signal"
	left_no_lease "SIG$signal"
done

# The drive is there, and is said to be: as good as a moment later.
printed=$tmp/stdout
strace -o /dev/null -P "$printed" -e inject=write:signal=HUP \
	"$ctl" mount "$url" --no-fs --key-file "$key" >"$tmp/stdout" 2>"$tmp/stderr"
is "$? $(cat "$printed")" "0 $device" "SIGHUP while it prints: mounted"
try "SIGHUP while it prints: unmount" "$ctl" unmount "$url"

# --- too many ----------------------------------------------------------------------------------------------

for i in $(seq 17); do
	"$ctl" create "$base/many$i" --size 64K --format raw --fs none --key-file "$key" || bail_out "create"
done
for i in $(seq 16); do
	"$ctl" mount "$base/many$i" --no-fs --connections 1 --key-file "$key" >>"$tmp/devices"
done
is "$(sort -V "$tmp/devices" | tr '\n' ' ')" "$(seq -f /dev/cdrive%.0f -s ' ' 0 15) " "16 drives"
rejected 1 'all 16 drives of this machine are in use; unmount one' "a 17th drive" \
	mount "$base/many17" --no-fs --key-file "$key"
is "$("$ctl" list | wc -l) $(pgrep -xc clouddrived) $(pgrep -xc cdrive-agent)" "17 16 16" \
	"which leaves the 16 alone"
for i in $(seq 16); do
	"$ctl" unmount "$base/many$i" || fail "unmount $i"
done
left_nothing "16 drives"
try "the module can be unloaded" rmmod cdrive

plan
