# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the tests of the drive share, beyond tests/vm/lib.sh: one guest script on
# each kernel, whose TAP becomes part of the test's, and which may ask this side to
# do something (stop the server, say) by `host COMMAND…` (tests/vm/guest/lib.sh).
#
#	cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
#	start_azurite
#	for_each_kernel subject
#	subject() { container=$(new_container) && guest "$1" -- integrity.sh "$container"; }
#	plan
#
# TEST_KERNELS are the kernels. By default a test that is about the driver's own
# behaviour runs on Debian's (6.1 and 6.12). One that sets $kernels does with fewer, as
# time is short: about the programs, with one; and where much is to go wrong, with uml,
# which is the quickest, and has all checkers.

. tests/vm/lib.sh

kernels=${TEST_KERNELS:-6.1 6.12}

guest_pid=
at_exit end_guest

end_guest() {
	[ -z "$guest_pid" ] || { kill "$guest_pid" && wait "$guest_pid"; } 2>/dev/null
}

for_each_kernel() {
	for kernel in $kernels; do
		"$1" "$kernel"
	done
}

# guest KERNEL [OPTION OF scripts/vm]... -- SCRIPT [ARGUMENT]...: SCRIPT is one of
# tests/vm/guest. The guest is told by $TEST_URL where the account is; $forwards
# are ports for it besides Azurite's, $given a command that puts files into $out, its
# $VM_OUT.
guest() {
	guest_kernel=$1
	shift
	make_tmp
	out=${tmp:?}/out
	rm -rf "$out"
	mkdir "$out"
	eval "${given-}"
	for port in "${azurite_port-}" ${forwards-}; do
		[ -z "$port" ] || set -- --forward "$port" "$@"
	done
	started=$(date +%s)
	TEST_URL=${url-${azurite_url-}} VM_ENV="TEST_URL ${VM_ENV-}" \
		scripts/vm --kernel "$guest_kernel" --out "$out" "$@" >"$tmp/guest" 2>&1 &
	guest_pid=$!
	while kill -0 "$guest_pid" 2>/dev/null; do
		answer_guest
		sleep 0.1
	done
	wait "$guest_pid"
	guest_status=$?
	guest_pid=
	tell_guest_results "$guest_kernel"
	is "$guest_status" 0 "$guest_kernel: the machine ended well, after $(($(date +%s) - started)) s"
	return $guest_status
}

# The guest's question is a command of this shell, the answer its output and status.
answer_guest() {
	[ -e "$out/question" ] || return 0
	question=$(cat "$out/question")
	rm "$out/question"
	eval "$question" >"$out/answer.new" 2>&1
	echo $? >"$out/status"
	mv "$out/answer.new" "$out/answer"
}

tell_guest_results() {
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			case $line in
			ok*) status=0 ;;
			*) status=1 ;;
			esac
			ok $status "$1: ${line#* - }"
			;;
		'1..'*) ;;
		'# '*) echo "$line" ;;
		*) diag "$line" ;;
		esac
	done <"$tmp/guest"
}
