# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154  # what scripts/vm uses, what it sets
#
# The part of scripts/vm that is user-mode Linux's: the kernel is a process of this
# machine, and reads the host's directories itself (hostfs). Output goes over its
# serial lines, straight to the files: hostfs would keep it back until they are closed.

machine_modules=''

# A user-mode network without privileges: QEMU's, without a machine, at the other
# end of a pair of sockets. The kernel gets its end as descriptor 5.
with_network='
use Socket;
$^F = 9; # descriptors up to this one are inherited
socketpair(my $kernel, my $host, AF_UNIX, SOCK_DGRAM, 0) or die "socketpair: $!\n";
if (my $pid = fork // die "fork: $!\n") {
	close $host;
	POSIX::dup2(fileno $kernel, 5);
	exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
}
close $kernel;
POSIX::dup2(fileno $host, 5);
exec qw(setpriv --pdeathsig KILL -- qemu-system-x86_64 -machine none -nodefaults -display none
	-monitor none -netdev user,id=user -netdev hubport,id=a,hubid=0,netdev=user
	-netdev dgram,id=kernel,local.type=fd,local.str=5 -netdev hubport,id=b,hubid=0,netdev=kernel);
die "qemu-system-x86_64: $!\n"'

# The machine's number among the host's processes, for as long as /proc is the host's.
in_namespace='
	[ ! "$2" ] || { read -r pid _ </proc/self/stat && echo "$pid" >"$2"; }
	[ ! "$3" ] || mount --bind "$3" "$1/out"
	run=$1
	shift 3
	exec sh -c "$read_only" sh "$run" /dev/shm "$@"'

machine_start() {
	[ ! "$qmp" ] || die "--qmp: a user-mode kernel has no such monitor; use another kernel" 2
	[ ! "$gdb" ] || die "--gdb: attach to the process instead, see Documentation/testing.rst" 2
	[ "$smp" = 1 ] || [ ! "$smp_given" ] || say "--smp $smp: a user-mode kernel has one processor"

	number=0
	for disk in $disks; do
		words="$words ubd${number}t=$disk"
		number=$((number + 1))
	done
	# Words that are not the kernel's are its init's environment.
	words="$words hostfs_root=/ hostfs_vm=$run/share ${out:+hostfs_out=$run/out}"
	network=
	if [ "$forwards" ]; then
		network=y
		words="$words vec0:transport=fd,fd=5,depth=64"
	fi

	# A user-mode kernel that is killed would leave its processes behind, free to run on
	# the host: they end with their namespace. Its memory is a file on /dev/shm.
	mkdir "$run/uml" "$run/out"
	export read_only
	# shellcheck disable=SC2086  # lists of words
	$child timeout -k 5 "$timeout" $child \
		unshare --mount --propagation private --pid --fork --kill-child \
		sh -c "$in_namespace" sh "$run" "$pid_file" "$out" \
		${network:+perl -MPOSIX -e "$with_network"} \
		"$kernel/linux" mem="$mem" initrd="$initramfs" uml_dir="$run/uml/" \
		stderr=1 con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 ssl1=null,fd:4 $words $append \
		</dev/null >"$console" 2>&1 3>>"$run/share/stdout" 4>>"$run/share/stderr" &
	machine=$!
	: >"$run/machine.log"
}

start_failed_by_chance() {
	false
}
