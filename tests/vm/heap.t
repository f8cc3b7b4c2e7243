#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A helper that serves takes no memory from the kernel: mixed load over TLS, with
# connections that are reset, calls that are refused, time out and are tried again.
# Needs root, a kernel and openssl, as scripts/setup brings them.
#
# TEST_MEMORY_SECONDS (30) is how long; `make check-memory SECONDS=600` is the long form.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

# Nothing that is tested here is of the kernel.
kernels=${TEST_KERNELS:-6.12}
seconds=${TEST_MEMORY_SECONDS:-30}

# In $VM_OUT: the guest's copy.
given='cp "$tmp/ca.pem" "$out/"'

subject() {
	guest "$1" --timeout $((seconds + 400)) -- tests/vm/guest/heap.sh drives "$seconds"
}

make_tmp
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 2 \
	-subj /CN=test -addext subjectAltName=IP:127.0.0.1 2>"$tmp/openssl" ||
	bail_out "openssl: $(cat "$tmp/openssl")"
# As long a list as a machine's own.
cat /etc/ssl/certs/ca-certificates.crt "$tmp/cert.pem" >"$tmp/ca.pem"
start_devstore --tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem"
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
forwards=$store_port
url=https://127.0.0.1:$store_port/$azurite_account
for_each_kernel subject
plan
