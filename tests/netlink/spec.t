#!/bin/sh
# SPDX-License-Identifier: MIT
#
# quick: no virtual machine.
#
# Documentation/netlink/specs/cdrive.yaml against uapi/linux/cdrive.h and
# driver/netlink.c, and that the comparison sees what is changed in any of them; and what
# states and reasons are called.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

spec=Documentation/netlink/specs/cdrive.yaml
header=uapi/linux/cdrive.h
driver=driver/netlink.c
schema=build/checkpatch/Documentation/netlink/genetlink-legacy.yaml
make_tmp
tmp=${tmp:?}

# asserts SPEC HEADER: every number of the one is in the other
asserts() {
	mkdir -p "$tmp/include/linux"
	[ "$2" -ef "$tmp/include/linux/cdrive.h" ] || cp "$2" "$tmp/include/linux/cdrive.h"
	tests/netlink/spec.py asserts "$1" >"$tmp/asserts.c" &&
		cc -Wall -Wextra -Werror -I"$tmp/include" -fsyntax-only "$tmp/asserts.c"
}

agree() {
	tests/netlink/spec.py form "$1" && asserts "$1" "$2" && tests/netlink/spec.py header "$1" "$2" &&
		tests/netlink/spec.py driver "$1" "$3"
}

# notices FILE SED-COMMAND: with that change to a copy, the three disagree
notices() {
	mkdir -p "$tmp/$(dirname "$1")"
	sed -E "$2" "$1" >"$tmp/$1"
	if cmp -s "$1" "$tmp/$1"; then
		fail "$1: nothing to change by $2"
		return
	fi
	changed_spec=$spec changed_header=$header changed_driver=$driver
	case $1 in
	"$spec") changed_spec=$tmp/$1 ;;
	"$header") changed_header=$tmp/$1 ;;
	*) changed_driver=$tmp/$1 ;;
	esac
	! agree "$changed_spec" "$changed_header" "$changed_driver" >/dev/null 2>&1
	ok $? "notices in $1: $(printf %s "$2" | tr '\\\t' '| ')"
}

try "known keys, and every reference leads somewhere" tests/netlink/spec.py form "$spec"
if ! [ -e "$schema" ]; then
	skip "the kernel's schema" "no $schema"
elif ! python3 -c 'import jsonschema' 2>/dev/null; then
	skip "the kernel's schema" "no python3-jsonschema"
else
	try "the kernel's schema" tests/netlink/spec.py schema "$spec" "$schema"
fi
try "numbers, sizes and offsets are the header's" asserts "$spec" "$header"
try "every name of the header is there" tests/netlink/spec.py header "$spec" "$header"
try "operations, permissions and policy are the driver's" \
	tests/netlink/spec.py driver "$spec" "$driver"

