# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the scripts share. Sourced with the project's root as current directory.

# A line for the person watching, apart from what a script outputs.
say() {
	echo "${0##*/}: $*" >&2
}

# die MESSAGE [STATUS]
die() {
	say "$1"
	exit "${2:-1}"
}

# Holds an exclusive lock on FILE until the script ends.
locked() {
	mkdir -p "$(dirname "$1")"
	exec 9>"$1"
	flock 9
}
