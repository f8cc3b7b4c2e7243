#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The OCF resource agent, as make install puts it: by ocf-tester of the package
# resource-agents, for a bare device and for a mount point; then what that doesn't
# try: wrong parameters, a lost lease, a lease of another's, users that won't go.
# Needs root, kernels, Azurite and build/ocf, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
# A shell script that asks the programs: one kernel will do.
# shellcheck disable=SC2034  # suite.sh's
kernels=${TEST_KERNELS:-6.1}

# Where the guest finds it: the agent beside the functions that it uses.
install_agent() {
	root=${tmp:?}/root
	mkdir -p "$root"
	cp -r build/ocf/usr "$root/ocf"
	make -s install PREFIX="$root/usr" SRCDIR="$root/src" OCFDIR="$root/ocf/lib/ocf" \
		UDEVDIR="$root/udev"
}

subject() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/ocf.sh "$container" "$root/ocf"
}

start_azurite
install_agent || bail_out "make install failed"
for_each_kernel subject
plan
