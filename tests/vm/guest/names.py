#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What name the driver gives a drive, and what it takes for none. See links.t.

usage: names.py
"""

import contextlib
import errno
import os
import socket

from puppet import (FLAGS, FORCE, INDEX, NAME, SECTORS, Helper, attribute, drive, equal, err, ok,
                    plan, u32, u64, until)

LONGEST = 511


def name_of(helper):
    """As GET tells it; None: it has none."""
    _, answer = helper.family.exchange("GET", u32(INDEX, helper.index))
    return answer[NAME] if NAME in answer else None


def attach_error(data):
    """What ATTACH says to a name of these bytes; a drive that comes of it is taken away."""
    helper = Helper()
    error, answer = helper.family.exchange("ATTACH", u64(SECTORS, 2048) + attribute(NAME, data))
    name = answer.get(NAME)
    if not error:
        helper.family.exchange("DETACH", attribute(INDEX, answer[INDEX]) + u32(FLAGS, FORCE))
    helper.close()
    return error, name


def has_none():
    with drive() as h:
        equal(name_of(h), None, "without a name: GET tells none")
        equal(h.sysfs("name"), "", "and sysfs an empty line")


def keeps_it():
    with drive(name="host:10000/box/disk%20one@2026") as h:
        equal(name_of(h), b"host:10000/box/disk%20one@2026\0", "a name, as GET tells it")
        equal(h.sysfs("name"), "host:10000/box/disk%20one@2026", "and sysfs")
        new = Helper(h.index)
        h.close()
        err(new.tell("ADOPT"), 0, "another helper adopts the drive")
        equal(name_of(new), b"host:10000/box/disk%20one@2026\0", "which has its name still")
        equal(new.sysfs("name"), "host:10000/box/disk%20one@2026", "in sysfs, too")


def ahead_of_the_uevent():
    """Who is told of the disk finds its name there, with no race to be lost."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)
    events.bind((0, 1))
    events.settimeout(0.05)
    helper = Helper()
    _, answer = helper.family.exchange("ATTACH", u64(SECTORS, 2048) + attribute(NAME, b"first\0"))
    helper.index = int.from_bytes(answer[INDEX], "little")

    def announced():
        """It is when it has been looked for partitions, which takes a helper."""
        helper.carry_out(*helper.requests(0.05))
        with contextlib.suppress(TimeoutError):
            return events.recv(8192).startswith(b"add@/devices/virtual/block/cdrive")

    ok(until(announced), "the disk is announced")
    equal(helper.sysfs("name"), "first", "and its name is there")
    err(helper.detach(force=True), 0, "detach")
    helper.close()


def refuses():
    for data in (b"", b".", b"..", b"/a", b"a/", b"a//b", b"./a", b"a/.", b"../a", b"a/..",
                 b"a/../b", b"a b", b"a\n", b"a\tb", b"\x7f", b"\xc3\xa4", b"\x80"):
        err(attach_error(data + b"\0")[0], errno.EINVAL, f"no name: {data.hex(' ')}")
    err(attach_error(b"name")[0], errno.EINVAL, "nor is one that does not end")
    err(attach_error(b"n" * (LONGEST + 1) + b"\0")[0], errno.EINVAL, "nor one that is too long")
    err(attach_error(b"")[0], errno.EINVAL, "nor nothing at all")
    for data in (b"n" * LONGEST, b"...", b".a/b./..c", b"$root/%2F\\[~]\"'"):
        equal(attach_error(data + b"\0"), (0, data + b"\0"), f"a name: {data[:20].decode()}")
    equal(attach_error(b"a\0../b\0"), (0, b"a\0"), "what follows its end is not part of one")


def main():
    for part in (has_none, keeps_it, ahead_of_the_uevent, refuses):
        part()
    ok(not os.path.exists("/sys/block/cdrive0"), "no drive is left")
    plan()


main()
