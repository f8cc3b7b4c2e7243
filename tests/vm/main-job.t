#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The main job: a tree of thousands of real files goes through /dev/cdrive0 to a page
# blob, and is read back in another machine, every checksum right; then the blob is
# fetched by another client and judged by e2fsck and debugfs.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.12}

# Plenty of small files, and some large ones.
list_files() {
	(cd / && find usr/include usr/share/doc usr/lib/python3 usr/share/perl -type f ! -name '*\\*') |
		LC_ALL=C sort | head -n 3200
}

write_and_read() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/main-job.sh write "$container" "$tmp/list"
	given='cp "$tmp/manifest" "$out/"'
	guest "$1" --timeout 600 -- tests/vm/guest/main-job.sh read "$container" "$tmp/list"
	given=
	judge "$1"
}

judge() {
	try "$1: the blob is downloaded" blobtool download "$container/disk" "$tmp/disk"
	try "$1: e2fsck has no complaint" /sbin/e2fsck -fn "$tmp/disk"
	is "$(debugfs_files)" "$(sed 's|.*/||' "$tmp/largest")" "$1: debugfs lists the largest files"
	while read -r file; do
		try "$1: debugfs dumps $file" /sbin/debugfs -R "dump /$file $tmp/file" "$tmp/disk"
		try "$1: it is the same" cmp "/$file" "$tmp/file"
	done <"$tmp/largest"
	is "$(blobtool props "$container/disk" | jq -r .leaseState)" available "$1: the lease was given back"
	blobtool delete "$container/disk"
	rm -f "$tmp/disk"
}

# The names of the largest, as they are found in their directories.
debugfs_files() {
	while read -r file; do
		/sbin/debugfs -R "ls -p /${file%/*}" "$tmp/disk" 2>/dev/null |
			cut -d / -f 6 | grep -Fx "${file##*/}"
	done <"$tmp/largest"
}

make_tmp
list_files >"$tmp/list"
[ "$(wc -l <"$tmp/list")" -ge 3000 ]
ok $? "there are $(wc -l <"$tmp/list") files to write"
(cd / && xargs -d '\n' sha256sum <"$tmp/list") >"$tmp/manifest"
(cd / && xargs -d '\n' stat -c '%s %n' <"$tmp/list") | sort -rn | head -n 3 | cut -d ' ' -f 2- >"$tmp/largest"

start_azurite
for_each_kernel write_and_read
plan
