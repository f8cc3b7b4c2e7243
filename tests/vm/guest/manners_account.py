#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the block layer shows of a drive: its accounting against exactly known I/O,
blk-mq's state while requests are with the helper and at rest, what it traces, and the
limits in queue/.

Prints TAP. Needs the module, and capabilities.
"""

import errno
import fcntl
import mmap
import os
import struct
import time
from collections import namedtuple

from model import SECTOR, SIZE, Model, serving
from puppet import FAR, HELPER, PARKED, ends, equal, err, ok, run, until

MIB = 1 << 20
BLKDISCARD, BLKZEROOUT = 0x1277, 0x127F
DEBUG = "/sys/kernel/debug/block"
TRACING = "/sys/kernel/tracing"

# Documentation/block/stat.rst
Stat = namedtuple("Stat", "reads read_merges read_sectors read_ms writes write_merges "
                  "write_sectors write_ms in_flight busy_ms queue_ms discards discard_merges "
                  "discard_sectors discard_ms flushes flush_ms")


def stat(model):
    return Stat(*map(int, model.sys("stat").split()))


def diskstats(model):
    with open("/proc/diskstats", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[2] == f"cdrive{model.index}":
                return Stat(*map(int, words[3:]))
    return None


def counted(model, before):
    """What was added: reads, writes, discards, and the sectors of each."""
    now = stat(model)
    return [getattr(now, name) - getattr(before, name) for name in
            ("reads", "read_sectors", "writes", "write_sectors", "discards", "discard_sectors",
             "flushes", "in_flight")]


class Direct:
    """The device, past the page cache."""

    def __init__(self, model, flags=os.O_RDWR):
        self.fd = os.open(model.device(), flags | os.O_DIRECT)
        self.page = mmap.mmap(-1, 4 * MIB)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def read(self, offset, length):
        return os.preadv(self.fd, [memoryview(self.page)[:length]], offset)

    def write(self, offset, length):
        return os.pwritev(self.fd, [memoryview(self.page)[:length]], offset)

    def discard(self, offset, length):
        fcntl.ioctl(self.fd, BLKDISCARD, struct.pack("QQ", offset, length))

    def zero(self, offset, length):
        fcntl.ioctl(self.fd, BLKZEROOUT, struct.pack("QQ", offset, length))


# --- accounting -------------------------------------------------------------------

def served():
    """What is carried out at once."""
    with serving(FAR) as m, Direct(m) as disk:
        ok(until(lambda: stat(m).in_flight == 0), "nothing is in flight at rest")
        before, asked = stat(m), m.asked()
        for i in range(5):
            disk.read(i * 8192, 4096)
        for i in range(3):
            disk.write(i * 8192 + 512, 1024)
        disk.read(MIB, MIB)
        disk.write(4 * MIB, 4 * MIB)
        disk.discard(8 * MIB, MIB)
        disk.discard(9 * MIB, 512)
        disk.zero(10 * MIB, 2 * MIB)
        os.fsync(disk.fd)
        now = m.asked()
        came = {k: [b - a for a, b in zip(asked[k], now[k])] for k in now}
        got = counted(m, before)
        equal(got[1::2], [40 + 2048, 6 + 8192 + 4096, 2049, 0],
              "sectors read, written and zeroed, discarded; none in flight")
        equal(got[::2], [came["read"][0], came["write"][0] + came["write_zeroes"][0],
                         came["discard"][0], 0],
              "as many requests as the helper had, and no flushes")
        equal(came["discard"], [2, 2049], "a discard is one request")
        equal(came["write_zeroes"], [1, 4096], "so is a range of zeroes")
        equal(diskstats(m)[:3], stat(m)[:3], "/proc/diskstats has the same")


def inflight(m):
    return [int(word) for word in m.sys("inflight").split()]


def held():
    """While requests are with the helper, and how long they were."""
    with serving(FAR) as m:
        before = stat(m)
        m.hold()
        begun = time.monotonic()
        waiting = [m.dd(1), m.dd(2), m.dd(3, write=True)]
        ok(m.has(3), "three requests are held")
        equal((inflight(m), stat(m).in_flight), ([2, 1], 3), "inflight and stat say so")
        time.sleep(1)
        m.release()
        equal([ends(p) for p in waiting], [0, 0, 0], "they are carried out")
        most = (time.monotonic() - begun) * 1000 + 20
        now = stat(m)
        equal((inflight(m), now.in_flight), ([0, 0], 0), "none is in flight")
        equal(counted(m, before), [2, 16, 1, 8, 0, 0, 0, 0], "two reads and a write are counted")
        took = [getattr(now, n) - getattr(before, n) for n in
                ("read_ms", "write_ms", "busy_ms", "queue_ms")]
        ok(all(low <= t <= high * most for t, low, high in
               zip(took, (1980, 980, 950, 2970), (2, 1, 1, 3))),
           "with the time that they took", took, most)


def failed():
    """Requests that fail: by the helper's word, and by fencing."""
    with serving(FAR) as m:
        before = stat(m)
        m.hold()
        reader, writer = m.dd(1), m.dd(2, write=True)
        ok(m.has(2), "two requests are held")
        m.release(-errno.EIO)
        equal([ends(reader), ends(writer)], [1, 1], "and fail")
        equal(counted(m, before), [1, 8, 1, 8, 0, 0, 0, 0], "each is counted once")

        m.hold()
        waiting = [m.dd(block, write=block % 2) for block in range(4)]
        ok(m.has(4), "four are held")
        err(m.tell("FENCE"), 0, "FENCE")
        equal([ends(p) for p in waiting], [1] * 4, "they fail")
        equal(counted(m, before)[:4:2] + counted(m, before)[-1:], [3, 3, 0],
              "each is counted, and none is in flight")
        with Direct(m) as disk:
            for call in (disk.read, disk.write):
                try:
                    call(0, 4096)
                    failure = 0
                except OSError as e:
                    failure = e.errno
                err(failure, errno.EIO, "what comes when it is fenced fails at once")
        equal((inflight(m), stat(m).in_flight), ([0, 0], 0), "and leaves nothing in flight")
        m.held = []


