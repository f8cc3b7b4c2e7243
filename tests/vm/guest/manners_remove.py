#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A drive that goes away, is frozen, or is looked at, while its requests are held.

Prints TAP. Needs the module, and capabilities.
"""

import contextlib
import errno
import os
import subprocess
import sys
import time

from model import Model, serving
from puppet import FAR, SOON, Helper, ends, equal, err, ok, run, until, waits

DEBUG = "/sys/kernel/debug/block"
# What a reader may be told of what is just going.
GOING = (errno.ENOENT, errno.ENODEV, errno.EIO, errno.ENXIO, errno.EINVAL, errno.EACCES,
         errno.EPERM, errno.EBUSY, errno.EOPNOTSUPP)


def start(*words, **kwargs):
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)


def shell(text, *words):
    return start("sh", "-c", text, *words)


def gone(m):
    return not any(os.path.exists(p) for p in (m.device(), f"/sys/block/cdrive{m.index}",
                                               f"{DEBUG}/cdrive{m.index}"))


# --- removal ----------------------------------------------------------------------

WORK = {
    "a direct read": "dd if=$0 of=/dev/null bs=4k skip=1 count=1 iflag=direct",
    "a direct write": "dd if=/dev/zero of=$0 bs=4k seek=1 count=1 oflag=direct",
    "a buffered read": "dd if=$0 of=/dev/null bs=64k skip=4 count=1",
    "a buffered write": "dd if=/dev/zero of=$0 bs=4k seek=900 count=20 conv=fsync,notrunc",
    "zeroing": "blkdiscard -f -z -o 8M -l 1M $0",
    "discarding": "blkdiscard -f -o 8M -l 1M $0",
    "64 requests of fio": "fio --name=load --filename=$0 --rw=randrw --bs=4k --ioengine=libaio"
                          " --iodepth=64 --direct=1 --time_based --runtime=60 --size=4M",
}


def removed():
    """With all kinds of work under way."""
    for name, command in WORK.items():
        with serving(FAR) as m:
            kept = os.open(m.device(), os.O_RDWR)
            m.hold()
            work = shell(command, m.device())
            ok(until(lambda n=64 if "64" in name else 1: len(m.held) >= n),
               f"{name} is under way", m.held)
            err(m.detach(), errno.EBUSY, "the drive is in use")
            begun = time.monotonic()
            err(m.detach(force=True), 0, "it is taken away by force")
            took = time.monotonic() - begun
            ok(took < 5, "at once", took)
            # A disk that is gone has no bytes: who looks again finds its end.
            ended = ends(work)
            ok(ended != "waits" and (ended or name == "a buffered read"),
               f"{name} ends with an error", ended)
            ok(until(lambda: gone(m)), "nothing of it is in /dev, in sysfs or in debugfs")
            refused(kept)
            os.close(kept)
            m.held = []


def refused(fd):
    """A disk that is gone reads as empty, or errors, and takes no writes."""
    got = b""
    with contextlib.suppress(OSError):
        got = os.pread(fd, 4096, 1 << 20)
    equal(got, b"", "who has it open still reads nothing")
    try:
        os.pwrite(fd, bytes(512), 1 << 20)
        os.fsync(fd)
        failed = False
    except OSError:
        failed = True
    ok(failed, "and can't write")


def name_taken():
    """As long as a disk that is gone is open, its name is."""
    with serving(FAR) as m:
        kept = os.open(m.device(), os.O_RDONLY)
        err(m.detach(force=True), 0, "a disk that is open is taken away")
        other = Model().attach(FAR)
        ok(other.index != m.index, "its name is not given to another")
        err(other.detach_unused(), 0, "which goes, too")
        other.close()
        os.close(kept)
        other = Model().attach(FAR)
        equal(other.index, m.index, "until it is closed")
        other.detach()
        other.close()


def with_partitions():
    """A partition that is mounted, or held open, when its disk goes."""
    with serving(FAR) as m:
        equal(shell('printf "2048,8192\\n,\\n" | sfdisk -q --no-tell-kernel "$0" &&'
                    'blockdev --rereadpt "$0"', m.device()).wait(), 0, "two partitions")
        first, second = m.device() + "p1", m.device() + "p2"
        ok(until(lambda: os.path.exists(second)), "have their nodes")
        equal(shell('mkfs.ext4 -q "$0" && mount "$0" /mnt && cp -r tests/vm /mnt/ && sync',
                    first).wait(), 0, "a file system on the first")
        kept = os.open(second, os.O_RDONLY)
        err(m.detach(), errno.EBUSY, "partitions keep the disk in use")
        m.hold()
        writer = shell('exec dd if=/dev/zero of=/mnt/file bs=64k count=4 oflag=direct')
        ok(until(lambda: m.held), "a write to its file system is held")
        err(m.detach(force=True), 0, "it is taken away by force")
        ok(ends(writer) not in (0, "waits"), "the write fails")
        ok(until(lambda: not os.path.exists(second)), "the nodes are gone")
        equal(shell("umount /mnt").wait(), 0, "the file system can be unmounted")
        os.close(kept)
        m.held = []


# --- readers ----------------------------------------------------------------------

READER = """
import errno, os, sys
seen = set()
while True:
    for top in sys.argv[1:]:
        for path, _, names in os.walk(top):
            for name in names:
                try:
                    fd = os.open(path + "/" + name, os.O_RDONLY | os.O_NONBLOCK)
                    try:
                        os.read(fd, 65536)
                    finally:
                        os.close(fd)
                except OSError as e:
                    if e.errno not in seen:
                        seen.add(e.errno)
                        print(e.errno, flush=True)
