# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the virtual machine tests share. A test is a script tests/*/*.t that prints
# TAP, sourcing this with the project's root as current directory:
#
#	cd "$(dirname "$0")/../.." && . tests/vm/lib.sh
#	plan 2
#	start_azurite
#	container=$(new_container)
#	vm 6.12 --mem 512M -- tests/vm/guest/integrity.sh "$container"
#	ok $? "integrity on 6.12"
#	blobtool props "$container/disk" | jq -e '.leaseState == "available"' >/dev/null
#	ok $? "the lease was released"
#
# A guest script sources it too, for what is useful there (TAP, wait_for).
# Whatever a test starts, it registers with at_exit.

set -u

# --- TAP --------------------------------------------------------------------------

tap_number=0
tap_failed=0

# plan COUNT, or without COUNT at the end: as many as were run
plan() {
	echo "1..${1:-$tap_number}"
}

# ok STATUS NAME: a test that passed when STATUS is 0
ok() {
	tap_number=$((tap_number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_number - $2"
	else
		echo "not ok $tap_number - $2"
		tap_failed=$((tap_failed + 1))
	fi
}

pass() {
	ok 0 "$1"
}

fail() {
	ok 1 "$1"
}

# is GOT EXPECTED NAME
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:      $1"
		diag "expected: $2"
	fi
}

# try NAME COMMAND...: a test that passes when COMMAND does; its output is shown when not
try() {
	try_name=$1
	shift
	output=$("$@" 2>&1) && try_status=0 || try_status=$?
	ok "$try_status" "$try_name"
	if [ "$try_status" -ne 0 ]; then
		diag "$* exited with status $try_status"
		diag "$output"
	fi
}

# skip NAME REASON: one test not run
skip() {
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP $2"
}

# skip_all REASON: the whole file, instead of a plan
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

diag() {
	echo "$*" | sed 's/^/# /'
}

bail_out() {
	echo "Bail out! $*"
	exit 1
}

# --- clean-up -----------------------------------------------------------------------

exit_commands=:

# at_exit COMMAND: run when the test ends, however it does; last come, first run
at_exit() {
	exit_commands="$1
$exit_commands"
}

run_exit_commands() {
	status=$?
	trap - EXIT HUP INT TERM
	eval "$exit_commands"
	[ $status -ne 0 ] || [ $tap_failed -eq 0 ] || status=1
	exit $status
}
trap run_exit_commands EXIT
trap 'exit 130' HUP INT TERM

# wait_for SECONDS COMMAND...: until COMMAND succeeds; fails when it never does
wait_for() {
	wait_left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		wait_left=$((wait_left - 1))
		[ $wait_left -gt 0 ] || return 1
		sleep 0.1
	done
}

# A directory of the test's own, gone afterwards: $tmp
# (Under build/, as a guest has an empty /tmp of its own.)
make_tmp() {
	[ "${tmp-}" ] && return
	mkdir -p build/tmp
	tmp=$(mktemp -d "$PWD/build/tmp/test.XXXXXX")
	at_exit 'rm -rf "$tmp"'
}

# --- in a machine --------------------------------------------------------------------

# module_leaks: what the kernel's leak detector, if it has one, finds of what the module
# has made. The rest is forgotten, for who looks next: for tests by which the kernel
# itself loses something.
module_leaks() {
	leaks=/sys/kernel/debug/kmemleak
	[ -w $leaks ] || return 0
	sleep 6 # younger ones don't count
	echo scan >$leaks
	echo scan >$leaks # only what has not changed since the last is told
	awk '/^unreferenced/ { text = "" } { text = text $0 "\n" } /cdrive_/ { printf "%s", text; text = "" }' $leaks
	echo clear >$leaks
}

# --- Azurite --------------------------------------------------------------------------

# The emulator's account, the same everywhere and published: no secret.
azurite_account=devstoreaccount1
azurite_key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==

free_port() {
	node -e 'const s = require("net").createServer();
		s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# start_azurite [OPTION]...: a server of the test's own, empty. Sets azurite_port
# and azurite_url, and exports AZURE_STORAGE_CONNECTION_STRING for the tools (the
# guest gets it too). OPTIONs go to azurite-blob.
start_azurite() {
	make_tmp
	azurite_port=${azurite_port:-$(free_port)}
	azurite_url=http://127.0.0.1:$azurite_port/$azurite_account
	export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$azurite_url;"
	at_exit stop_azurite
	restart_azurite "$@"
}

# restart_azurite [OPTION]...: again on the same port, with the data it had
restart_azurite() {
	node tests/node_modules/azurite/dist/src/blob/main.js --silent \
		--disableTelemetry --skipApiVersionCheck --blobHost 127.0.0.1 \
		--blobPort "$azurite_port" --location "$tmp/azurite" "$@" \
		</dev/null >>"$tmp/azurite.log" 2>&1 &
	azurite_pid=$!
	wait_for 30 azurite_answers || bail_out "Azurite did not start: $(tail -n 5 "$tmp/azurite.log")"
}

# Any answer will do; an empty server's is an error.
azurite_answers() {
	kill -0 "$azurite_pid" && curl -s -o /dev/null "http://127.0.0.1:$azurite_port/"
}

# stop_azurite [SIGNAL]: KILL leaves it no time to answer; STOP and CONT freeze it
stop_azurite() {
	[ "${azurite_pid-}" ] || return 0
	kill -s "${1:-TERM}" "$azurite_pid" 2>/dev/null
	case ${1:-TERM} in
	STOP | CONT) ;;
	*)
		wait "$azurite_pid" 2>/dev/null
		azurite_pid=
		;;
	esac
}

