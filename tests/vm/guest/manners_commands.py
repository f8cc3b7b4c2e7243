#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Commands that can't be carried out: what the driver says, and that it stays as it is.

Prints TAP. Needs the module, and capabilities.
"""

import contextlib
import errno
import fcntl
import os
import socket

from model import serving
from netlink import Family, attribute
from puppet import (COMPLETIONS, FAR, FLAGS, FORCE, HELPER, INDEX, LEASE_UNTIL, LIVE,
                    PARK_LIMIT, PARKED, PAYLOAD_BIND, READ_ONLY, SECTORS, Helper, drive, ends,
                    equal, err, ok, run, u32, u64, until)

NAME = 15
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
            ("no patience", size + u32(PARK_LIMIT, 0), errno.ERANGE),
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


def others():
    with serving(FAR) as m:
        err(m.tell("DETACH", u32(FLAGS, READ_ONLY)), errno.EINVAL, "DETACH with a flag of ATTACH")
        err(m.tell("COMPLETE"), errno.EINVAL, "COMPLETE of nothing")
        err(m.tell("COMPLETE", attribute(COMPLETIONS, bytes(12))), errno.EINVAL,
            "COMPLETE of one and a half")
        err(m.tell("COMPLETE", attribute(COMPLETIONS, bytes(129 * 8))), errno.ERANGE,
            "COMPLETE of more than there can be")
        for status in (-errno.ENOSPC, -errno.ETIMEDOUT, -errno.ENOLINK, -errno.EAGAIN,
                       -errno.ENOMEM, -errno.EIO, 1, -(1 << 31)):
            m.hold()
            writer = m.dd(1, write=True)
            ok(m.has(1), f"a write that comes to {status}")
            m.release(status)
            equal(ends(writer), 1, "fails")
        equal(m.status()[:2], (LIVE, 0), "the drive is live")
        for value, expected in (("0", errno.EINVAL), ("86401", errno.EINVAL), ("7", 0), ("300", 0)):
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


run((attach, sixteen, others, unfilled, bound))
