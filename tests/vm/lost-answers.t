#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Answers that never come, requests that come late, connections that break: through
# a proxy that does such things, a drive keeps every write, and no write lands after
# a later one (design.rst, "Rules that keep the data", rule 2).
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

# For the guest: fault PATH asks the proxy; see tests/azurite/faultproxy.mjs.
fault() {
	curl -sf "http://127.0.0.1:$control_port$1"
}

first_bytes() {
	blobtool download "$container/disk" "$tmp/disk" && head -c 65536 "$tmp/disk" | sha256sum
}

subject() {
	container=$(new_container)
	node tests/azurite/faultproxy.mjs "$proxy_port" "$control_port" "$azurite_port" </dev/null &
	proxy_pid=$!
	wait_for 10 fault /stats || bail_out "the proxy did not start"
	guest "$1" --timeout 600 -- tests/vm/guest/lost.sh "$container"
	end_proxy
}

end_proxy() {
	[ -z "$proxy_pid" ] || { kill "$proxy_pid" && wait "$proxy_pid"; } 2>/dev/null
	proxy_pid=
}

proxy_pid=
at_exit end_proxy

start_azurite
proxy_port=$(free_port)
control_port=$(free_port)
forwards=$proxy_port
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
url=http://127.0.0.1:$proxy_port/$azurite_account
for_each_kernel subject
plan
