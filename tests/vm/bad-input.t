#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
#
# What mount and unmount say to bad input and bad servers, and that they leave no
# device, no process and no lease behind.
# Needs root, kernels, Azurite and openssl, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

# Azurite once more, over TLS, with a certificate that nobody signed.
start_tls_server() {
	tls_port=$(free_port)
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/tls.key" -out "$tmp/tls.pem" \
		-days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 2>/dev/null
	node tests/node_modules/azurite/dist/src/blob/main.js --silent --disableTelemetry \
		--skipApiVersionCheck --blobHost 127.0.0.1 --blobPort "$tls_port" \
		--location "$tmp/tls" --cert "$tmp/tls.pem" --key "$tmp/tls.key" \
		</dev/null >>"$tmp/azurite.log" 2>&1 &
	at_exit "kill $! 2>/dev/null"
	wait_for 30 curl -sk -o /dev/null "https://127.0.0.1:$tls_port/" || bail_out "no TLS server"
	NODE_TLS_REJECT_UNAUTHORIZED=0 NODE_NO_WARNINGS=1 AZURE_STORAGE_CONNECTION_STRING=$(
		echo "$AZURE_STORAGE_CONNECTION_STRING" | sed 's/http:/https:/; s/=http;/=https;/; s/:'"$azurite_port"'/:'"$tls_port"'/'
	) blobtool create-container "$container"
	tls_url=https://127.0.0.1:$tls_port/$azurite_account
}

# The guest's questions.
lease_state() {
	blobtool props "$container/disk" | jq -r .leaseState
}

start_azurite
container=$(new_container)
start_tls_server
servers=''
for mode in close reset header garbage body portal hostile endless busy; do
	start_server $mode
	servers="$servers $mode=$server_url"
	forwards="${forwards-} $server_port"
done
start_server cut "$azurite_port"
cut_url=http://127.0.0.1:$server_port
forwards="$forwards $server_port $tls_port"
blobtool create "$container/disk" 16777216
echo text >"$tmp/text"
blobtool put-block-blob "$tmp/text" "$container/text"

given='echo "$azurite_key" >"$out/key"; cp "$tmp/tls.pem" "$out/"'
TEST_SERVERS=$servers TEST_CUT=$cut_url TEST_TLS=$tls_url
TEST_EXPIRED=$(blobtool sas "$container" rwcd -60)
TEST_READER=$(blobtool sas "$container" r 3600)
TEST_WRITER=$(blobtool sas "$container" rw 3600)
export TEST_SERVERS TEST_CUT TEST_TLS TEST_EXPIRED TEST_READER TEST_WRITER

subject() {
	guest "$1" --timeout 800 -- tests/vm/guest/bad-input.sh "$container"
}

for_each_kernel subject
plan
