#!/bin/sh
# SPDX-License-Identifier: MIT
# alone
# shellcheck disable=SC2034,SC2154  # for guest; lib.sh
#
# Sixteen drives at once on one machine, each with its agent, helper and lease, under a
# verified load for SIXTEEN_SECONDS (90): all leases are kept, a seventeenth
# drive is refused, what befalls one touches no other.
# Needs root and a kernel, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

seconds=${SIXTEEN_SECONDS:-90}

# For the guest: "LEASE-STATE SEQUENCE-NUMBER" of each blob, as another client sees it
properties() {
	for i in $(seq 0 15); do
		blobtool props "drives/disk$i" | jq -r '"\(.leaseState) \(.blobSequenceNumber)"'
	done
}

start_devstore
forwards=$store_port
url=$store_url
# One kernel: what is asked here is the user's side.
kernel=$(echo "$kernels" | tr ' ' '\n' | tail -n 1)
guest "$kernel" --mem 2G --timeout $((600 + seconds)) -- tests/vm/guest/sixteen.sh "$seconds"
plan