# --- devstore ----------------------------------------------------------------------------

# start_devstore [OPTION]...: this project's own store, quicker than Azurite. Sets
# store_port and store_url, and exports AZURE_STORAGE_CONNECTION_STRING as above, so
# that blobtool looks at it. It stays until the test ends, or stop_devstore is called;
# started again, it is at the same port. It has a container "drives".
start_devstore() {
	make_tmp
	setpriv --pdeathsig KILL -- build/clouddrivectl devstore --data "$tmp/store" \
		--control "$tmp/store.control" --listen "127.0.0.1:${store_port:-0}" --container drives "$@" \
		</dev/null >"$tmp/store.log" 2>&1 &
	devstore_pid=$!
	at_exit 'kill "$devstore_pid" 2>/dev/null'
	wait_for 20 grep -q 'devstore: control' "$tmp/store.log" ||
		bail_out "devstore did not start: $(cat "$tmp/store.log")"
	store_url=$(sed -n 's/^devstore: serving //p' "$tmp/store.log")
	# shellcheck disable=SC2034  # for the tests
	store_port=$(echo "$store_url" | sed 's,.*:\([0-9]*\)/.*,\1,')
	export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$store_url;"
}

stop_devstore() {
	kill "$devstore_pid" && wait "$devstore_pid"
}

# devstore COMMAND...: asks that store: fault set …, counters
devstore() {
	build/clouddrivectl devstore "$@" --control "$tmp/store.control"
}

# See tests/azurite/blobtool.mjs for what it does.
blobtool() {
	node tests/azurite/blobtool.mjs "$@"
}

# Makes a container with a name of its own and prints the name.
new_container() {
	set -- "t$(date +%s)-$$-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')"
	blobtool create-container "$1" >&2 && echo "$1"
}

# --- the machine -----------------------------------------------------------------------

# vm KERNEL [OPTION]... -- COMMAND...: COMMAND in a guest, with Azurite, when one was
# started, at the address it has here. Standard output becomes diagnostics, unless
# vm_raw is set, as when the guest prints what the test wants to read.
vm() {
	vm_kernel=$1
	shift
	[ -z "${azurite_port-}" ] || set -- --forward "$azurite_port" "$@"
	if [ "${vm_raw-}" ]; then
		scripts/vm --kernel "$vm_kernel" "$@"
	else
		# The pipe must not take the machine's status with it.
		make_tmp
		scripts/vm --kernel "$vm_kernel" "$@" >"$tmp/vm.out" 2>&1
		vm_status=$?
		sed 's/^/# /' "$tmp/vm.out"
		return $vm_status
	fi
}
