#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/vm/lib.sh
#
# Guest side of links.t: a drive's name in the driver, and the links that systemd's
# udevd makes of it.

. tests/vm/guest/lib.sh

modprobe cdrive || bail_out "no module"
PYTHONDONTWRITEBYTECODE=1 timeout 100 /usr/bin/python3 tests/vm/guest/names.py
ok $? "names.py: all of it ran"

mkdir -p /run/udev/rules.d
cp "$VM_OUT"/*.rules /run/udev/rules.d/ || bail_out "make install has brought no rules"
/lib/systemd/systemd-udevd --daemon >/tmp/udevd 2>&1 || bail_out "no udevd: $(cat /tmp/udevd)"
at_exit 'udevadm control --exit'

start_store
links=/dev/disk/by-clouddrive
prefix=$links/${base#http://}

# links_to LINK DEVICE [NAME]: once udev has done what it had to
links_to() {
	udevadm settle --timeout=30
	is "$(readlink -f "$1")" "$2" "${3-the link of $2}"
}

# mount_bare URL: sets $device and $sysfs
mount_bare() {
	device=$(timeout 60 clouddrivectl mount "$1" --no-fs) || bail_out "$1 could not be mounted"
	sysfs=/sys/block/${device#/dev/}
}

# --- a drive and its partition ---------------------------------------------------------

url=$base/disk
clouddrivectl create "$url" --size 64M >&2 || bail_out "no drive could be made"
mount_bare "$url"
links_to "$prefix/disk" "$device" "the link is the URL without its scheme"
links_to "$prefix/disk-part1" "${device}p1" "its partition's has -part1 at the end"
is "$(find $links -type l | wc -l)" 2 "there are no others"
udevadm test "/sys/block/${device#/dev/}" >/tmp/test 2>&1
! grep -i '60-clouddrive.*\(invalid\|unknown\|fail\|ignor\)' /tmp/test >/tmp/complaints
is "$(cat /tmp/complaints)" "" "udev has nothing to say about the rules"
try "mount(8) takes it" mount "$prefix/disk-part1" /mnt
clouddrivectl status "$prefix/disk" >/tmp/status
is "$(sed -n 's/^link: *//p' /tmp/status)" "$prefix/disk" "status takes it, and tells it"
is "$links/$(status .driver.name)" "$prefix/disk" "in JSON as the driver's name"
try "unmount takes the partition's" timeout 60 clouddrivectl unmount "$prefix/disk-part1"
udevadm settle --timeout=30
try "the links are gone, and their directories" [ ! -e $links ]

# --- a drive that goes on ----------------------------------------------------------------

mount_bare "$url"
pid=$(cat "$sysfs/cdrive/helper_pid")
kill -9 "$pid"
followed() {
	[ "$(cat "$sysfs/cdrive/helper_pid")" -gt 0 ] && [ "$(cat "$sysfs/cdrive/helper_pid")" != "$pid" ]
}
try "another helper adopts it" wait_for 30 followed
links_to "$prefix/disk" "$device" "the link stays, whoever the helper is"
drive=$device

# --- others beside it ---------------------------------------------------------------------

taken=$(clouddrivectl snapshot "$drive")
mount_bare "$taken"
links_to "$prefix/disk@${taken#*snapshot=}" "$device" "a snapshot's link has its time"
links_to "$prefix/disk@${taken#*snapshot=}-part1" "${device}p1" "its partition's, too"
snapshot=$device

# A blob whose name is that of the partition's link, and one that holds what names may.
for name in disk-part1 'disk/of%20$(id)%22x20%C3%A4'; do
	clouddrivectl create "$base/$name" --size 16M --format raw --fs none >&2 ||
		bail_out "no blob $name"
	mount_bare "$base/$name"
	case $name in
	disk-part1) links_to "$prefix/disk%2Dpart1" "$device" "a blob that is called like a partition" ;;
	*) links_to "$prefix/disk%2Fof%20%24%28id%29%22x20%C3%A4" "$device" "a blob of a strange name" ;;
	esac
	others="${others-} $device"
done
links_to "$prefix/disk-part1" "${drive}p1" "the drive's partition still has its own"
links_to "$prefix/disk" "$drive" "and the drive"
is "$(find $links -type l | wc -l)" 6 "there are six in all"

for device in $others $snapshot $drive; do
	try "unmount" timeout 60 clouddrivectl unmount "$device"
done
udevadm settle --timeout=30
try "all links are gone" [ ! -e $links ]
try "the module can be unloaded" wait_for 10 rmmod cdrive
