#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The driver under stress, in short; tests/stress/run goes on for longer. On the kernel
# with all checkers, if that is built.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." || exit
kernel=6.12
[ ! -e build/kernels/uml/ready ] || kernel=uml
exec tests/stress/run 30 $kernel
