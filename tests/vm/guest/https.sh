#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of https.t.
# usage: https.sh CONTAINER

. tests/vm/guest/lib.sh

failed_transactions() {
	[ "$(status .transactions.failed)" -ge "$1" ]
}

SSL_CERT_FILE=/tmp/ca.pem
export SSL_CERT_FILE
cp "$VM_OUT/ca.pem" $SSL_CERT_FILE
mount_drive "$TEST_URL/$1/disk" 64M
try "a verified load over https" verified_fio 120 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=16k --size=4M
helper=$(cat "$sysfs/cdrive/helper_pid")
grep -q '^Seccomp:.2' "/proc/$helper/status" && grep -q '^CapEff:.0*$' "/proc/$helper/status"
ok $? "the helper is in its sandbox"

# Every kept connection is gone: names are resolved and certificates read again.
host devstore fault set reset --op connect --for 3000 >/dev/null
host devstore fault set reset --count 6 >/dev/null
try "another after all connections were reset" verified_fio 120 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=16k --size=4M
try "calls had failed" failed_transactions 1
is "$(cat "$sysfs/cdrive/helper_pid")" "$helper" "by the same helper"

kill -9 "$helper"
try "its successor is there" wait_for 30 another_than "$helper"
try "the drive is live" wait_for 30 state_is live
try "another, by its successor" verified_fio 120 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=16k --size=4M
unload
plan
