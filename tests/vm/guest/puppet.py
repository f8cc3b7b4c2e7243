#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A helper that does as it is told, and what tests of the driver with it share.

It attaches drives, gets their requests, and leaves to the test what becomes of them,
while dd reads and writes.
"""

import array
import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import namedtuple

from netlink import Family, attribute

# uapi/linux/cdrive.h
INDEX, SECTORS, FLAGS, STATE, PARK_LIMIT = 1, 2, 3, 4, 5
IN_FLIGHT, DESCRIPTORS, LEASE_UNTIL, PARK_REASONS, NAME = 7, 10, 12, 13, 14
LIVE, PARKED, FAILING, FENCED = range(4)
HELPER, ASKED, LEASE, LIMIT = 1, 2, 4, 8
READ_ONLY, FORCE, KNOWN = 1, 2, 4
PAYLOAD_BIND = 0xCDC0
PAYLOAD_COMPLETE = 1 << 30 | 16 << 16 | 0xCDC3
PAYLOAD_LEASE = 3 << 30 | 24 << 16 | 0xCDC4
OP_READ, OP_WRITE, OP_DISCARD, OP_WRITE_ZEROES = range(4)
# Longer than anything takes that is not meant to wait, shorter than a deadline far off.
SOON, FAR = 10, 300
# How long what must not happen is watched for.
WHILE = 0.4

Request = namedtuple("Request", "sector sectors tag op flags")
Drive = namedtuple("Drive", "state reasons in_flight until")
NUMBER = 0


# --- TAP --------------------------------------------------------------------------

def ok(good, name, *why):
    """One test; WHY is shown when it failed."""
    global NUMBER  # pylint: disable=global-statement
    NUMBER += 1
    print(f"{'' if good else 'not '}ok {NUMBER} - {name}", flush=True)
    if not good:
        print("#", *why, flush=True)


def equal(got, expected, name):
    ok(got == expected, name, f"got {got!r}, expected {expected!r}")


def err(got, expected, name):
    """Errors by their names; 0 is none."""
    equal(errno.errorcode.get(got, got), errno.errorcode.get(expected, expected), name)


def until(condition, seconds=SOON):
    """Whether the condition comes true in time."""
    # By looks, not by the clock: a machine that stood still has not had the time.
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def boottime(seconds=0.0):
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(seconds * 1e9)


# --- the helper -------------------------------------------------------------------

def u32(kind, value):
    return attribute(kind, struct.pack("I", value))


def u64(kind, value):
    return attribute(kind, struct.pack("Q", value))


class Helper:
    """A socket of the family, and the drive whose helper it is."""

    def __init__(self, index=None):
        self.family = Family()
        self.family.on_message = self.message
        self.index = index
        self.waiting = []
        self.ready = False
        self.told = None  # of the drive, as answer to a deadline
        self.payload = os.open("/dev/cdrive-payload", os.O_RDWR | os.O_CLOEXEC)
        self.bind()

    def bind(self):
        fcntl.ioctl(self.payload, PAYLOAD_BIND, self.family.sock.fileno())

    def message(self, name, attributes):
        if name == "REQUEST":
            came = struct.iter_unpack("QIIII", attributes[DESCRIPTORS])
            self.waiting += [Request(*d) for d in came]
        elif name == "READY":
            self.ready = True

    def tell(self, name, attributes=b""):
        """The error of a command that is about the drive."""
        return self.family.exchange(name, u32(INDEX, self.index) + attributes)[0]

    def ask(self, request, told):
        """The error of an ioctl() of the payload device; what it gives back is in told."""
        try:
            fcntl.ioctl(self.payload, request, told)
        except OSError as e:
            return e.errno
        return 0

    def lease_until(self, end, pad=0):
        told = bytearray(struct.pack("IIQII", self.index, 99, end, 99, pad))
        error = self.ask(PAYLOAD_LEASE, told)
        _, state, _, reasons, _ = struct.unpack("IIQII", told)
        self.told = (state, reasons)
        return error

    def lease(self, seconds):
        """A new deadline; what the drive is with it is told then."""
        return self.lease_until(boottime(seconds))

    def status(self):
        error, a = self.family.exchange("GET", u32(INDEX, self.index))
        if error:
            return error
        (state,), (reasons,), (flying,) = (
            struct.unpack("I", a[kind]) for kind in (STATE, PARK_REASONS, IN_FLIGHT))
        end = struct.unpack("Q", a[LEASE_UNTIL])[0] if LEASE_UNTIL in a else None
        return Drive(state, reasons, flying, end)

    def is_now(self, state, reasons=0):
        return self.status()[:2] == (state, reasons)

    def attach(self, seconds=None, limit=None, name=None, sectors=1 << 21, read_only=False,
               kept=b""):
        """Makes the drive, and serves until its disk is there."""
        attributes = u64(SECTORS, sectors) + kept
        if read_only:
            attributes += u32(FLAGS, READ_ONLY)
        if name:
            attributes += attribute(NAME, name.encode() + b"\0")
        if seconds is not None:
            attributes += u64(LEASE_UNTIL, boottime(seconds))
        if limit is not None:
            attributes += u32(PARK_LIMIT, limit)
        error, answer = self.family.exchange("ATTACH", attributes)
        if error:
            sys.exit(f"Bail out! no drive: {os.strerror(error)}")
        (self.index,) = struct.unpack("I", answer[INDEX])
        self.wait_for_disk()
        return self

    def wait_for_disk(self):
        """Serves until it is there: it is looked for partitions."""
        for _ in range(SOON * 10):
            if self.ready:
                break
            for request in self.requests(0.1):
                self.carry_out(request)
        if not self.ready:
            sys.exit("Bail out! the disk did not appear")

    def requests(self, seconds, count=None):
        """What comes in that time, or until so many have come."""
        looks = int(seconds / 0.02)
        while looks and (count is None or len(self.waiting) < count):
            if select.select([self.family.sock], [], [], 0.02)[0]:
                self.family.receive()
            else:
                looks -= 1
        came, self.waiting = self.waiting, []
        return came

    def one(self):
        """The one request that must come now."""
        came = self.requests(SOON, 1)
        if len(came) != 1:
            sys.exit(f"Bail out! one request expected, not {came}")
        return came[0]

    def copy(self, request):
        """Moves its data; an errno."""
        offset = self.index << 54 | request.tag << 22
        try:
            if request.op == OP_WRITE:
                os.pread(self.payload, request.sectors * 512, offset)
            else:
                os.pwrite(self.payload, bytes(request.sectors * 512), offset)
        except OSError as e:
            return e.errno
        return 0

    def complete(self, *requests, status=0, fill=True):
        """Reads that go well get zeroes, as a read without its data does not."""
        if not status and fill:
            for r in requests:
                if r.op == OP_READ:
                    self.copy(r)
        return self.complete_tags(*((r.tag, status) for r in requests))

    def complete_tags(self, *tags, count=None):
        """Pairs of tags and statuses."""
        done = array.array("B", b"".join(struct.pack("Ii", *t) for t in tags))
        return self.ask(PAYLOAD_COMPLETE, bytearray(struct.pack(
            "IIQ", self.index, len(tags) if count is None else count, done.buffer_info()[0])))

    def carry_out(self, *requests):
        errors = [self.copy(r) for r in requests if r.op <= OP_WRITE]
        return errors, self.complete(*requests, fill=False)

    def detach(self, force=False):
        return self.tell("DETACH", u32(FLAGS, FORCE) if force else b"")

    def detach_unused(self):
        """Once nobody has it open: who has looked for partitions closes it a moment later."""
        end = time.monotonic() + SOON
        while (error := self.detach()) == errno.EBUSY and time.monotonic() < end:
            time.sleep(0.02)
        return error

    def close(self):
        """As a helper that dies does."""
        os.close(self.payload)
        self.family.sock.close()

    def sysfs_path(self, name):
        return f"/sys/block/cdrive{self.index}/cdrive/{name}"

    def sysfs(self, name):
        with open(self.sysfs_path(name), encoding="utf-8") as file:
            return file.read().rstrip("\n")

    # The application.

    def dd(self, block, write=False):
        """A read or write of one block, started; and one that waits in the driver."""
        device = f"/dev/cdrive{self.index}"
        words = ["of=" + device, "if=/dev/zero", f"seek={block}", "oflag=direct"]
        if not write:
            words = ["if=" + device, "of=/dev/null", f"skip={block}", "iflag=direct"]
        before = int(self.sysfs("in_flight"))
        process = subprocess.Popen(["dd", "bs=4k", "count=1", "status=none", *words],
                                   stderr=subprocess.DEVNULL)
        if not until(lambda: int(self.sysfs("in_flight")) > before):
            sys.exit("Bail out! dd has not begun")
        return process


def waits(*processes):
    time.sleep(WHILE)
    return all(p.poll() is None for p in processes)


def ends(process):
    """Its status, or "waits"."""
    return process.wait() if until(lambda: process.poll() is not None) else "waits"


@contextlib.contextmanager
def drive(*args, **kwargs):
    """A drive, which is gone afterwards whatever became of it."""
    helper = Helper().attach(*args, **kwargs)
    try:
        yield helper
    finally:
        Helper(helper.index).detach(force=True)
        with contextlib.suppress(OSError):
            helper.close()


class Watcher:
    """What is told to everybody: uevents, and the multicast group."""

    def __init__(self):
        self.uevents = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)
        self.uevents.bind((0, 1))
        self.family = Family()
        self.family.join("state")
        self.family.on_message = self.message
        self.states = []

    def message(self, name, attributes):
        self.states.append(struct.unpack("I", attributes[STATE])[0])

    def told(self, state, word):
        """Both have told this state since they were last asked."""
        words = []

        def both():
            while select.select([self.uevents], [], [], 0)[0]:
                words.append(self.uevents.recv(8192))
            while select.select([self.family.sock], [], [], 0)[0]:
                self.family.receive()
            event = f"CDRIVE_STATE={word}\0".encode()
            return state in self.states and any(event in w for w in words)

        found = until(both)
        self.states = []
        return found


def plan():
    """As many as were run."""
    print(f"1..{NUMBER}")


def run(parts):
    """All of a test: its parts, each a function, with the time that each takes."""
    for part in parts:
        begun = time.monotonic()
        part()
        print(f"# {part.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
    plan()
