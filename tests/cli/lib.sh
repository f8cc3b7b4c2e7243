# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154  # what tests use; of tests/vm/lib.sh
#
# What the tests of clouddrivectl's command line share, beyond tests/vm/lib.sh.
# They need no device, and run on the host.
#
#	cd "$(dirname "$0")/../.." && . tests/cli/lib.sh
#	rejected 3 "no such container" "a container that isn't there" \
#		create "$azurite_url/nowhere/disk" --size 64M

. tests/vm/lib.sh

ctl=$PWD/build/clouddrivectl
tmp=${tmp-}

# Never to be seen in any output. Tests add to them.
secrets='SECRET'
add_secret() {
	secrets="$secrets
$1"
}

# ctl ARGUMENT...: runs it in bounded time, leaving $got (its status), $tmp/stdout
# and $tmp/stderr.
ctl() {
	make_tmp
	timeout 120 "$ctl" "$@" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null
	got=$?
}

keeps_secrets() {
	! printf '%s\n' "$secrets" | grep -q -F -f - "$tmp/stdout" "$tmp/stderr"
}

show_output() {
	diag "status $got"
	diag "$(sed 's/^/stdout: /' "$tmp/stdout")"
	diag "$(sed 's/^/stderr: /' "$tmp/stderr")"
}

# One line on standard error that has the form of all messages, and nothing else but
# how far it was, when it took long.
one_message() {
	[ ! -s "$tmp/stdout" ] && [ "$(grep -vc ' left$\|/s$' "$tmp/stderr")" = 1 ] &&
		grep -Eq '^clouddrivectl: [^:]+: .+; .+' "$tmp/stderr"
}

# rejected STATUS PATTERN NAME ARGUMENT...: it fails with STATUS (a pattern too, for
# what servers see differently) and one message that matches PATTERN (grep -E), says
# what to do, and tells no secret.
rejected() {
	rejected_status=$1 rejected_pattern=$2 rejected_name=$3
	shift 3
	ctl "$@"
	if echo "$got" | grep -qx "$rejected_status" && one_message && keeps_secrets &&
		grep -Eq -e "$rejected_pattern" "$tmp/stderr"; then
		pass "$rejected_name: status $got"
	else
		fail "$rejected_name: status $rejected_status, $rejected_pattern"
		show_output
	fi
}

# done_quietly NAME ARGUMENT...: it succeeds and says nothing.
done_quietly() {
	quiet_name=$1
	shift
	ctl "$@"
	if [ "$got" = 0 ] && [ ! -s "$tmp/stdout" ] && [ ! -s "$tmp/stderr" ]; then
		pass "$quiet_name"
	else
		fail "$quiet_name"
		show_output
	fi
}

# reports PATTERN NAME ARGUMENT...: it succeeds and says one line on standard output
# that matches PATTERN (grep -E); nothing else but how far it is.
reports() {
	report_pattern=$1 report_name=$2
	shift 2
	ctl "$@"
	if [ "$got" = 0 ] && [ "$(wc -l <"$tmp/stdout")" = 1 ] && keeps_secrets &&
		grep -Eq -e "$report_pattern" "$tmp/stdout" &&
		! grep -Eqv '^clouddrivectl: [a-z]+: .*/s(, [0-9:]+ left)?$' "$tmp/stderr"; then
		pass "$report_name"
	else
		fail "$report_name: $report_pattern"
		show_output
	fi
}

# start_store devstore|azurite: a server of the test's own, with an empty container.
# $store_options are more of devstore's. Sets $base (the container's URL), $container,
# $key (a file) and, for devstore, $control; the tools find the server in $connection,
# clouddrivectl must be told.
start_store() {
	make_tmp
	if [ "$1" = azurite ]; then
		start_azurite
		store_url=$azurite_url
	else
		# shellcheck disable=SC2086  # several options
		"$ctl" devstore --data "$tmp/devstore" --listen 127.0.0.1:0 ${store_options-} >"$tmp/serving" 2>&1 &
		store_pid=$!
		at_exit "kill $store_pid 2>/dev/null; wait $store_pid 2>/dev/null"
		wait_for 20 grep -q ' control ' "$tmp/serving" ||
			bail_out "devstore did not start: $(cat "$tmp/serving")"
		store_url=$(sed -n 's/^devstore: serving //p' "$tmp/serving")
		control=$tmp/devstore/control
	fi
	connection="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$store_url;"
	unset AZURE_STORAGE_CONNECTION_STRING
	add_secret "$azurite_key"
	key=$tmp/key
	echo "$azurite_key" >"$key"
	container=drives$$
	tool create-container $container || bail_out "no container"
	base=$store_url/$container
}

# The client that others made, on the blobs of start_store's server.
tool() {
	AZURE_STORAGE_CONNECTION_STRING=$connection blobtool "$@"
}

# fault ARGUMENT...: devstore's faults
fault() {
	"$ctl" devstore fault "$@" --control "$control"
}

# blobs: the names of what is in the container
blobs() {
	tool list "$container"
}

# mark_of NAME: what an unfinished blob is marked with; nothing when it is finished
mark_of() {
	tool props "$container/$1" | jq -r '.metadata.clouddriveunfinished // ""'
}

# start_server MODE [UPSTREAM-PORT]: a server that does wrong (tests/cli/server.mjs);
# sets $server_port, $server_url and $server_pid.
start_server() {
	make_tmp
	: >"$tmp/port"
	node tests/cli/server.mjs "$@" >"$tmp/port" 2>"$tmp/server.log" &
	server_pid=$!
	at_exit "kill $server_pid 2>/dev/null; wait $server_pid 2>/dev/null"
	wait_for 20 [ -s "$tmp/port" ] || bail_out "the server did not start: $(cat "$tmp/server.log")"
	server_port=$(cat "$tmp/port")
	server_url=http://127.0.0.1:$server_port/${azurite_account:?}/disks/disk
}

stop_server() {
	kill "$server_pid"
	wait "$server_pid" 2>/dev/null
}

# A key that is well-formed, and of no account.
wrong_key() {
	make_tmp
	head -c 64 /dev/zero | base64 -w 0
}
