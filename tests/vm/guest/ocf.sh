#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of ocf.t.
# usage: ocf.sh CONTAINER OCF
# OCF: /usr of the package resource-agents, with our agent in it

. tests/vm/guest/lib.sh

# Where ocf-tester's nobody can reach it.
cp -r "$2" /tmp/ocf
export OCF_ROOT=/tmp/ocf/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RESOURCE_INSTANCE=disk
export OCF_RESKEY_CRM_meta_interval=20000
agent=$OCF_ROOT/resource.d/clouddrive/drive
sed 's|^DATADIR=.*|DATADIR=/tmp/ocf/share|' /tmp/ocf/sbin/ocf-tester >/tmp/ocf-tester
umask 077
echo "$AZURE_STORAGE_CONNECTION_STRING" | sed 's/.*AccountKey=\([^;]*\).*/\1/' >/tmp/key

# act ACTION [PARAMETER=VALUE]...: as the cluster calls it; the drive of $url with
# the key, unless PARAMETERs say otherwise; what it says is in /tmp/said
act() {
	action=$1
	shift
	(
		# The agent must do with its parameters.
		unset AZURE_STORAGE_CONNECTION_STRING
		export OCF_RESKEY_url="${url:?}" OCF_RESKEY_key_file=/tmp/key
		for parameter in "$@"; do
			case $parameter in
			OCF_*) export "${parameter?}" ;;
			*) export "OCF_RESKEY_$parameter" ;;
			esac
		done
		exec timeout 150 "$agent" "$action"
	) >/tmp/said 2>&1
}

# expect STATUS PATTERN NAME ACTION [PARAMETER=VALUE]...
expect() {
	expected=$1 pattern=$2 name=$3
	shift 3
	act "$@"
	got=$?
	[ "$got" = "$expected" ] && { [ -z "$pattern" ] || grep -q "$pattern" /tmp/said; }
	told=$?
	ok $told "$name"
	[ $told -eq 0 ] || diag "status $got, not $expected, or not $pattern in: $(cat /tmp/said)"
}

tester() {
	(
		unset AZURE_STORAGE_CONNECTION_STRING
		sh /tmp/ocf-tester -n disk -o url="$url" -o key_file=/tmp/key "$@" "$agent"
	)
}

# Which number a drive gets is the driver's to say: one that is still open keeps its.
find_device() {
	device=$(clouddrivectl status "$url" --json | jq -r .device)
	sysfs=/sys/block/${device#/dev/}
}

mounted_at() {
	grep -q "^/dev/cdrive[0-9p]* $1 " /proc/mounts
}

# --- parameters ---------------------------------------------------------------------

make_drive "$TEST_URL/$1/disk" 64M
blob=$1/disk
cp /tmp/key /tmp/key.open
chmod 644 /tmp/key.open
expect 0 '' "what is right is valid" validate-all
expect 6 'url: not set' "no url" validate-all url=
expect 6 'url: has a SAS' "a SAS in the configuration" validate-all "url=$url?sv=1&sig=x"
expect 6 'url=disk1' "not a URL" validate-all url=disk1
expect 6 'clouddrivectl: status:' "not a blob's URL" validate-all url=https://example.com
expect 6 'neither is set' "no credential" validate-all key_file=
expect 6 'both are set' "two credentials" validate-all sas_file=/tmp/key
expect 2 'no such file' "a key file that isn't there" validate-all key_file=/tmp/none
expect 4 'others than root' "a key that others may read" validate-all key_file=/tmp/key.open
expect 6 'force=perhaps' "neither true nor false" validate-all force=perhaps
expect 6 'park_limit=0' "a park limit of 0" validate-all park_limit=0
expect 6 'park_limit=86401' "one that is too long" validate-all park_limit=86401
expect 6 'not an absolute path' "a relative directory" validate-all directory=srv
expect 5 'no such program' "no clouddrivectl" validate-all binary=/tmp/none
expect 5 'no such program' "the same for monitor" monitor binary=/tmp/none
expect 0 '' "nothing to stop without it, when there are no drives" stop binary=/tmp/none
expect 3 usage "an action that there is not" promote
is "$(su nobody -s /bin/sh -c "$agent meta-data" | grep -c "default=\"/.*/sbin/clouddrivectl\"")" 1 \
	"installed, it knows where clouddrivectl is"

# --- life ---------------------------------------------------------------------------

