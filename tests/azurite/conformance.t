#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The conformance suite on Azurite, which was not written here: what it and the
# suite agree on is how the service is.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

[ -d tests/node_modules/azurite ] || bail_out "no Azurite: run scripts/setup"
start_azurite
timeout 120 node tests/azurite/conformance/run.mjs azurite "$@"
