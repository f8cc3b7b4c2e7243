#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads and writes drives and compares each read with what is to be there.

usage: cache_disk.py read COUNT SEED BYTES PATTERN DEVICE...
       cache_disk.py load SECONDS PATTERN DEVICE...
       cache_disk.py flip COUNT SEED FILE

read: COUNT blocks of the first BYTES of each device, in an order that is no run.
load: reads and writes in several threads.  Each thing is done on all devices one after
the other, so that what slows the machine down slows all of them down.  Prints one line of
JSON: of each device how often, how long, and what was wrong.
flip: a bit in so many blocks of a cache, file or device, none of them its header's.
PATTERN is a file of what all these devices hold; load changes it, too.
Status 1 if anything was wrong.
"""

import json
import mmap
import os
import random
import sys
import threading
import time

SIZE = 16384
BLOCK = 4096
HEADER = 1 << 20
THREADS = 4
LONG = 0.5


def open_pattern(path):
    with open(path, "r+b") as f:
        return mmap.mmap(f.fileno(), 0)


def open_direct(path, flags=os.O_RDWR):
    return os.open(path, flags | os.O_DIRECT | os.O_CLOEXEC)


def read(count, seed, size, path, *devices):
    pattern, buffer = open_pattern(path), mmap.mmap(-1, SIZE)
    blocks = int(size) // SIZE
    wrong = 0
    for device in devices:
        fd = open_direct(device, os.O_RDONLY)
        for block in random.Random(int(seed)).sample(range(blocks), min(int(count), blocks)):
            at = block * SIZE
            if os.preadv(fd, [buffer], at) != SIZE or buffer[:] != pattern[at:at + SIZE]:
                print(f"{device}: wrong at {at}")
                wrong += 1
        os.close(fd)
    return wrong


class Worker(threading.Thread):
    """Has each fourth block for itself, of which it knows thus what it holds."""

    def __init__(self, number, end, pattern, devices):
        super().__init__()
        self.random = random.Random(number)
        self.number, self.end, self.pattern, self.devices = number, end, pattern, devices
        self.took = {d: [] for d in devices}
        self.errors = {d: 0 for d in devices}
        self.wrong = {d: 0 for d in devices}
        self.buffer = mmap.mmap(-1, SIZE)
        self.start()

    def run(self):
        fds = {d: open_direct(d) for d in self.devices}
        blocks = len(self.pattern) // SIZE // THREADS
        hot = blocks // 4
        while time.monotonic() < self.end:
            among = hot if self.random.random() < 0.7 else blocks
            at = (self.random.randrange(among) * THREADS + self.number) * SIZE
            write = self.random.random() < 0.2
            if write:
                self.buffer[:] = self.random.randbytes(SIZE)
                self.pattern[at:at + SIZE] = self.buffer[:]
            order = list(fds)
            self.random.shuffle(order)
            for device in order:
                self.one(device, fds[device], at, write)
        for fd in fds.values():
            os.close(fd)

    def one(self, device, fd, at, write):
        began = time.monotonic()
        try:
            if write:
                os.pwritev(fd, [self.buffer], at)
            else:
                os.preadv(fd, [self.buffer], at)
        except OSError:
            self.errors[device] += 1
            return
        self.took[device].append(time.monotonic() - began)
        if not write and self.buffer[:] != self.pattern[at:at + SIZE]:
            self.wrong[device] += 1


def load(seconds, path, *devices):
    pattern, end = open_pattern(path), time.monotonic() + float(seconds)
    workers = [Worker(n, end, pattern, devices) for n in range(THREADS)]
    for worker in workers:
        worker.join()
    told, wrong = {}, 0
    for device in devices:
        took = sorted(t for w in workers for t in w.took[device])
        told[device] = {
            "count": len(took),
            "total": round(sum(took), 3),
            "p50": round(took[len(took) // 2], 6) if took else None,
            "max": round(took[-1], 3) if took else None,
            "long": sum(t >= LONG for t in took),
            "errors": sum(w.errors[device] for w in workers),
            "wrong": sum(w.wrong[device] for w in workers),
        }
        wrong += told[device]["errors"] + told[device]["wrong"] + (not took)
    print(json.dumps(told))
    return wrong


def flip(count, seed, path):
    fd = open_direct(path)
    block, at = mmap.mmap(-1, BLOCK), list(range(HEADER, os.lseek(fd, 0, os.SEEK_END), BLOCK))
    chosen, left = random.Random(int(seed)), int(count)
    chosen.shuffle(at)
    for pos in at:
        if not left:
            break
        os.preadv(fd, [block], pos)
        if not any(block[:]):
            continue
        block[chosen.randrange(BLOCK)] ^= 1 << chosen.randrange(8)
        os.pwritev(fd, [block], pos)
        left -= 1
    os.close(fd)
    return left


sys.exit(1 if {"read": read, "load": load, "flip": flip}[sys.argv[1]](*sys.argv[2:]) else 0)