"""


def readers():
    """sysfs and debugfs are read throughout while drives come and go."""
    tops = [f"/sys/devices/virtual/block/cdrive{i}" for i in range(2)]
    tops += [f"{DEBUG}/cdrive{i}" for i in range(2)]
    # They would take all the time that there is.
    processes = [subprocess.Popen(["nice", sys.executable, "-c", READER, *tops],
                                  stdout=subprocess.PIPE),
                 shell("renice 10 $$; while :; do cat /proc/diskstats /proc/partitions; done"),
                 shell("renice 10 $$; while :; do for f in /dev/cdrive*; do dd if=$f count=1; "
                       "done; done")]
    for number in range(6):
        m = Model().attach(FAR)
        m.hold()
        reader = m.dd(5) if number % 3 else None
        time.sleep(0.2)
        if not number % 4:
            m.tell("FENCE")
        elif number % 4 == 2:
            m.release()
        error = Helper(m.index).detach(force=True) if number % 2 else m.detach(force=True)
        m.close()
        if error or reader and ends(reader) == "waits":
            ok(False, f"drive {number} goes", error)
        ok(until(lambda m=m: gone(m)), f"drive {number} is gone")
    for process in processes:
        process.kill()
    told = {int(line) for line in processes[0].communicate()[0].split()}
    ok(not told - set(GOING), "its readers are told what may be", told)
    for process in processes:
        process.wait()


# --- frozen -----------------------------------------------------------------------

def set_queue(m, name, value):
    """In a process of its own, as it may wait."""
    return shell('echo "$0" >"$1"', value, f"/sys/block/cdrive{m.index}/queue/{name}")


def frozen():
    """A change that freezes the queue waits for what is in flight, and so does what comes."""
    with serving(FAR) as m:
        schedulers = m.sys("queue/scheduler").replace("[", "").replace("]", "").split()
        subprocess.run(["modprobe", "-q", "mq-deadline"], check=False)
        m.hold()
        first = m.dd(1)
        change = set_queue(m, "scheduler", "mq-deadline")
        ok(waits(change), "a change of the scheduler waits for a request in flight")
        second = start("dd", f"if={m.device()}", "of=/dev/null", "bs=4k", "skip=2", "count=1",
                       "iflag=direct")
        ok(waits(second) and len(m.held) == 1, "and a new request waits for the change")
        equal(m.sys("cdrive/state") + m.sys("cdrive/in_flight"), "live1",
              "the driver's own attributes can be read meanwhile")
        m.release()
        equal([ends(first), ends(change), ends(second)], [0, 0, 0], "both go on when it is done")
        ok("[mq-deadline]" in m.sys("queue/scheduler"), "the scheduler is the new one", schedulers)
        m.hold()
        waiting = [m.dd(block, write=block % 2) for block in range(6)]
        ok(m.has(6), "requests come by the new scheduler")
        m.release()
        equal([ends(p) for p in waiting], [0] * 6, "and are carried out")

        m.hold()
        first = m.dd(1)
        change = set_queue(m, "scheduler", "none")
        ok(waits(change), "another change waits")
        err(m.tell("PARK"), 0, "PARK")
        ok(waits(change), "and goes on waiting")
        err(m.detach(force=True), 0, "the drive is taken away by force")
        equal(ends(first), 1, "its request fails")
        ok(ends(change) != "waits", "and nobody waits any more")
        m.held = []


run((removed, name_taken, with_partitions, readers, frozen))
