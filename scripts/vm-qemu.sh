# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154  # what scripts/vm uses, what it sets
#
# The part of scripts/vm that is QEMU's: the host's directories come over virtiofs,
# output goes the same way.

# The modules without which the guest has no root.
machine_modules='virtio_pci virtiofs overlay virtio_net virtio_blk'

devices=''

# share TAG DIR CACHE [WRAPPER]...: serves DIR, and adds the device for it. CACHE is always
# or never. Debian 12 has the virtiofsd that is part of QEMU, later ones the one in Rust,
# to which the former path leads, too; that one would make each of this machine's mounts
# one of the guest's, which overlayfs does not take.
share() {
	tag=$1 dir=$2 cache=$3
	shift 3
	if [ ! -x /usr/libexec/virtiofsd ]; then
		[ "$cache" != never ] || cache=none
		set -- "$@" /usr/lib/qemu/virtiofsd -o "source=$dir,cache=$cache,sandbox=chroot,log_level=err"
	else
		set -- "$@" /usr/libexec/virtiofsd --shared-dir "$dir" --cache "$cache" \
			--sandbox chroot --no-announce-submounts --log-level error
	fi
	$child "$@" --socket-path="$run/$tag.socket" </dev/null >"$run/$tag.log" 2>&1 &
	pids="$pids $!"
	devices="$devices -chardev socket,id=$tag,path=$run/$tag.socket
		-device vhost-user-fs-pci,chardev=$tag,tag=$tag"
}

wait_for_shares() {
	tries=0
	for socket in "$run/root.socket" "$run/vm.socket" ${out:+"$run/out.socket"}; do
		until [ -S "$socket" ]; do
			tries=$((tries + 1))
			[ $tries -lt 100 ] || die "virtiofsd did not start: $(cat "$run"/*.log)" 125
			sleep 0.05
		done
	done
}

machine_start() {
	share root / always unshare --mount --propagation private sh -c "$read_only" sh "$run" /run/virtiofsd
	share vm "$run/share" never
	[ ! "$out" ] || share out "$out" never

	for disk in $disks; do
		id=${disk##*/}
		devices="$devices -drive if=none,id=$id,format=raw,cache=unsafe,discard=unmap,file=$disk
			-device virtio-blk-pci,drive=$id"
	done

	# A /dev/kvm without the processor's support hangs; emulation always works. Without
	# page tables of five levels: an interrupt while the kernel looks what processor it
	# has finds KASAN of two minds about them. Without what costs more when it is emulated
	# than what takes its place: rep movsb (erms), which is done byte by byte, and the
	# instruction for CRC32C (sse4.2), bit by bit.
	if grep -Eqw 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
		cpu='-accel kvm -cpu host'
	else
		cpu='-accel tcg,thread=multi -cpu max,la57=off,erms=off,sse4.2=off'
	fi

	# panic=-1 and -no-reboot: an oops ends the machine at once. nowatchdog: the one for
	# soft lockups takes emulation's pauses for them; no_timer_check: so does the check of
	# the timer's interrupt.
	words="console=ttyS0 $words nowatchdog no_timer_check tsc=reliable mitigations=off nokaslr random.trust_cpu=on"
	# The emulated TSC ticks as this machine's. On a busy machine a kernel that measures it
	# may be wrong many times over, and its clock runs away. (On a machine that is no virtual
	# one itself, the figure may be the processor's clock of the moment instead.)
	if [ "${cpu#*tcg}" != "$cpu" ] && grep -qw hypervisor /proc/cpuinfo; then
		khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
		words="$words${khz:+ tsc_early_khz=$khz}"
	fi
	wait_for_shares

	# shellcheck disable=SC2086  # lists of words
	$child timeout -k 5 "$timeout" $child qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-machine q35,memory-backend=mem $cpu -smp "$smp" -m "$mem" \
		-object "memory-backend-memfd,id=mem,size=$mem,share=on" \
		-rtc base=utc -serial "file:$console" -monitor none \
		${pid_file:+-pidfile "$pid_file"} ${qmp:+-qmp "unix:$qmp,server=on,wait=off"} \
		${gdb:+-gdb "unix:$gdb,server=on,wait=off"} \
		-netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
		$devices \
		-kernel "$kernel/vmlinuz" -initrd "$initramfs" -append "$words $append" \
		</dev/null >"$run/machine.log" 2>&1 &
	machine=$!
}

# QEMU's parallel emulation sometimes (one start in a hundred) runs a breakpoint
# that the kernel has just patched away. More rarely the machine just stops.
start_failed_by_chance() {
	[ "$stuck" ] || grep -q 'Oops: int3' "$console"
}