# Driver and programs are two works under two licences, and so each has its table of names.
# names ENUM FILE: what FILE calls each; all are the header's, in small letters
names() {
	tr -d '\n' <"$2" | grep -oE "CDRIVE_$1_[A-Z]+(\] =|:[[:space:]]*return) \"[^\"]*\"" |
		sed 's/^CDRIVE_'"$1"'_\([A-Z]*\).*"\(.*\)"/\1 \2/'
}
for table in STATE:driver/state.c STATE:helper/lib/state.c PARK:driver/sysfs.c; do
	enum=${table%%:*}
	is "$(names "$enum" "${table#*:}")" \
		"$(sed -n 's/^\tCDRIVE_'"$enum"'_\([A-Z]*\),.*/\1 \L\1/p' "$header")" \
		"${table#*:} names each CDRIVE_${enum}_… as the header does"
done

notices $spec 's/^version: 1/version: 2/'
notices $spec 's/^name: cdrive/name: xdrive/'
notices $spec 's/value: 16$/value: 17/'
notices $spec 's/value: 128$/value: 64/'
notices $spec 's/name: parked/name: waiting/'
notices $spec '/name: fenced/,/doc:/d'
notices $spec 's/name: in-flight/name: inflight/'
notices $spec 's/max: 86400/max: 86401/'
notices $spec 's/max: 15/max: 16/'
notices $spec 's/max-len: max-notes/max-len: max-name/'
notices $spec 's/max-len: max-name/max-len: 510/'
notices $spec 's/max-len: max-name/max-len: max-names/'
notices $spec 's/value: 511$/value: 510/'
notices $spec '/flags-mask/d'
notices $spec '/name: sector$/,/doc/s/u64/u32/'
notices $spec 's/value: 10$/value: 12/'
notices $spec '/name: adopt$/,/flags/s/\[ admin-perm \]/[ ]/'
notices $spec '/name: fence$/,/name: ready/s/attribute-set: drive/&\n      flags: [ admin-perm ]/'
notices $spec 's/max: 9223372036854775807/max: 9223372036854775806/'
notices $spec '/name: lease-until$/,/doc/s/u64/u32/'
notices $spec 's/name: asked$/name: requested/'
notices $spec '/name: get$/,/name: adopt/s/attribute-set: drive/&\n      flags: [ admin-perm ]/'
notices $spec '/^ {6}dump:/,/reply/d'
notices $spec '/name: park$/,/- index/d'
notices $spec 's/- descriptors$/- described/'
notices $spec 's/enum: op$/enum: operation/'
notices $spec 's/mcgrp: state/mcgrp: states/'
notices $spec 's/flags-mask: flags/mask: flags/'

notices $header 's/CDRIVE_GENL_VERSION	1/CDRIVE_GENL_VERSION	2/'
notices $header 's/"state"/"states"/'
notices $header 's/4 << 20/8 << 20/'
notices $header 's/CDRIVE_STATE_GONE,/&\n\tCDRIVE_STATE_BACK,/'
notices $header 's/^(	CDRIVE_CMD_PARK,)/	CDRIVE_CMD_STOP,\n\1/'
notices $header 's/	CDRIVE_CMD_STATE,/&\n\tCDRIVE_CMD_LOAN,/'
notices $header 's/	CDRIVE_A_PAD,/&\n\tCDRIVE_A_LEASE,/'
notices $header 's/	CDRIVE_PARK_LEASE,/	CDRIVE_PARK_LATE,\n&/'
notices $header 's/	CDRIVE_A_ERROR,.*//'
notices $header 's/= 1 << 1/= 1 << 2/'
notices $header 's/	__u32 op;/	__u16 op;\n	__u16 priority;/'
notices $header 's/^#define CDRIVE_TAG_SLOT_BITS.*/&\n#define CDRIVE_TAG_OTHER 1/'
notices $header 's/^enum cdrive_op/enum cdrive_kind {\n\tCDRIVE_OP_READ,\n};\n&/'

notices $driver 's/(\.cmd = CDRIVE_CMD_)DETACH,/\1READY,/'
notices $driver 's/(\.cmd = CDRIVE_CMD_)DETACH,/\1REMOVE,/'
notices $driver '/CDRIVE_CMD_ADOPT,/,/doit/s/.*GENL_ADMIN_PERM.*//'
notices $driver '/CDRIVE_CMD_DETACH,/s/$/\n\t\t.flags = GENL_ADMIN_PERM,/'
notices $driver 's/S64_MAX/U32_MAX/'
notices $driver '/\[CDRIVE_A_LEASE_UNTIL\]/,/;/s/NLA_U64/NLA_U32/'
notices $driver '/CDRIVE_CMD_GET,/s/$/\n\t\t.flags = GENL_ADMIN_PERM,/'
notices $driver '/\.dumpit/d'
notices $driver 's/CDRIVE_MAX_DRIVES - 1/CDRIVE_MAX_DRIVES/'
notices $driver 's/\.max = 86400/.max = 1000/'
notices $driver 's/\.len = CDRIVE_MAX_NOTES/.len = CDRIVE_MAX_NAME/'
notices $driver 's/\[CDRIVE_A_SECTORS\] = .*/[CDRIVE_A_SECTORS] = { .type = NLA_U32 },/'
notices $driver 's/NLA_NUL_STRING/NLA_STRING/'
notices $driver 's/\bCDRIVE_MAX_NAME\)/CDRIVE_MAX_NAME - 1)/'
notices $driver 's/\[CDRIVE_A_SECTORS\] = .*//'
notices $driver 's/^(	\[CDRIVE_A_SECTORS\] = .*)/\1\n	[CDRIVE_A_STATE] = { .type = NLA_U32 },/'
plan
