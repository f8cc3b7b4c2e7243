#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads blocks of a device, always the same ones, in an order that is no run.

usage: read_blocks.py DEVICE COUNT

Prints the SHA-256 of what they hold.
"""

import hashlib
import mmap
import os
import random
import sys

SIZE = 16384

device, count = sys.argv[1], int(sys.argv[2])
fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
blocks = os.lseek(fd, 0, os.SEEK_END) // SIZE
buffer = mmap.mmap(-1, SIZE)
digest = hashlib.sha256()
for block in random.Random(7).sample(range(blocks), min(count, blocks)):
    os.preadv(fd, [buffer], block * SIZE)
    digest.update(buffer)
print(digest.hexdigest())
