#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Drives that create made and that upload brought are mounted, those of qemu-img, too;
# what is unfinished is not.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.12}

mount_images() {
	guest "$1" --timeout 600 -- tests/vm/guest/image.sh
}

for_each_kernel mount_images
plan
