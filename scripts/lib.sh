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

# The mirror that the system's apt has Debian's own suites from, whichever these are:
# http://deb.debian.org/debian. Nothing when apt has no lists yet.
mirror() {
	(unset APT_CONFIG && apt-get indextargets --format '$(SITE) $(ORIGIN) $(CODENAME)' 'Created-By: Packages') |
		sed -n '/ Debian [a-z]*$/{s| .*||;s|/$||;p;q;}'
}

# copy_modules FROM TO NAME...: the modules named, and those they depend on, of a kernel
# whose modules.dep is in FROM, uncompressed. Prints the names of the files in the order in
# which they can be loaded.
copy_modules() {
	modules=$1 copies=$2
	shift 2
	for name in "$@"; do
		# From modules.dep: "FILE: NEEDED…", the last needed to be loaded first.
		sed -n "\|/$name\.ko[.a-z]*:|{s/://p;q;}" "$modules/modules.dep" | tr ' ' '\n' | tac
	done | awk '!seen[$0]++' | while read -r file; do
		base=${file##*/}
		case $base in
		*.xz) xz -dc "$modules/$file" >"$copies/${base%.xz}" ;;
		*) cp "$modules/$file" "$copies/" ;;
		esac
		echo "${base%.xz}"
	done
}
