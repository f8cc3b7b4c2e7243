#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The agent: what mount leaves behind, what becomes of a drive without it, drives with a
# SAS and with a stored access policy, several URLs, --force, and fenced drives.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	container=$(new_container)
	blobtool set-policy "$container" drives rw 3600 || bail_out "no stored access policy"
	TEST_READER=$(blobtool sas "$container" r 3600)
	TEST_WRITER=$(blobtool sas "$container" rw 1200)
	TEST_LATER=$(blobtool sas "$container" rw 7200)
	TEST_POLICY=$(blobtool policy-sas "$container" drives)
	export TEST_READER TEST_WRITER TEST_LATER TEST_POLICY
	VM_ENV='TEST_READER TEST_WRITER TEST_LATER TEST_POLICY' guest "$1" --timeout 600 -- \
		tests/vm/guest/agent.sh "$container"
}

# What is tested here is not the kernel's.
kernels=${TEST_KERNELS:-6.12}
start_azurite
for_each_kernel subject
plan
