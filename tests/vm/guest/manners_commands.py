#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Commands that can't be carried out: what the driver says, and that it stays as it is.

Prints TAP. Needs the module, and capabilities.
"""

import array
import contextlib
import errno
import fcntl
import mmap
import os
import socket
import struct
import subprocess

from model import serving
from netlink import NLM_F_DUMP, Family, attribute
from puppet import (FAR, FLAGS, FORCE, HELPER, INDEX, LEASE_UNTIL, LIVE,
                    PARK_LIMIT, PARKED, PAYLOAD_BIND, PAYLOAD_COMPLETE, PAYLOAD_LEASE, READ_ONLY,
                    SECTORS, SOON, Helper, drive, ends, equal, err, ok, run, u32, u64, until,
                    waits)

NAME, SEQUENCE_NUMBER, RAISING_TO, LEASE_ID, NOTES, FAILED, FAILED_WRITES = range(14, 21)
PAYLOAD_RESERVES = 0xCDC2
PF_MEMALLOC = 0x800
PAYLOAD_REMEMBER = 1 << 30 | 96 << 16 | 0xCDC1
PARAMETER = "/sys/module/cdrive/parameters/park_limit"


def attach():
    """Every attribute, and what it must not be."""
    family = Family()
    size = u64(SECTORS, 2048)
    for name, content, expected in (
            ("nothing", b"", errno.EINVAL),
            ("a size of 0", u64(SECTORS, 0), errno.EINVAL),
            ("a size that no disk has", u64(SECTORS, 1 << 54), errno.EINVAL),
            ("half a size", u32(SECTORS, 8), errno.EINVAL),
            ("a flag of another command", size + u32(FLAGS, FORCE), errno.EINVAL),
            ("a flag that there is not", size + u32(FLAGS, 1 << 31), errno.EINVAL),
            ("too much patience", size + u32(PARK_LIMIT, 86401), errno.ERANGE),
            ("a deadline of 64 bits", size + u64(LEASE_UNTIL, 1 << 63), errno.ERANGE),
            ("an attribute that there is not", size + u32(99, 0), errno.EINVAL),
            ("a name that is too long", size + attribute(NAME, b"n" * 600 + b"\0"), errno.EINVAL)):
        err(family.exchange("ATTACH", content)[0], expected, f"ATTACH with {name}")
    err(family.exchange("GET", u32(INDEX, 0))[0], errno.ENODEV, "and no drive was made")


def sixteen():
    with contextlib.ExitStack() as stack:
        helpers = [Helper() for _ in range(17)]
        for h in helpers:
            stack.callback(h.close)
        told = [h.family.exchange("ATTACH", u64(SECTORS, 2048))[0] for h in helpers]
        equal(told, [0] * 16 + [errno.ENOSPC], "16 drives, and no 17th")
        for index in range(16):
            err(Helper(index).detach(force=True), 0, f"drive {index} goes")


def remembered(family, index):
    """What is kept of a drive, for who may know it: None, or number, raise, lease, notes."""
    _, a = family.exchange("GET", u32(INDEX, index))
    if SEQUENCE_NUMBER not in a:
        return None
    return (*(struct.unpack("Q", a[kind])[0] for kind in (SEQUENCE_NUMBER, RAISING_TO)),
            a[LEASE_ID], a[NOTES])


def remember(device, index, number, raising, lease, notes):
    """By the payload device: an errno."""
    buffer = array.array("B", notes)
    address = buffer.buffer_info()[0] if notes else 0
    told = struct.pack("IIQQQ64s", index, len(notes), number, raising, address, lease)
    try:
        fcntl.ioctl(device, PAYLOAD_REMEMBER, told)
        return 0
    except OSError as e:
        return e.errno


def outlives():
    """What a helper leaves to the next."""
    root = Helper(0)
    for what, wrong, expected in (
            ("a lease id that is too long", attribute(LEASE_ID, b"l" * 64 + b"\0"), errno.EINVAL),
            ("one that is none", attribute(LEASE_ID, b"l d\0"), errno.EINVAL),
            ("too many notes", attribute(NOTES, bytes(2049)), errno.ERANGE),
            ("half a number", u32(SEQUENCE_NUMBER, 1), errno.EINVAL)):
        err(root.family.exchange("ATTACH", u64(SECTORS, 2048) + wrong)[0], expected,
            f"ATTACH with {what}")
    kept = (u64(SEQUENCE_NUMBER, 7) + attribute(LEASE_ID, b"first\0") +
            attribute(NOTES, b"n" * 2048))
    with drive(kept=kept) as h:
        equal(remembered(root.family, 0), (7, 0, b"first\0", b"n" * 2048),
              "what ATTACH told, GET gives back")
        unprivileged = subprocess.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "python3", "-c",
             "import sys; sys.path.insert(0, 'tests/vm/guest')\n"
             "from netlink import Family; from manners_commands import remembered\n"
             "print(remembered(Family(), 0))"], capture_output=True, text=True, check=False)
        equal((unprivileged.returncode, unprivileged.stdout.strip()), (0, "None"),
              "but not to who has no capabilities")
        _, dumped = root.family.exchange("GET", b"", NLM_F_DUMP)
        equal(dumped.get(NOTES), b"n" * 2048, "a dump does, too")

        err(remember(h.payload, 0, 8, 9, b"second", b"other"), 0, "its helper tells another")
        equal(remembered(root.family, 0), (8, 9, b"second\0", b"other"), "which takes its place")
        for what, told, expected in (
                ("root's, while there is a helper", (root.payload, 0, 1, 1, b"", b""), errno.EPERM),
                ("of a drive that is not there", (h.payload, 1, 1, 1, b"", b""), errno.ENODEV),
                ("of a drive that there can't be", (h.payload, 99, 1, 1, b"", b""), errno.ENODEV),
                ("too many notes", (h.payload, 0, 1, 1, b"", bytes(2049)), errno.EINVAL),
                ("a lease id without end", (h.payload, 0, 1, 1, b"l" * 64, b""), errno.EINVAL),
                ("a lease id that is none", (h.payload, 0, 1, 1, b"\n", b""), errno.EINVAL)):
            err(remember(*told), expected, f"not: {what}")
        told = struct.pack("IIQQQ64s", 0, 8, 1, 1, 8, b"")
        try:
            fcntl.ioctl(h.payload, PAYLOAD_REMEMBER, told)
            ok(False, "not: notes that are nowhere")
        except OSError as e:
            err(e.errno, errno.EFAULT, "not: notes that are nowhere")
        equal(remembered(root.family, 0), (8, 9, b"second\0", b"other"), "nothing has changed")

        h.family.sock.close()
        ok(until(lambda: root.is_now(PARKED, HELPER)), "the helper is gone")
        equal(remembered(root.family, 0), (8, 9, b"second\0", b"other"), "what it told is there")
        err(remember(h.payload, 0, 9, 10, b"third", b""), 0, "root tells what it is about to do")
        error, answer = root.family.exchange("ADOPT", u32(INDEX, 0))
        err(error, 0, "and adopts the drive")
        equal(answer.get(LEASE_ID), b"third\0", "ADOPT gives it back")
        err(remember(h.payload, 0, 1, 1, b"", b""), errno.EPERM, "now it is for the new helper to say")
        err(remember(root.payload, 0, 10, 0, b"third", b""), 0, "which it does")
        equal(remembered(root.family, 0), (10, 0, b"third\0", b""), "and it is kept")
        err(root.detach_unused(), 0, "DETACH")

    with serving(FAR) as m:
        equal(remembered(m.family, m.index), None, "of a drive of which nothing was told, nothing is")
        err(m.detach_unused(), 0, "DETACH")


def others():
    with serving(FAR) as m:
        err(m.tell("DETACH", u32(FLAGS, READ_ONLY)), errno.EINVAL, "DETACH with a flag of ATTACH")
        err(m.complete_tags(), errno.EINVAL, "COMPLETE of nothing")
        err(m.complete_tags(*[(0, 0)] * 129), errno.EINVAL, "COMPLETE of more than there can be")
        err(m.complete_tags(*[(0, 0)] * 128), errno.ESTALE, "of as many, if there were any")
        nowhere = bytearray(struct.pack("IIQ", m.index, 1, 8))
        err(m.ask(PAYLOAD_COMPLETE, nowhere), errno.EFAULT, "of some that are nowhere")
        for request, size in ((PAYLOAD_COMPLETE, 16), (PAYLOAD_LEASE, 24)):
            absent = bytearray(struct.pack("II", m.index + 1, 1).ljust(size, b"\0"))
            if request == PAYLOAD_COMPLETE:
                done = array.array("Q", [0])
                struct.pack_into("Q", absent, 8, done.buffer_info()[0])
            err(m.ask(request, absent), errno.ENODEV, "of a drive that there is not")
        for status in (-errno.ENOSPC, -errno.ETIMEDOUT, -errno.ENOLINK, -errno.EAGAIN,
                       -errno.ENOMEM, -errno.EIO, 1, -(1 << 31)):
            m.hold()
            writer = m.dd(1, write=True)
            ok(m.has(1), f"a write that comes to {status}")
            m.release(status)
            equal(ends(writer), 1, "fails")
        equal((m.sysfs("failed"), m.sysfs("failed_writes")), ("8", "0"),
              "they are counted, and who wrote was told")
        _, a = Family().exchange("GET", u32(INDEX, m.index))
        equal([struct.unpack("Q", a[kind])[0] for kind in (FAILED, FAILED_WRITES)], [8, 0],
              "and GET says so")
        equal(m.status()[:2], (LIVE, 0), "the drive is live")
        for value, expected in (("-1", errno.EINVAL), ("86401", errno.EINVAL), ("0", 0), ("300", 0)):
            try:
                with open(PARAMETER, "w", encoding="utf-8") as file:
                    file.write(value)
                failure = 0
            except OSError as e:
                failure = e.errno
            err(failure, expected, f"module parameter park_limit: {value}")
        err(m.detach_unused(), 0, "DETACH")


def unfilled():
    """A read is done when all of its data is there; whatever is said of it."""
    with drive(FAR) as h:
        for parts, status, name in (((), 1, "without data"),
                                    ((0, 1, 2, 4, 5, 6, 7), 1, "with all but a sector"),
                                    ((7, 6, 5, 4, 3, 2, 1, 0), 0, "with all of it")):
            reader = h.dd(1)
            request = h.one()
            for part in parts:
                offset = h.index << 54 | request.tag << 22 | part * 512
                os.pwrite(h.payload, bytes(512), offset)
            err(h.complete(request, fill=False), 0, f"COMPLETE of a read {name}")
            equal(ends(reader), status, "fails" if status else "it is done")
        writer = h.dd(1, write=True)
        err(h.complete(h.one()), 0, "COMPLETE of a write that nobody has looked at")
        equal(ends(writer), 0, "it is the helper's to say that it is done")


def bind(payload, fd):
    """The error of binding, by number: of CDRIVE_PAYLOAD_BIND, or another ioctl()."""
    try:
        fcntl.ioctl(payload, PAYLOAD_BIND, fd)
    except OSError as e:
        return e.errno
    return 0


def reserves(payload, uid):
    """The error of CDRIVE_PAYLOAD_RESERVES for a process of @uid that has the device, by
    number, and the flags of that process, which are gone with it."""
    from_child, to_parent = os.pipe()
    if not (child := os.fork()):
        error = 0
        os.setresuid(uid, uid, uid)
        try:
            fcntl.ioctl(payload, PAYLOAD_RESERVES)
        except OSError as e:
            error = e.errno
        with open("/proc/self/stat", encoding="ascii") as f:
            flags = int(f.read().rpartition(")")[2].split()[6])
        os.write(to_parent, struct.pack("=II", error, flags))
        os._exit(0)
    os.waitpid(child, 0)
    answer = struct.unpack("=II", os.read(from_child, 8))
    os.close(from_child)
    os.close(to_parent)
    return answer


def bound():
    """The payload device reaches its own helper's drive, and no other."""
    with drive(FAR) as h, drive(FAR) as other:
        own = h.payload
        reader = h.dd(1)
        request = h.one()
        h.payload = other.payload
        err(h.copy(request), errno.EPERM, "by another drive's helper's device: refused")
        h.payload = os.open("/dev/cdrive-payload", os.O_RDWR | os.O_CLOEXEC)
        err(h.copy(request), errno.EPERM, "by one that is bound to nothing")
        err(bind(h.payload, Helper().family.sock.fileno()), 0, "bound to a socket that is no helper's")
        err(h.copy(request), errno.EPERM, "it is refused, too")
        err(bind(h.payload, -1), errno.EBADF, "bound to nothing that is open")
        err(bind(h.payload, own), errno.ENOTSOCK, "to no socket")
        for family, kind, protocol, name in ((socket.AF_UNIX, socket.SOCK_STREAM, 0, "of Unix"),
                                             (socket.AF_NETLINK, socket.SOCK_RAW, 0, "of rtnetlink")):
            with socket.socket(family, kind, protocol) as wrong:
                err(bind(h.payload, wrong.fileno()), errno.EINVAL, f"to a socket {name}")
        try:
            fcntl.ioctl(h.payload, PAYLOAD_BIND + 1, 0)
            ok(False, "another ioctl() is refused")
        except OSError as e:
            err(e.errno, errno.ENOTTY, "another ioctl() is refused")
        for uid, expected, name in ((65534, errno.EPERM, "a user can't"), (0, 0, "root can")):
            error, flags = reserves(h.payload, uid)
            err(error, expected, f"get at the kernel's reserves of memory: {name}")
            equal(flags & PF_MEMALLOC != 0, uid == 0, f"{name}, by the flags of the process")
        err(h.copy(request), errno.EPERM, "none of which has changed anything")
        err(bind(h.payload, h.family.sock.fileno()), 0, "bound to the helper's")
        err(h.copy(request), 0, "it reaches the request")
        os.close(h.payload)
        h.payload = own
        err(h.complete(request, fill=False), 0, "which has its data, and is completed")
        equal(ends(reader), 0, "and is done")

        reader = h.dd(1)
        request = h.one()
        h.family.sock.close()
        new = Helper(h.index)
        ok(until(lambda: new.is_now(PARKED, HELPER)), "the helper's socket is closed")
        err(h.copy(request), errno.EPERM, "its device is of no use any more")
        err(new.tell("ADOPT"), 0, "another adopts the drive")
        request = new.one()
        err(h.copy(request), errno.EPERM, "nor with the tag that the new one was given")
        err(new.complete(request), 0, "who completes the request")
        equal(ends(reader), 0, "which is done")
        new.close()


