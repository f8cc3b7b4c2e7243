#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A machine that does what it is asked, one command at a time; tests/vm/machines.sh is
# the other side. The commands run in this shell, which has the functions of FUNCTIONS.
# usage: machine.sh FUNCTIONS

. tests/vm/guest/lib.sh
# shellcheck source=/dev/null
. "$1"

# The oldest command there is; its time names it.
next_command() {
	set -- "$VM_OUT"/command.[0-9]*
	[ -e "$1" ] && command_number=${1##*.}
}

: >"$VM_OUT/ready"
# Twenty minutes without a command: nobody is there any more.
while wait_for 1200 next_command; do
	command=$(cat "$VM_OUT/command.$command_number")
	rm "$VM_OUT/command.$command_number"
	eval "$command" >"$VM_OUT/reply.new" 2>&1 </dev/null
	echo $? >"$VM_OUT/status.$command_number"
	mv "$VM_OUT/reply.new" "$VM_OUT/reply.$command_number"
done
