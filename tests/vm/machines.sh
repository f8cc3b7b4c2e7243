# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2154  # tmp and names made by eval
#
# Several virtual machines at once, for a test that tells each what to do: the
# opposite of tests/vm/suite.sh, where the guest's script is the test. Each runs
# tests/vm/guest/machine.sh and is known by a NAME, a word.
#
#	cd "$(dirname "$0")/../.." && . tests/vm/lib.sh && . tests/vm/machines.sh
#	start_machine a 6.1 tests/vm/guest/subject.sh --forward "$port"
#	wait_machine a 60 || bail_out "$(tail "$tmp/a.log")"
#	ask a 20 uname -r		# its output and status
#	kill_machine a STOP		# frozen; CONT to go on, KILL for good
#
# $tmp/NAME is the machine's $VM_OUT, and stays when the machine ends.

# start_machine NAME KERNEL FUNCTIONS [OPTION OF scripts/vm]...: returns at once. The
# shell script FUNCTIONS is what the commands it will be asked need.
start_machine() {
	make_tmp
	machine=$1
	mkdir -p "$tmp/$machine"
	rm -f "$tmp/$machine"/command.* "$tmp/$machine/ready" "$tmp/$machine.pid"
	kernel=$2 functions=$3
	shift 3
	# A user-mode kernel has no monitor.
	[ "$kernel" = uml ] || set -- --qmp "$tmp/$machine.qmp" "$@"
	scripts/vm --kernel "$kernel" --out "$tmp/$machine" --pid-file "$tmp/$machine.pid" \
		"$@" -- tests/vm/guest/machine.sh "$functions" \
		</dev/null >>"$tmp/$machine.log" 2>&1 &
	eval "machine_$machine=$!"
	at_exit "end_machine $machine"
}

# wait_machine NAME SECONDS: until it takes commands
wait_machine() {
	wait_for "$2" [ -e "$tmp/$1/ready" ]
}

# post NAME COMMAND...: has the machine run it, in the shell of its functions, after
# what it is at
post() {
	machine=$1
	shift
	posted=$(date +%s%N)
	echo "$*" >"$tmp/$machine/command.new"
	mv "$tmp/$machine/command.new" "$tmp/$machine/command.$posted"
}

# reply NAME SECONDS: output and status of what was posted last; 124 when none comes
reply() {
	wait_for "$2" [ -e "$tmp/$1/reply.$posted" ] || {
		echo "machine $1: no reply within $2 s"
		return 124
	}
	cat "$tmp/$1/reply.$posted"
	return "$(cat "$tmp/$1/status.$posted")"
}

# ask NAME SECONDS COMMAND...
ask() {
	ask_machine=$1 ask_seconds=$2
	shift 2
	post "$ask_machine" "$*"
	reply "$ask_machine" "$ask_seconds"
}

# kill_machine NAME SIGNAL: to the emulator. After KILL it can be started again.
kill_machine() {
	kill -s "$2" "$(cat "$tmp/$1.pid")" || return 1
	[ "$2" != KILL ] || { eval "wait \$machine_$1; machine_$1="; } 2>/dev/null
	return 0
}

# monitor NAME COMMAND: one of QMP's without arguments, as stop and cont
monitor() {
	node -e '
		const [path, command] = process.argv.slice(1);
		const socket = require("net").connect(path);
		socket.end(`{"execute":"qmp_capabilities"}{"execute":"${command}"}`);
		let said = "";
		socket.on("data", (data) => (said += data));
		socket.on("close", () => process.exit(/"error"/.test(said) || said.split(`"return"`).length < 3 ? 1 : 0));
		socket.on("error", () => process.exit(1));
	' "$tmp/$1.qmp" "$2"
}

# try_here NAME COMMAND...: as try, and what COMMAND does to this shell's variables stays
try_here() {
	try_name=$1
	shift
	"$@" >"$tmp/try_here" 2>&1 && try_status=0 || try_status=$?
	ok "$try_status" "$try_name"
	[ "$try_status" -eq 0 ] || diag "$* exited with status $try_status: $(cat "$tmp/try_here")"
}

# end_machine NAME: politely, by its own script's end, and its status; or by force
end_machine() {
	eval "machine_pid=\${machine_$1-}"
	[ "$machine_pid" ] || return 0
	eval "machine_$1="
	[ "${2-}" ] || kill "$machine_pid" 2>/dev/null
	wait "$machine_pid" 2>/dev/null
}