def replayed():
    """Carried out by the second helper, and past a deadline."""
    with serving(FAR) as first:
        before = stat(first)
        first.hold()
        waiting = [first.dd(block, write=block % 2) for block in range(4)]
        ok(first.has(4), "four requests are held, and their helper dies")
        first.close()
        second = Model(first.index, first.content)
        ok(until(lambda: second.is_now(PARKED, HELPER)), "parked")
        equal(stat(second).in_flight, 4, "they are in flight")
        err(second.tell("ADOPT"), 0, "another adopts the drive")
        second.serve()
        equal([ends(p) for p in waiting], [0] * 4, "and carries them out")
        equal(counted(second, before), [2, 16, 2, 16, 0, 0, 0, 0], "each is counted once")

        second.hold()
        writer = second.dd(9, write=True)
        ok(second.has(1), "another is held")
        second.lease(-1)
        second.release()
        ok(until(lambda: len(second.done) == 5) and stat(second).in_flight == 1,
           "completed past the deadline it is in flight still")
        second.lease(FAR)
        equal(ends(writer), 0, "and ends with another")
        equal(counted(second, before), [2, 16, 3, 24, 0, 0, 0, 0], "counted once")
        second.close()


# --- blk-mq's own -----------------------------------------------------------------

def debug(m, name):
    with open(f"{DEBUG}/cdrive{m.index}/{name}", encoding="utf-8") as file:
        return file.read()


def busy_tags(m):
    """How many of blk-mq's tags are taken."""
    return [int(line.split("busy=")[1].split()[0])
            for line in debug(m, "hctx0/tags").splitlines() if line.startswith("busy=")][0]


def at_rest(m):
    """Neither a tag nor a list holds anything; a tag goes back after its request's end."""
    return until(lambda: busy_tags(m) == 0 and not debug(m, "hctx0/busy")
                 and not debug(m, "hctx0/dispatch") and not debug(m, "requeue_list"), 5)


def mq_state():
    with serving(FAR) as m:
        if not os.path.exists(f"{DEBUG}/cdrive{m.index}/hctx0/tags"):
            print("# this kernel has no debugfs of blk-mq")
            return
        ok(at_rest(m), "debugfs: no tag is taken at rest")
        m.hold()
        waiting = [m.dd(1), m.dd(2, write=True)]
        ok(m.has(2), "two requests are held")
        equal(busy_tags(m), 2, "two tags are taken")
        lines = debug(m, "hctx0/busy").splitlines()
        ok(len(lines) == 2 and all("state=in_flight" in line for line in lines)
           and "op=READ" in lines[0] + lines[1] and "op=WRITE" in lines[0] + lines[1],
           "a read and a write are in flight", lines)
        equal(debug(m, "hctx0/dispatch"), "", "none waits to be dispatched")
        m.release()
        equal([ends(p) for p in waiting], [0, 0], "they are carried out")
        ok(at_rest(m), "all is at rest")

        m.hold()
        waiting = [m.dd(block) for block in range(3)]
        ok(m.has(3), "three are held")
        m.tell("FENCE")
        equal([ends(p) for p in waiting], [1] * 3, "and fail by fencing")
        ok(at_rest(m), "which leaves no tag taken")
        m.held = []