def child(work):
    """A process that does that, and its status: what it comes to."""
    pid = os.fork()
    if not pid:
        status = 99
        with contextlib.suppress(Exception):
            status = work()
        os._exit(status)
    return pid


def status_of(pid):
    """Of a process that ends, or "runs"."""
    states = []

    def ended():
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            states.append(os.waitstatus_to_exitcode(status))
        return bool(found)
    return states[0] if until(ended) else "runs"


def registers(module, pid):
    """That process is loading the module, whose beginning waits for something."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        if file.read().rpartition(")")[2].split()[0] != "D":
            return False
    with contextlib.suppress(FileNotFoundError), \
         open(f"/sys/module/{module}/initstate", encoding="ascii") as file:
        return file.read() == "coming\n"
    return False


def beside_detach():
    """A DETACH lasts, as it waits for a copy of the drive's data, the copy for memory that
    is another drive, and that for its helper; and until it has ended another module's family
    can't be registered, which nothing that comes by netlink overtakes."""
    with drive(FAR) as other, drive(FAR) as h:
        with open(f"/dev/cdrive{other.index}", "rb", buffering=0) as file:
            memory = mmap.mmap(file.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)
        memory.madvise(mmap.MADV_RANDOM)
        copied, failing = h.dd(1), h.dd(2)
        request = h.requests(SOON, 2)[0]
        offset = h.index << 54 | request.tag << 22
        taker = Helper(h.index)
        copier = child(lambda: os.pwrite(h.payload, memoryview(memory)[:512], offset) != 512)
        needed = other.requests(SOON, 1)
        equal(len(needed), 1, "a copy waits for another drive's request")
        detacher = child(lambda: taker.detach(force=True))
        equal(ends(failing), 1, "DETACH has begun")
        ok(waits(copied) and not os.waitpid(detacher, os.WNOHANG)[0], "and waits for the copy")
        module = subprocess.Popen(["modprobe", "nbd", "nbds_max=1"])
        ok(until(lambda: registers("nbd", module.pid)), "a module with a family waits for it")
        err(other.lease(FAR), 0, "the other drive is told a deadline")
        err(other.complete(*needed), 0, "and its request is completed")
        equal([status_of(copier), status_of(detacher)], [0, 0], "which ends the copy, and DETACH")
        equal(ends(module), 0, "and the module is loaded")
        subprocess.run(["rmmod", "nbd"], check=True)
        equal(ends(copied), 1, "whose request has failed")
        memory.close()


if __name__ == "__main__":
    run((attach, sixteen, outlives, others, unfilled, bound, beside_detach))
