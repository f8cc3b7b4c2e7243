#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The lease's deadline in the driver, by a helper without any service
# (tests/vm/guest/deadline.py): what waits, what is kept, who may say what, and what
# comes of a deadline that passes while the machine is suspended; and of a machine that
# hibernates.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
. scripts/lib.sh

make_tmp
tmp=${tmp:?}

# --- a machine that can be suspended ------------------------------------------------

# The virtiofs that is the root of scripts/vm's machines can't be. This one has no
# device but its clock, two serial lines, and a disk for the image of itself that
# hibernation makes; and all it needs in its initramfs.

# What Python has open for these modules, the interpreter and dd, and their libraries.
files_for_python() {
	/usr/bin/python3 -c '
import contextlib, encodings, errno, mmap, os, select, socket, struct, subprocess, sys, time, collections
for module in list(sys.modules.values()):
    for name in ("__file__", "__cached__"):
        path = getattr(module, name, None)
        if path and os.path.exists(path):
            print(path)
print(os.path.realpath(sys.executable))' >"$tmp/files"
	echo /bin/dd >>"$tmp/files"
	{
		cat "$tmp/files"
		grep -v '\.pyc*$' "$tmp/files" | xargs -n 1 ldd | grep -o '/[^ ]*'
	} | sort -u
}

make_initramfs() {
	tree=$tmp/tree
	mkdir -p "$tree/dev" "$tree/sys" "$tree/proc" "$tree/busybox"
	files_for_python | while read -r file; do
		mkdir -p "$tree$(dirname "$file")"
		cp -L "$file" "$tree$file"
	done
	cp /bin/busybox "$tree/busybox/"
	cp tests/vm/guest/deadline.py tests/vm/guest/puppet.py tests/vm/guest/netlink.py "$tree/"
	cp "build/kernels/$1/modules/updates/cdrive.ko" "$tree/"
	copy_modules "build/kernels/$1/modules" "$tree" virtio_pci virtio_blk >"$tree/order"
	python=$(realpath /usr/bin/python3)
	# To load the image again at once, 6.1 opens the disk it is on for itself alone, which
	# swap does as well.
	asleep='suspend hibernate'
	[ "$1" != 6.1 ] || asleep=suspend
	cat >"$tree/init" <<-INIT
		#!/busybox/busybox sh
		/busybox/busybox mount -t proc proc /proc
		/busybox/busybox mount -t sysfs sysfs /sys
		/busybox/busybox mount -t devtmpfs dev /dev
		export PATH=/bin:/busybox PYTHONHOME=/usr
		for module in \$(/busybox/busybox cat /order); do
			/busybox/busybox insmod "/\$module"
		done
		/busybox/busybox mkswap /dev/vda && /busybox/busybox swapon /dev/vda
		/busybox/busybox insmod /cdrive.ko
		$python /deadline.py $asleep >/dev/ttyS1 2>&1
		echo "status \$?" >/dev/ttyS1
		/busybox/busybox rmmod cdrive
		/busybox/busybox reboot -f
	INIT
	chmod +x "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$tmp/initramfs"
	rm -rf "$tree"
}

suspended() {
	make_initramfs "$1"
	started=$(date +%s)
	truncate -s 512M "$tmp/swap"
	timeout -k 5 180 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 512M -rtc base=utc \
		-serial "file:$tmp/console" -serial "file:$tmp/serial" -monitor none \
		-drive "if=none,id=swap,format=raw,cache=unsafe,file=$tmp/swap" -device virtio-blk-pci,drive=swap \
		-kernel "build/kernels/$1/vmlinuz" -initrd "$tmp/initramfs" \
		-append "console=ttyS0 loglevel=5 oops=panic panic=-1 nowatchdog tsc=reliable mitigations=off nokaslr" \
		</dev/null >"$tmp/qemu.log" 2>&1
	status=$?
	tr -d '\r' <"$tmp/serial" >"$tmp/guest"
	is "$(grep '^status ' "$tmp/guest")" 'status 0' "$1: all of it ran"
	tell_guest_results "$1: suspended"
	is $status 0 "$1: suspended: the machine ended well, after $(($(date +%s) - started)) s"
	! grep -E -A 20 'Oops|BUG[:[]|WARNING:|Kernel panic|Call Trace' "$tmp/console" >"$tmp/trouble"
	is "$(cat "$tmp/trouble")" '' "$1: suspended: the kernel has nothing to say"
}

# --- both -----------------------------------------------------------------------------

subject() {
	guest "$1" --timeout 480 -- tests/vm/guest/deadline.sh
	# A user-mode kernel can't be suspended.
	[ "$1" = uml ] || suspended "$1"
}

for_each_kernel subject
plan