expect 7 '' "a drive that isn't here is not running" monitor
try "ocf-tester has nothing to say of a bare device" tester
expect 0 '' "start" start
find_device
try "mkfs" mkfs.ext4 -q "$device"
expect 1 'not mounted at /tmp/a' "a bare device is not what was asked for" monitor directory=/tmp/a
expect 0 '' "stop" stop
try "ocf-tester has nothing to say of a mount point" tester -o directory=/tmp/a

expect 0 '' "started at a directory that isn't there" start directory=/tmp/srv/data
try "mounted" mounted_at /tmp/srv/data
expect 0 '' "monitor, level 10" monitor directory=/tmp/srv/data OCF_CHECK_LEVEL=10
expect 0 '' "monitor, level 20" monitor directory=/tmp/srv/data OCF_CHECK_LEVEL=20
try "which has written a file" [ -s /tmp/srv/data/.clouddrive-disk ]

# Written, but not synced, by one that a TERM doesn't impress.
sh -c 'trap "" TERM; exec 3>/tmp/srv/data/kept; echo kept >&3; while :; do sleep 100; done' &
user=$!
wait_for 10 [ -s /tmp/srv/data/kept ]
expect 0 'sending KILL' "stopped though in use" stop directory=/tmp/srv/data
try "the user was killed" wait_for 5 ended $user
try "nothing of the drive is left" [ ! -e "$device" ]

expect 0 '' "started anew" start directory=/tmp/srv/data park_limit=100
find_device
is "$(cat /tmp/srv/data/kept)" kept "what the user had written is there"
is "$(cat "$sysfs/cdrive/park_limit")" 100 "park_limit is the driver's"

# --- fenced ---------------------------------------------------------------------------

tail -f /tmp/srv/data/kept >/dev/null 2>&1 &
reader=$!
host blobtool break-lease "$blob"
try "a broken lease fences it" wait_for 25 state_is fenced
expect 1 'is fenced' "which is a failure" monitor directory=/tmp/srv/data
new=$(host blobtool acquire-lease "$blob" 60)
ok $? "another has it now: $new"
expect 0 '' "a fenced drive stops, though open" stop directory=/tmp/srv/data
try "and is gone" [ ! -e "$device" ]
try "its user was left alone" kill $reader
expect 7 '' "not running" monitor directory=/tmp/srv/data
expect 1 LeaseAlreadyPresent "start leaves the other's lease alone when told so" start \
	directory=/tmp/srv/data force=false
try "and leaves nothing" [ ! -e "$device" ]
expect 0 'taking it over' "else it takes it" start directory=/tmp/srv/data
is "$(cat /tmp/srv/data/kept)" kept "the data is there"
expect 0 '' "stop" stop directory=/tmp/srv/data

# --- a SAS, and what start says -----------------------------------------------------------

host blobtool sas "$blob" rw 3600 >/tmp/sas
expect 0 '' "started with a SAS, read-only, and traced" start key_file= sas_file=/tmp/sas \
	read_only=true OCF_TRACE_RA=1 OCF_TRACE_FILE=/tmp/trace
find_device
is "$(cat "$sysfs/ro")" 1 "the device is read-only"
grep -q 'mount.*--no-fs' /tmp/trace && ! grep -q "sig=" /tmp/trace
ok $? "the trace has no SAS in it"
expect 0 '' "stop" stop

echo bm90IHRoZSBrZXk= >/tmp/wrong
expect 4 403 "a wrong key" start key_file=/tmp/wrong
expect 6 BlobNotFound "no such blob" start "url=$url.not"
try "nothing is left" [ ! -e "$device" ]

# --- a drive that doesn't answer ------------------------------------------------------------

expect 0 '' "start" start
find_device
helper=$(cat "$sysfs/cdrive/helper_pid")
kill -STOP "$helper"
expect 0 '' "a helper that stands still is no failure yet" monitor
expect 1 'took longer' "at level 10 it is" monitor OCF_CHECK_LEVEL=10
kill -CONT "$helper"

# --- without agent ----------------------------------------------------------------------------

agent_pid() {
	status .agent.pid
}

no_agent() {
	[ "$(agent_pid)" = null ]
}

kill -KILL "$(agent_pid)"
wait_for 10 no_agent
expect 0 'has no agent' "monitor brings an agent back" monitor
try "which lives" [ "$(agent_pid)" != null ]
is "$(cat "$sysfs/cdrive/helper_pid")" "$helper" "the helper is the same"
kill -KILL "$(agent_pid)" "$helper"
try "without either the drive is parked" wait_for 10 state_is parked
expect 0 'has no agent' "monitor brings both back" monitor
try "it is live" wait_for 10 state_is live
expect 0 '' "stop" stop
try "the module can be unloaded" rmmod cdrive
plan
