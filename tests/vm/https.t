#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A drive over https, by a name: the helper, in its sandbox, resolves it, reads the
# certificates and makes new connections, as long as the drive lives.
# Needs root, a kernel and openssl, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

# Nothing that is tested here is of the kernel.
kernels=${TEST_KERNELS:-6.12}

# In $VM_OUT: the guest's copy.
given='cp "$tmp/ca.pem" "$out/"'

subject() {
	guest "$1" --timeout 600 -- tests/vm/guest/https.sh drives
}

make_tmp
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key.pem" -out "$tmp/ca.pem" -days 2 \
	-subj /CN=test -addext subjectAltName=DNS:localhost 2>"$tmp/openssl" ||
	bail_out "openssl: $(cat "$tmp/openssl")"
start_devstore --tls-cert "$tmp/ca.pem" --tls-key "$tmp/key.pem"
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
forwards=$store_port
url=https://localhost:$store_port/$azurite_account
for_each_kernel subject
plan
