#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The cache in the driver, with a helper that does as it is told (puppet.py).

usage: cache.py DEVICE     that the cache may have
"""

import ctypes
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import sys
import threading
import time

from netlink import attribute
from puppet import (ASKED, FAR, FENCED, HELPER, INDEX, LIVE, NAME, PARKED, SOON, WHILE, Helper,
                    drive, ends, equal, err, ok, run, u32, u64, until)

# uapi/linux/cdrive.h, uapi/linux/cdrive_cache.h
CACHE_SIZE, CACHE_VALIDATOR, CACHE_COUNTERS = 21, 22, 23
PAYLOAD_VALIDATOR = 1 << 30 | 136 << 16 | 0xCDC5
PAYLOAD_FORGET = 0xCDC6
CACHE_OPEN = 1 << 30 | 8 << 16 | 0xCDD0
CACHE_CLOSE = 0xCDD1
CACHE_GET = 2 << 30 | 40 << 16 | 0xCDD3
CACHE_RESERVE = 1 << 30 | 16 << 16 | 0xCDD4
CACHE_VOLUME, CACHE_EXPORT, CACHE_IMPORT = (3 << 30 | 672 << 16 | 0xCDD6 + i for i in range(3))
NONE, ON, FAILED = range(3)
WARM = 2
SLOTS, HEADER, ENTRY = 256, 1 << 20, 88
BLOCK = 4096
COUNTERS = ("size used lookups hits hit_bytes fills skipped evictions invalidations "
            "checksum_errors io_errors bypassed flags").split()
DEVICE = sys.argv[1]
LIBC = ctypes.CDLL(None, use_errno=True)


def block(letter, size=BLOCK):
    return letter.encode() * size


class Cache:
    """The cache on a file, until the end of a with."""

    def __init__(self, path=DEVICE):
        self.path = path
        self.control = os.open("/dev/cdrive-cache", os.O_RDWR | os.O_CLOEXEC)

    def open(self, flags=os.O_RDWR | os.O_DIRECT):
        file = os.open(self.path, flags)
        try:
            return self.ask(CACHE_OPEN, struct.pack("iI", file, SLOTS))
        finally:
            os.close(file)

    def ask(self, request, told=0):
        try:
            fcntl.ioctl(self.control, request, told)
        except OSError as e:
            return e.errno
        return 0

    def get(self):
        told = bytearray(40)
        self.ask(CACHE_GET, told)
        return dict(zip(("state", "slots", "used", "reserved", "bytes", "errors", "volumes"),
                        struct.unpack("IIIIQQI4x", told)))

    def close(self):
        return self.ask(CACHE_CLOSE)

    def __enter__(self):
        error = self.open()
        if error:
            sys.exit(f"Bail out! no cache: {os.strerror(error)}")
        return self

    def __exit__(self, *_):
        self.close()
        os.close(self.control)


def cache_wants(size=None, validator=None):
    """What ATTACH is told of it."""
    told = b"" if size is None else u64(CACHE_SIZE, size)
    if validator is not None:
        told += attribute(CACHE_VALIDATOR, validator.encode() + b"\0")
    return told


def counters(h):
    _, answer = h.family.exchange("GET", u32(INDEX, h.index))
    if CACHE_COUNTERS not in answer:
        return None
    return dict(zip(COUNTERS, struct.unpack("13Q", answer[CACHE_COUNTERS])))


class IO(threading.Thread):
    """A read or write by direct I/O of one's own memory."""

    def __init__(self, h, number, write=None, size=BLOCK, offset=0):
        super().__init__(daemon=True)
        self.memory = mmap.mmap(-1, max(size, BLOCK))
        self.size, self.at, self.write = size, number * BLOCK + offset, write
        if write:
            self.memory[:] = write
        self.device = os.open(f"/dev/cdrive{h.index}", os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        self.error = None
        self.start()

    def run(self):
        view = memoryview(self.memory)[:self.size]
        try:
            if self.write:
                os.pwritev(self.device, [view], self.at)
            else:
                os.preadv(self.device, [view], self.at)
            self.error = 0
        except OSError as e:
            self.error = e.errno
        os.close(self.device)

    def ends(self):
        """Its error, or "waits"."""
        self.join(SOON)
        return "waits" if self.is_alive() else self.error

    def waits(self):
        self.join(WHILE)
        return self.is_alive()

    def data(self):
        return self.memory[:self.size]


def give(h, request, data, pos=0):
    os.pwrite(h.payload, data, h.index << 54 | request.tag << 22 | pos)


def take(h, request):
    return os.pread(h.payload, request.sectors * 512, h.index << 54 | request.tag << 22)


def settled(h):
    """All that was to be entered is."""
    def busy():
        c = counters(h)
        return c["fills"] + c["skipped"], c["used"]
    before = None
    while before != (before := busy()):
        time.sleep(0.1)


def fill(h, number, letter, size=BLOCK):
    """A read that the helper answers, which is cached afterwards."""
    before = counters(h)["fills"]
    io = IO(h, number, size=size)
    request = h.one()
    give(h, request, block(letter, size))
    h.complete(request, fill=False)
    if io.ends() or io.data() != block(letter, size):
        sys.exit("Bail out! a read by the helper went wrong")
    if not until(lambda: counters(h)["fills"] > before):
        sys.exit("Bail out! it was not entered")
    settled(h)


def read(h, number, letter, **how):
    """Whose answer the helper has, if it is asked: what came of it, and whether it was."""
    io = IO(h, number, **how)
    looks = SOON * 50
    asked = []
    while io.is_alive() and looks:
        for request in h.requests(0.02, 1):
            give(h, request, block(letter, request.sectors * 512))
            h.complete(request, fill=False)
            asked.append(request)
        looks -= 1
    return io, asked


def hit(h, number, letter, name, **how):
    for _ in range(20):
        bypassed = counters(h)["bypassed"]
        io, asked = read(h, number, letter, **how)
        if counters(h)["bypassed"] == bypassed:
            break
        # This machine stood still, and the file seemed to be slow.
        time.sleep(0.2)
    ok(io.error == 0 and io.data() == block(letter, io.size) and not asked, name, io.error,
       asked, io.data()[:16], counters(h))


def miss(h, number, letter, name):
    io, asked = read(h, number, letter)
    ok(len(asked) == 1 and io.error == 0 and io.data() == block(letter), name, asked, io.error)


# --- parts ------------------------------------------------------------------------


def hits():
    with Cache() as cache, drive(FAR, name="store/one") as h:
        fill(h, 100, "a")
        hit(h, 100, "a", "what was read is read from the cache")
        hit(h, 100, "a", "one sector of it", size=512, offset=512)
        fill(h, 1024, "b", size=256 << 10)
        hit(h, 1024, "b", "256 KiB", size=256 << 10)
        hit(h, 1033, "b", "part of them, across slots", size=100 << 10, offset=1024)
        before = counters(h)
        equal((before["hits"], before["hit_bytes"]), (4, BLOCK + 512 + (356 << 10)), "all counted")
        equal(h.sysfs_path("hits").replace("/cdrive/", "/cdrive_cache/") and
              open(f"/sys/block/cdrive{h.index}/cdrive_cache/hits", encoding="utf-8").read(),
              "4\n", "in sysfs, too")
        info = cache.get()
        equal((info["state"], info["errors"]), (ON, 0), "the cache is on")
        err(cache.open(), errno.EBUSY, "there is one cache")
    with Cache(), drive(FAR) as h:
        equal(counters(h), None, "a drive without a name has no part")
    with drive(FAR, name="store/one") as h:
        equal(counters(h), None, "without a cache there is none either")
        cache = Cache(f"/dev/cdrive{h.index}")
        err(cache.open(), errno.EINVAL, "a drive can't be the cache")
        cache.path = DEVICE
        err(cache.open(os.O_RDWR), errno.EINVAL, "nor what isn't open for direct I/O")
        err(cache.open(os.O_RDONLY | os.O_DIRECT), errno.EINVAL, "or for reading alone")
        err(cache.open(), 0, "opened while a drive is there")
        fill(h, 7, "c")
        hit(h, 7, "c", "which has its part at once")
        err(cache.close(), 0, "closed")
        miss(h, 7, "d", "then the helper is asked")
        err(cache.close(), errno.ENOENT, "there is none any more")
        err(cache.open(), 0, "opened again")
        miss(h, 7, "e", "and empty")
        cache.close()


def writes():
    with Cache(), drive(FAR, name="store/one") as h:
        fill(h, 1, "a")
        writer = IO(h, 1, write=block("b"))
        request = h.one()
        reader = IO(h, 1)
        ok(reader.waits() and len(h.waiting) + len(came := h.requests(SOON, 1)) == 1,
           "a read of what is being written is the helper's")
        equal(take(h, request), block("b"), "the write's bytes")
        give(h, came[0], block("a"))
        h.complete(came[0], fill=False)
        equal(reader.ends(), 0, "the read ends first, with what was there")
        h.complete(request, fill=False)
        equal(writer.ends(), 0, "then the write")
        settled(h)
        io, _ = read(h, 1, "b")
        ok(io.error == 0 and io.data() == block("b"), "what was read before is not there after it")

        fill(h, 50, "a")
        reader = IO(h, 60)
        old = h.one()
        give(h, old, block("o"))
        writer = IO(h, 60, write=block("n"))
        request = h.one()
        take(h, request)
        h.complete(request, fill=False)
        equal(writer.ends(), 0, "a write comes and ends while a read is in flight")
        h.complete(old, fill=False)
        equal(reader.ends(), 0, "and the read, with old bytes")
        settled(h)
        miss(h, 60, "n", "which are not entered")

        fill(h, 70, "a")
        writer = IO(h, 70, write=block("b"))
        request = h.one()
        h.complete(request, status=-errno.EIO, fill=False)
        equal(writer.ends(), errno.EIO, "a write fails")
        settled(h)
        miss(h, 70, "?", "what was there is not any more")

        fill(h, 80, "a")
        discard = subprocess.Popen(["blkdiscard", "-f", "-o", str(80 * BLOCK), "-l", str(BLOCK),
                                    f"/dev/cdrive{h.index}"])
        h.complete(h.one(), fill=False)
        equal(ends(discard), 0, "a discard")
        miss(h, 80, "z", "what was there is not any more")


def scribblers():
    with Cache(), drive(FAR, name="store/one") as h:
        reader = IO(h, 5)
        request = h.one()
        give(h, request, block("a"))
        reader.memory[:] = block("X")
        h.complete(request, fill=False)
        equal(reader.ends(), 0, "a reader writes to its buffer while it is filled")
        ok(until(lambda: counters(h)["fills"] >= 1), "what the helper gave is entered")
        settled(h)
        hit(h, 5, "a", "and nothing else")

        writer = IO(h, 5, write=block("b"))
        request = h.one()
        first = take(h, request)
        writer.memory[:] = block("X")
        equal((first, take(h, request)), (block("b"), block("b")),
              "a writer changes its buffer: the helper gets the same again")
        h.complete(request, fill=False)
        equal(writer.ends(), 0, "the write ends")
        settled(h)
        hit(h, 5, "b", "what was sent is entered, and nothing else")

        # One that never stops, while hits are read into its buffer.
        for _ in range(20):
            over = threading.Event()
            reader = IO(h, 5)

            def scribble(memory=reader.memory, over=over):
                while not over.is_set():
                    memory[17] = (memory[17] + 1) % 256
            thread = threading.Thread(target=scribble)
            thread.start()
            for r in h.requests(0.04):
                give(h, r, block("b"))
                h.complete(r, fill=False)
            reader.ends()
            over.set()
            thread.join()
        equal(counters(h)["checksum_errors"], 0, "who scribbles drops nothing of the cache")
        hit(h, 5, "b", "which is as it was")


def lease():
    with Cache(), drive(FAR, name="store/one") as h:
        fill(h, 9, "a")
        err(h.lease(-1), 0, "the deadline passes")
        reader = IO(h, 9)
        ok(reader.waits() and h.requests(0) == [], "a hit waits")
        err(h.lease(FAR), 0, "a later one is told")
        h.complete(h.one())
        equal(reader.ends(), 0, "it is forwarded, and ends")
        h.tell("PARK")
        equal(h.status()[:2], (PARKED, ASKED), "parked as its helper asked")
        hit(h, 9, "a", "hits are served")
        h.tell("RESUME")
        err(h.ask(PAYLOAD_FORGET, h.index), 0, "the blob was nobody's for a while")
        miss(h, 9, "a", "what was cached before is not there")
        settled(h)
        h.close()
        other = Helper(h.index)
        ok(until(lambda: other.is_now(PARKED, HELPER)), "its helper is gone")
        io = IO(h, 9)
        equal((io.ends(), io.data()), (0, block("a")), "hits are served")
        err(other.tell("ADOPT"), 0, "adopted")
        hit(other, 9, "a", "and still there")
        other.tell("FENCE")
        io = IO(other, 9)
        equal(io.ends(), errno.EIO, "fenced, hits fail")
        equal(other.status()[0], FENCED, "fenced")


def adoption():
    with Cache(), drive(FAR, name="store/one") as h:
        reader = IO(h, 3)
        request = h.one()
        give(h, request, block("o", 2048))
        h.close()
        other = Helper(h.index)
        ok(until(lambda: other.is_now(PARKED, HELPER)), "a helper dies with a read half copied")
        err(other.tell("ADOPT"), 0, "adopted")
        request = other.one()
        give(other, request, block("n", 2048), 2048)
        give(other, request, block("n", 2048), 0)
        other.complete(request, fill=False)
        equal((reader.ends(), reader.data()), (0, block("n")), "the next copies all of it")
        settled(other)
        hit(other, 3, "n", "which is entered")


def overwrite():
    """All that is in the cache."""
    with open(DEVICE, "r+b", buffering=0) as file:
        file.seek(HEADER)
        file.write(os.urandom(60 * 65536))
        os.fsync(file.fileno())


def flipped():
    with Cache() as cache, drive(FAR, name="store/one") as h:
        for i in range(1, 41):
            fill(h, i * 16, "a")
        overwrite()
        good = 0
        for i in range(1, 41):
            io, asked = read(h, i * 16, "a")
            good += io.error == 0 and io.data() == block("a") and len(asked) == 1
        equal(good, 40, "bits have flipped: the helper is asked")
        equal(counters(h)["checksum_errors"], 40, "which is counted")
        settled(h)
        hit(h, 16, "a", "what was read anew is there")
        overwrite()
        good = 0
        for i in range(1, 41):
            io, _ = read(h, i * 16, "a")
            good += io.error == 0 and io.data() == block("a")
        equal(good, 40, "no other bytes are served, ever")
        info = cache.get()
        ok(info["state"] == FAILED and info["errors"] >= 64, "too many switch it off", info)
        miss(h, 16, "a", "the drive goes on without")
        equal(h.status()[:2], (LIVE, 0), "live")


def full():
    """A file system without room; and a file that was cut off."""
    os.makedirs("/tmp/small", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", "/tmp/small"], check=True)
    try:
        with open("/tmp/small/cache", "wb") as file:
            file.truncate(HEADER + SLOTS * 65536)
        with Cache("/tmp/small/cache") as cache, drive(FAR, name="store/one") as h:
            for i in range(160):
                read(h, 16 * i, "a")
            settled(h)
            c = counters(h)
            equal((cache.get()["state"], cache.get()["errors"], c["io_errors"]), (ON, 0, 0),
                  "a file system that is full is no error")
            ok(c["size"] < SLOTS * 65536, "the cache is as large as the file could grow", c)
            os.truncate("/tmp/small/cache", 4096)
            served = sum(read(h, 16 * i, "b")[0].error == 0 for i in range(159, 31, -1))
            equal(served, 128, "a file that was cut off: reads are the helper's")
            c = counters(h)
            ok(c["io_errors"] > 0, "which count as errors of it", c)
            equal(cache.get()["state"], FAILED, "and it is used no more")
    finally:
        subprocess.run(["umount", "/tmp/small"], check=False)


def set_validator(h, validator):
    return h.ask(PAYLOAD_VALIDATOR,
                 bytearray(struct.pack("II128s", h.index, 0, validator.encode())))


def warm():
    with Cache() as cache:
        with drive(FAR, name="store/one") as h:
            fill(h, 11, "a")
            writer = IO(h, 12, write=block("w"))
            request = h.one()
            err(set_validator(h, "etag"), errno.EBUSY, "no validator while a write is in flight")
            take(h, request)
            h.complete(request, fill=False)
            writer.ends()
            err(set_validator(h, "etag"), 0, "a validator")
            err(h.detach_unused(), 0, "DETACH")
        equal(cache.get()["volumes"], 1, "what was cached is kept")
        told = bytearray(struct.pack("IIQQQ512s128s", 0, 0, 0, 0, 0, b"", b""))
        err(cache.ask(CACHE_VOLUME, told), 0, "VOLUME")
        equal((told[32:41], told[544:548]), (b"store/one", b"etag"), "tells of it")
        err(cache.ask(CACHE_VOLUME, bytearray(struct.pack("IIQQQ512s128s", 1, 0, 0, 0, 0, b"", b""))),
            errno.ENOENT, "of one")
        entries = ctypes.create_string_buffer(ENTRY * 64)
        told = bytearray(struct.pack("IIQQQ512s128s", 0, 64, 0, 0, ctypes.addressof(entries),
                                     b"store/one", b""))
        err(cache.ask(CACHE_EXPORT, told), 0, "EXPORT")
        count, cursor, sectors = struct.unpack_from("4xIQQ", told)
        ok(count >= 1 and cursor, "its map", count, cursor)

        with drive(FAR, name="store/one", kept=cache_wants(validator="etag")) as h:
            ok(counters(h)["flags"] & WARM, "attached with the validator: warm")
            hit(h, 11, "a", "what was cached is there")
            err(set_validator(h, "etag"), 0, "a validator")
            writer = IO(h, 13, write=block("w"))
            request = h.one()
            take(h, request)
            h.complete(request, fill=False)
            writer.ends()
            err(h.detach_unused(), 0, "DETACH after a write")
        with drive(FAR, name="store/one", kept=cache_wants(validator="etag")) as h:
            equal(counters(h)["flags"] & WARM, 0, "which has dropped it: cold")
            miss(h, 11, "b", "the helper is asked")
        cache.close()
        err(cache.open(), 0, "closed and opened")
        told = bytearray(struct.pack("IIQQQ512s128s", 0, count, 0, sectors,
                                     ctypes.addressof(entries), b"store/one", b"tag"))
        err(cache.ask(CACHE_IMPORT, told), 0, "IMPORT")
        with drive(FAR, name="store/one", kept=cache_wants(validator="other")) as h:
            equal(counters(h)["flags"] & WARM, 0, "another validator: cold")
        err(cache.ask(CACHE_IMPORT, bytearray(struct.pack(
            "IIQQQ512s128s", 0, count, 0, sectors, ctypes.addressof(entries), b"store/one",
            b"tag"))), 0, "IMPORT")
        with drive(FAR, name="store/one", kept=cache_wants(validator="tag")) as h:
            ok(counters(h)["flags"] & WARM, "the validator of what was imported: warm")
            io, _ = read(h, 11, "a")
            ok(io.error == 0 and io.data() == block("a"), "it serves what was cached, or asks")


def budget():
    with Cache() as cache, drive(FAR, name="store/one", kept=cache_wants(8 << 20)) as h:
        equal(counters(h)["size"], 8 << 20, "reserved")
        other = Helper()
        error, _ = other.family.exchange("ATTACH", u64(2, 1 << 21) + attribute(NAME, b"b\0") +
                                         cache_wants(9 << 20))
        err(error, errno.ENOSPC, "more than there is")
        err(cache.ask(CACHE_RESERVE, struct.pack("IIQ", h.index, 0, 17 << 20)), errno.ENOSPC,
            "nor later")
        err(cache.ask(CACHE_RESERVE, struct.pack("IIQ", h.index, 0, 4 << 20)), 0, "less")
        equal((counters(h)["size"], cache.get()["reserved"]), (4 << 20, 64), "is had")
        fill(h, 1, "a")
        err(cache.ask(CACHE_RESERVE, struct.pack("IIQ", h.index, 0, 0)), 0, "none")
        equal(counters(h), None, "it has no part")
        miss(h, 1, "b", "the helper is asked")
        err(cache.ask(CACHE_RESERVE, struct.pack("IIQ", h.index, 0, 4 << 20)), 0, "some again")
        miss(h, 1, "c", "and it is empty")


PARTS = (hits, writes, scribblers, lease, adoption, flipped, full, warm, budget)

run([part for part in PARTS if part.__name__ in sys.argv[2:]] or PARTS)