def more_than_tags():
    """More at once than there are tags: they wait their turn."""
    with serving(FAR) as m:
        m.hold()
        words = ["fio", "--name=load", f"--filename={m.device()}", "--ioengine=libaio", "--direct=1",
                 "--rw=randread", "--bs=4k", "--iodepth=200", "--iodepth_batch=200",
                 f"--size={SIZE}", "--io_size=4M", "--output=/dev/null"]
        load = os.spawnvp(os.P_NOWAIT, "fio", words)
        ok(m.has(128), "128 requests are held, and no more", len(m.held))
        equal(m.sys("cdrive/in_flight"), "128", "the driver has as many")
        before = stat(m).reads
        m.release()
        equal(os.waitstatus_to_exitcode(os.waitpid(load, 0)[1]), 0, "all are carried out")
        ok(stat(m).reads - before >= 1024, "every one is counted")
        equal(stat(m).in_flight, 0, "none is in flight")


def timeout():
    """The block layer's own patience: a request is never late."""
    with serving(FAR) as m:
        err(m.set_sys("queue/io_timeout", "200"), 0, "io_timeout of 200 ms")
        m.hold()
        reader = m.dd(1)
        time.sleep(1.5)
        ok(reader.poll() is None, "a request that takes longer is waited for")
        m.release()
        equal(ends(reader), 0, "and is carried out")


def traced():
    """blktrace's events, as the tracer "blk" prints them."""
    with serving(FAR) as m, Direct(m) as disk:
        if m.set_sys("trace/enable", "1"):
            print("# this kernel has no blktrace")
            return
        with open(f"{TRACING}/current_tracer", "w", encoding="utf-8") as file:
            file.write("blk")
        disk.write(2 * MIB, 4096)
        disk.read(2 * MIB, 4096)
        m.set_sys("trace/enable", "0")
        with open(f"{TRACING}/trace", encoding="utf-8") as file:
            lines = [line.split(": ", 1)[-1].split() for line in file if not line.startswith("#")]
        with open(f"{TRACING}/current_tracer", "w", encoding="utf-8") as file:
            file.write("nop")
        major_minor = m.sys("dev").replace(":", ",")
        seen = [(w[1], w[2][0]) for w in lines if w[:1] == [major_minor] and w[3:6] ==
                [str(2 * MIB // SECTOR), "+", "8"]]
        for action, name in (("Q", "queued"), ("D", "dispatched"), ("C", "completed")):
            ok((action, "W") in seen and (action, "R") in seen,
               f"traced: write and read are {name}", seen)


# --- limits -----------------------------------------------------------------------

def limits():
    """What may be changed in queue/, and what a write becomes of it."""
    with serving(FAR) as m, Direct(m) as disk:
        for name, value in (("logical_block_size", 512), ("physical_block_size", 4096),
                            ("minimum_io_size", 4096), ("max_hw_sectors_kb", 4096),
                            ("max_sectors_kb", 4096),
                            ("write_zeroes_max_bytes", (1 << 32) - 512),
                            ("discard_max_bytes", (1 << 32) - 512), ("rotational", 0),
                            ("add_random", 0), ("stable_writes", 1), ("fua", 0),
                            ("zoned", "none"), ("nr_zones", 0), ("dma_alignment", 511),
                            ("write_cache", "write through"), ("read_ahead_kb", 4096)):
            path = f"/sys/block/cdrive{m.index}/queue/{name}"
            if os.path.exists(path):
                equal(m.sys(f"queue/{name}"), str(value), f"queue/{name}")

        def written(length):
            before = len(m.done)
            disk.write(0, length)
            return [r.sectors for r in m.done[before:]]

        m.set_sys("queue/max_sectors_kb", "8192")
        equal(written(4 * MIB) and max(r.sectors for r in m.done), 4 * MIB // SECTOR,
              "max_sectors_kb of 8192 makes no larger requests")
        err(m.set_sys("queue/max_sectors_kb", "64"), 0, "max_sectors_kb of 64")
        equal(written(256 << 10), [128] * 4, "makes four requests of 256 KiB")
        err(m.set_sys("queue/max_sectors_kb", "4096"), 0, "max_sectors_kb of 4096")
        err(m.set_sys("queue/discard_max_bytes", str(MIB)), 0, "discard_max_bytes of 1 MiB")
        before = len(m.done)
        disk.discard(MIB, 3 * MIB)
        equal([r.sectors for r in m.done[before:]], [2048] * 3, "makes three requests of 3 MiB")
        err(m.set_sys("queue/nr_requests", "16"), 0, "nr_requests of 16")
        equal(written(4096), [8], "which leaves the drive usable")
        err(m.set_sys("queue/nomerges", "2"), 0, "nomerges")
        equal(sum(written(4 * MIB)), 4 * MIB // SECTOR, "which writes as much")
        # 6.1 lets anybody say so, and then there are flushes.
        m.set_sys("queue/write_cache", "write back")
        try:
            failure = os.pwritev(disk.fd, [memoryview(disk.page)[:4096]], 0, os.RWF_DSYNC) - 4096
        except OSError as e:
            failure = e.errno
        err(failure, 0, "who says that there is a write cache can flush it")


run((served, held, failed, replayed, mq_state, more_than_tags, timeout, traced, limits))
