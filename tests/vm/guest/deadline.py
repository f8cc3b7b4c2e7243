#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The driver's deadline, by a helper that does as it is told: this program.

Prints TAP. Needs the module, and capabilities.
usage: deadline.py [suspend]	with suspend: that part alone, which needs a machine
				that can be suspended and wakes by its clock
"""

import contextlib
import errno
import mmap
import os
import socket
import struct
import sys
import time

from netlink import COMMANDS, NUMBERS, Family, attribute
from puppet import (ASKED, FAILING, FAR, FENCED, FLAGS, FORCE, HELPER, INDEX,
                    KNOWN, LEASE, LEASE_UNTIL, LIMIT, LIVE, PARKED, SECTORS, SOON, WHILE, Drive,
                    Helper, Watcher, boottime, drive, ends, equal, err, ok, run, u32, u64,
                    until, waits)

BLOCK = 4096


# --- what is to be shown ----------------------------------------------------------

def without_deadline():
    with drive() as h:
        equal(h.status(), Drive(LIVE, 0, 0, None), "no deadline told: live, and none")
        equal(h.sysfs("lease_left_ms"), "none", "sysfs says so")
        equal(h.sysfs("park_reasons"), "", "and no park reasons")
        reader = h.dd(1)
        equal(h.carry_out(h.one()), ([0], 0), "a request is carried out")
        equal(ends(reader), 0, "and ends")


def passing():
    """Before the deadline, past it, and with another."""
    with drive(FAR) as h:
        watcher = Watcher()
        left = int(h.sysfs("lease_left_ms"))
        ok(0 < left <= FAR * 1000, "attached with a deadline: lease_left_ms", left)
        equal(h.status()[:2], (LIVE, 0), "live before it")
        writer = h.dd(1, write=True)
        equal(h.carry_out(h.one()), ([0], 0), "a write is carried out")
        equal(ends(writer), 0, "and ends")

        reader, writer = h.dd(2), h.dd(3, write=True)
        begun = h.requests(SOON, 2)
        equal(len(begun), 2, "two requests are with the helper")
        equal(h.lease(1), 0, "the deadline can be drawn nearer")
        ok(watcher.told(PARKED, "parked"), "when it has passed, uevent and multicast say parked")
        equal(h.status()[:3], (PARKED, LEASE, 2), "get says for the lease")
        equal(h.sysfs("state") + " " + h.sysfs("park_reasons"), "parked lease", "sysfs, too")
        ok(int(h.sysfs("lease_left_ms")) < 0, "lease_left_ms is less than 0")
        equal(h.carry_out(*begun), ([0, 0], 0), "completions are accepted")
        ok(waits(reader, writer), "and end nothing")
        equal(h.complete(begun[0]), errno.ESTALE, "their tags are not in flight")
        equal(h.copy(begun[1]), errno.ESTALE, "nor of use for payload")
        more = [h.dd(block, write=block % 2) for block in (30, 21, 12)]
        equal(h.requests(WHILE), [], "new requests are not forwarded")
        ok(waits(reader, writer, *more), "and wait")
        equal(h.status().in_flight, 5, "the driver has them all")
        err(h.tell("RESUME"), 0, "RESUME is accepted")
        equal(h.status()[:2], (PARKED, LEASE), "and changes nothing")

        err(h.lease(FAR), 0, "a deadline in the future is told")
        equal(h.status()[:3], (LIVE, 0, 3), "live, and what was kept is done")
        ok(watcher.told(LIVE, "live"), "uevent and multicast say so")
        equal([ends(reader), ends(writer)], [0, 0], "completions that were kept take effect")
        came = h.requests(SOON, 3)
        equal([r.sector // 8 for r in came], [30, 21, 12], "what waited comes, in order")
        ok(waits(*more), "and ends no sooner than it is completed")
        equal(h.carry_out(*came), ([0, 0, 0], 0), "it is completed")
        equal([ends(p) for p in more], [0, 0, 0], "and ends")


def past():
    """Told when it has passed already, with what a completion says."""
    with drive(FAR) as h:
        reader, writer = h.dd(1), h.dd(2, write=True)
        begun = h.requests(SOON, 2)
        err(h.lease(-1), 0, "a deadline in the past is accepted")
        equal(h.status()[:2], (PARKED, LEASE), "and parks at once")
        err(h.complete(begun[0], status=-errno.EIO), 0, "a failure is accepted")
        err(h.complete(begun[1]), 0, "a success, too")
        ok(waits(reader, writer), "both are kept")
        err(h.lease(-1), 0, "another that has passed")
        ok(waits(reader, writer), "keeps them")
        equal(h.told, (PARKED, LEASE), "and is told so")
        err(h.lease_until(1 << 63), errno.EINVAL, "64 bits are too many")
        err(h.lease_until(boottime(FAR), pad=1), errno.EINVAL, "as is what has no meaning")
        err(h.lease(FAR), 0, "one in the future")
        equal([ends(reader), ends(writer)], [1, 0], "ends each as was said of it")
        equal(h.told, (LIVE, 0), "and the drive is told to be live")
        err(h.lease_until((1 << 63) - 1), 0, "the last that there is")
        equal(h.status()[:2], (LIVE, 0), "is in the future")


def reasons():
    """Several at once."""
    with drive(FAR) as h:
        writer = h.dd(1, write=True)
        request = h.one()
        err(h.tell("PARK"), 0, "PARK")
        equal(h.status()[:2], (PARKED, ASKED), "parked as it was asked for")
        err(h.lease(-1), 0, "the lease is over, too")
        equal(h.sysfs("park_reasons"), "asked lease", "both are reasons")
        err(h.complete(request), 0, "a completion")
        ok(waits(writer), "is kept")
        reader = h.dd(2)
        err(h.lease(FAR), 0, "a deadline in the future is told")
        equal(ends(writer), 0, "what was kept ends")
        equal(h.status()[:2], (PARKED, ASKED), "the other reason stays")
        equal(h.requests(WHILE), [], "so nothing is forwarded")
        err(h.tell("RESUME"), 0, "RESUME")
        equal(h.status()[:2], (LIVE, 0), "was the last")
        h.carry_out(h.one())
        equal(ends(reader), 0, "what waited is carried out")


def adoption():
    """Kept completions survive their helper."""
    with drive(FAR) as old:
        kept, sent = old.dd(1, write=True), old.dd(2, write=True)
        begun = old.requests(SOON, 2)
        old.lease(-1)
        old.complete(begun[0])
        unsent = old.dd(3)
        old.close()
        new = Helper(old.index)
        ok(until(lambda: new.is_now(PARKED, HELPER | LEASE)), "no helper, no lease", new.status())
        equal(new.sysfs("park_reasons"), "helper lease", "sysfs says both")
        err(new.lease(FAR), errno.EPERM, "a deadline is the helper's to tell")
        err(new.tell("ADOPT"), 0, "adopted without a deadline")
        equal(new.status()[:2], (PARKED, LEASE), "the old one has passed")
        equal(new.requests(WHILE), [], "nothing is sent again")
        ok(waits(kept, sent, unsent), "all wait")
        err(new.lease(FAR), 0, "a deadline in the future is told")
        equal(ends(kept), 0, "what the old helper had done ends")
        came = new.requests(SOON, 2)
        equal([r.sector // 8 for r in came], [2, 3], "the others come")
        new.carry_out(*came)
        equal([ends(sent), ends(unsent)], [0, 0], "and are carried out")

        kept = new.dd(4, write=True)
        request = new.one()
        new.lease(-1)
        new.complete(request)
        new.close()
        last = Helper(old.index)
        adopt = u64(LEASE_UNTIL, boottime(FAR))
        ok(until(lambda: last.tell("ADOPT", adopt) == 0), "adopted with a deadline")
        equal(last.status()[:2], (LIVE, 0), "live at once")
        equal(ends(kept), 0, "and what was kept ends")
        err(last.detach_unused(), 0, "DETACH by the helper itself")
        last.close()


def unheard():
    """Who can't be told that it has adopted a drive has not."""
    with drive(FAR) as old:
        old.close()
        deaf = Helper(old.index)
        ok(until(lambda: deaf.is_now(PARKED, HELPER)), "a helper dies")
        deaf.family.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

        def say(command):
            body = struct.pack("BBH", NUMBERS[command], 1, 0) + attribute(
                INDEX, struct.pack("I", old.index))
            deaf.family.sock.send(struct.pack("IHHII", len(body) + 16, deaf.family.id, 1, 0, 0)
                                  + body)
        for _ in range(100):
            say("GET")
        say("ADOPT")
        new = Helper(old.index)
        equal(new.status()[:2], (PARKED, HELPER), "one without room for the answer adopts it not")
        err(new.tell("ADOPT"), 0, "and keeps it from nobody")
        deaf.close()
        equal(new.status()[:2], (LIVE, 0), "nor takes it along")
        new.close()


def ends_badly():
    """Fenced, detached, parked too long: what was kept fails."""
    for how in ("FENCE", "DETACH --force", "DETACH --force by another"):
        with drive(FAR) as h:
            writer, reader = h.dd(1, write=True), h.dd(2)
            begun = h.requests(SOON, 2)
            h.lease(-1)
            h.complete(begun[0])
            if how == "FENCE":
                err(h.tell("FENCE"), 0, how)
                equal(h.status()[:3], (FENCED, 0, 0), "fenced, with nothing in flight")
                err(h.lease(FAR), 0, "LEASE is too late")
                equal(h.told, (FENCED, 0), "and says so")
                err(h.complete(begun[1]), errno.ESTALE, "COMPLETE, too")
            else:
                err((Helper(h.index) if "another" in how else h).detach(force=True), 0, how)
            equal([ends(writer), ends(reader)], [1, 1], f"{how}: kept or not, all fail")
            if how == "FENCE":
                equal((h.sysfs("failed"), h.sysfs("failed_writes")), ("2", "0"), "and is counted")


def park_limit():
    """Counts from the first reason, and fails what was kept."""
    # Who looks may be late: what counts from the second reason is so each time.
    for _ in range(3):
        with drive(FAR, limit=4) as h:
            writer = h.dd(1, write=True)
            request = h.one()
            begun = time.monotonic()
            h.tell("PARK")
            time.sleep(2)
            h.lease(-1)
            h.tell("RESUME")
            h.complete(request)
            equal(h.status()[:2], (PARKED, LEASE), "another reason than at first")
            ok(until(lambda: h.is_now(FAILING, LEASE | LIMIT)), "it fails in the end")
            took = time.monotonic() - begun
            equal(ends(writer), 1, "and what was kept does")
        if took < 5.5:
            break
    ok(3.5 < took < 5.5, "four seconds after the first", took)


def fails_at_once(h):
    with open(f"/dev/cdrive{h.index}", "rb", buffering=0) as disk:
        try:
            os.pread(disk.fileno(), 4096, 1 << 20)
            return 0
        except OSError as e:
            return e.errno


def goes_on():
    """Past the limit requests fail, until the helper says that it knows."""
    with drive(FAR, limit=1) as h:
        writer = h.dd(1, write=True)
        old = h.one()
        h.tell("PARK")
        waiting = h.dd(2)
        ok(until(lambda: h.is_now(FAILING, ASKED | LIMIT)), "past the limit it is failing")
        equal(h.sysfs("state"), "failing", "and says so")
        equal(h.sysfs("park_reasons"), "asked limit", "and why")
        equal([ends(writer), ends(waiting)], [1, 1], "what the helper had fails, what waited, too")
        equal(fails_at_once(h), errno.EIO, "and what comes")
        equal(h.status().in_flight, 0, "nothing is in flight")
        err(h.complete(old), errno.ESTALE, "the helper's tag is of no use any more")
        err(h.tell("RESUME"), 0, "RESUME by one who doesn't know of it")
        equal(h.status()[:2], (FAILING, LIMIT), "changes nothing of that")
        err(h.lease(FAR), 0, "nor does LEASE")
        equal(h.status()[:2], (FAILING, LIMIT), "but it is taken")
        equal(fails_at_once(h), errno.EIO, "requests fail as before")
        err(h.tell("RESUME", u32(FLAGS, FORCE)), errno.EINVAL, "RESUME with a flag of another command")
        err(h.tell("PARK", u32(FLAGS, KNOWN)), errno.EINVAL, "PARK with one of RESUME")
        err(Helper(h.index).tell("RESUME", u32(FLAGS, KNOWN)), errno.EPERM, "RESUME by another")
        err(h.tell("RESUME", u32(FLAGS, KNOWN)), 0, "RESUME by one who knows")
        equal(h.status()[:2], (LIVE, 0), "it goes on")
        reader = h.dd(3)
        err(h.complete(h.one()), 0, "with requests")
        equal(ends(reader), 0, "that end well")

        h.lease(-1)
        ok(until(lambda: h.is_now(FAILING, LEASE | LIMIT)), "failing for the deadline")
        err(h.tell("RESUME", u32(FLAGS, KNOWN)), 0, "RESUME, while it has passed")
        equal(h.status()[:2], (PARKED, LEASE), "it waits")
        reader = h.dd(4)
        ok(until(lambda: h.is_now(FAILING, LEASE | LIMIT)), "but not for longer than the limit")
        equal(ends(reader), 1, "what waited fails")
        err(h.lease(FAR), 0, "a deadline in the future")
        equal(h.status()[:2], (FAILING, LIMIT), "is not enough")
        err(h.tell("RESUME", u32(FLAGS, KNOWN)), 0, "RESUME")
        equal(h.status()[:2], (LIVE, 0), "it goes on")

        h.close()
        new = Helper(h.index)
        ok(until(lambda: new.is_now(FAILING, HELPER | LIMIT)), "failing for want of a helper")
        err(new.tell("ADOPT"), 0, "it can be adopted")
        equal(new.status()[:2], (LIVE, 0), "and goes on by that")
        reader = new.dd(5)
        err(new.complete(new.one()), 0, "with requests")
        equal(ends(reader), 0, "that end well")
        new.tell("PARK")
        ok(until(lambda: new.is_now(FAILING, ASKED | LIMIT)), "failing once more")
        err(new.tell("FENCE"), 0, "FENCE")
        equal(new.status()[:2], (FENCED, 0), "is for good")
        err(new.tell("RESUME", u32(FLAGS, KNOWN)), errno.ENOLINK, "RESUME comes too late")


def without_limit():
    """For ever is longer than a limit."""
    with drive(FAR, limit=0) as h, drive(FAR, limit=1) as other:
        equal((h.sysfs("park_limit"), other.sysfs("park_limit")), ("none", "1"), "no limit")
        reader = h.dd(1)
        request = h.one()
        h.tell("PARK")
        other.tell("PARK")
        ok(until(lambda: other.is_now(FAILING, ASKED | LIMIT)), "another passes its own")
        ok(waits(reader), "requests wait")
        equal(h.status()[:2], (PARKED, ASKED), "parked")
        h.tell("RESUME")
        err(h.complete(request), 0, "COMPLETE")
        equal(ends(reader), 0, "which is done")


def unprivileged(work):
    """Has a process without capabilities do it; its answer as a word."""
    out, into = os.pipe()
    if not os.fork():
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            answer = work()
        except BaseException as e:  # pylint: disable=broad-except
            answer = repr(e)
        os.write(into, str(answer).encode())
        os._exit(0)
    os.close(into)
    os.wait()
    with os.fdopen(out) as file:
        return file.read()


def capabilities():
    """The helper's socket is what counts."""
    everything = [c for c in COMMANDS if c != "GET"]
    device = ("LEASE", "COMPLETE")
    everything += device

    def one_of(helper, command):
        if command in device:
            return helper.lease(0) if command == "LEASE" else helper.complete_tags((0, 0))
        return helper.tell(command, u64(SECTORS, 8) if command == "ATTACH" else b"")

    def all_of(helper, commands):
        return {c: one_of(helper, c) for c in commands}

    with drive(FAR) as h:
        writer = h.dd(1, write=True)
        request = h.one()
        stranger = Helper(h.index)
        denied = dict.fromkeys(everything, errno.EPERM)
        # Without capabilities, a socket that root opened, and one's own.
        equal(unprivileged(lambda: all_of(stranger, everything)), str(denied),
              "without capabilities, on another's socket: EPERM for all")

        def own():
            stranger.family = Family()
            stranger.bind()
            return all_of(stranger, everything)
        equal(unprivileged(own), str(denied), "on one's own: EPERM for all")
        helpers = [c for c in everything if c not in ("ATTACH", "ADOPT", "DETACH")]
        equal(all_of(stranger, helpers), dict.fromkeys(helpers, errno.EPERM),
              "with all capabilities, on another socket: EPERM for what is the helper's")
        equal(h.status()[:3], (LIVE, 0, 1), "the drive is as it was")

        equal(unprivileged(lambda: all_of(h, ["ATTACH", "ADOPT"])),
              str({"ATTACH": errno.EPERM, "ADOPT": errno.EPERM}),
              "without capabilities, on the helper's socket: no ATTACH, no ADOPT")
        equal(unprivileged(lambda: (h.tell("PARK"), h.lease(-1), h.tell("RESUME"),
                                    h.lease(FAR), h.copy(request), h.complete(request))),
              str((0,) * 6), "but PARK, LEASE, RESUME, payload and COMPLETE")
        equal(ends(writer), 0, "which ends the request")
        equal(h.status()[:2], (LIVE, 0), "the drive is live")
        equal(unprivileged(h.detach), "0", "and DETACH")
        ok(not os.path.exists(f"/dev/cdrive{h.index}"), "the drive is gone")

    with drive(FAR) as h:
        port = h.family.sock.getsockname()[0]
        heirs = os.open("/dev/cdrive-payload", os.O_RDWR | os.O_CLOEXEC)
        h.close()
        ok(until(lambda: Helper(h.index).is_now(PARKED, HELPER)), "a helper dies")

        def heir():
            h.family = Family(port)
            h.payload = os.dup(heirs)
            h.bind()
            return all_of(h, everything)
        equal(unprivileged(heir), str(denied), "who has its port id is not the helper")
        os.close(heirs)


def never_read():
    """Attached with a deadline that has passed: not even partitions are looked for."""
    h = Helper()
    error, answer = h.family.exchange(
        "ATTACH", u64(SECTORS, 1 << 21) + u64(LEASE_UNTIL, boottime(-1)))
    (h.index,) = struct.unpack("I", answer[INDEX])
    err(error, 0, "attached with a deadline that has passed")
    equal(h.status()[:2], (PARKED, LEASE), "parked from the start")
    equal((h.requests(WHILE), h.ready), ([], False), "nothing is read")
    err(h.lease(FAR), 0, "a deadline in the future is told")
    h.wait_for_disk()
    ok(os.path.exists(h.sysfs_path("state")), "and the disk appears")
    err(h.detach_unused(), 0, "DETACH by the helper itself")
    h.close()


@contextlib.contextmanager
def alone():
    """Nothing else runs on this machine, no work of the kernel's either; for less than
    a second, or it finds a way. Who is alone must not sleep."""
    with open("/proc/sys/kernel/sched_rt_runtime_us", "w", encoding="utf-8") as file:
        file.write("-1")
    cpus = os.sched_getaffinity(0)
    mine = min(cpus)
    hogs = []
    for cpu in cpus - {mine}:
        hog = os.fork()
        if not hog:
            os.sched_setaffinity(0, {cpu})
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
            end = time.monotonic() + 2
            while time.monotonic() < end:
                pass
            os._exit(0)
        hogs.append(hog)
    os.sched_setaffinity(0, {mine})
    until(lambda: all(os.sched_getscheduler(hog) == os.SCHED_FIFO for hog in hogs))
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cpus)
        for hog in hogs:
            os.kill(hog, 9)
            os.waitpid(hog, 0)


def spin(condition, seconds):
    """Like until(), but awake, and giving way to processes of the same kind only."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        os.sched_yield()
    return condition()


def read_directly(h, block):
    """As dd does, in a process that needs nothing from any file."""
    device = os.open(f"/dev/cdrive{h.index}", os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, BLOCK)
    reader = os.fork()
    if not reader:
        os.close(h.family.sock.detach())
        try:
            os.preadv(device, [page], block * BLOCK)
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(device)
    return reader


def by_the_clock(told_in_time=False):
    """The deadline has passed, and the work that parks the drive can't run yet; nor can
    it before another deadline is told, with TOLD_IN_TIME."""
    with drive(FAR) as h:
        for _ in range(5):
            first = h.dd(1)
            request = h.one()
            with alone():
                h.lease(0.05)
                spin(lambda: boottime() > h.status().until, 0.5)
                late = h.complete(request)
                second = read_directly(h, 2)
                spin(lambda: h.status().in_flight == 2, 0.2)
                came = h.requests(0)
                seen = h.status()
                held = first.poll() is None
                if told_in_time:
                    h.lease(FAR)
            equal((late, came, held), (0, [], True),
                  "by the clock alone, nothing is completed or forwarded")
            if not told_in_time:
                ok(until(lambda: h.is_now(PARKED, LEASE)), "then it is parked")
                h.lease(FAR)
            equal(ends(first), 0, "with another deadline, what was kept ends")
            h.carry_out(h.one())
            equal(os.waitpid(second, 0)[1], 0, "and what waited is carried out")
            if (seen.state, seen.in_flight) == (LIVE, 2):
                break
        equal((seen.state, seen.in_flight), (LIVE, 2), "both were there, and it was not parked yet")


def just_in_time():
    by_the_clock(told_in_time=True)


def suspend():
    """The deadline passes while the machine sleeps; nobody is awake to see it."""
    with drive(FAR) as h:
        # The page cache's own read: who waits for a request can't be frozen, and the
        # machine would not be suspended.
        device = os.open(f"/dev/cdrive{h.index}", os.O_RDONLY)
        os.posix_fadvise(device, BLOCK, BLOCK, os.POSIX_FADV_WILLNEED)
        request = h.one()
        err(h.lease(10), 0, "ten seconds are left")
        boot, awake = boottime(), time.monotonic_ns()
        with open("/sys/class/rtc/rtc0/wakealarm", "w", encoding="utf-8") as file:
            file.write("+16")
        with open("/sys/power/state", "w", encoding="utf-8") as file:
            file.write("mem")
        # Nothing may come before this: it is to be ahead of the driver's timer.
        error = h.complete(request)
        boot, awake = (boottime() - boot) / 1e9, (time.monotonic_ns() - awake) / 1e9
        ok(awake < 9.5 and boot > 10.5, "slept past the deadline, which would not have passed awake",
           f"awake {awake} s of {boot} s")
        err(error, 0, "a completion, first thing afterwards")
        ok(until(lambda: h.is_now(PARKED, LEASE)), "parked for the lease", h.status())
        equal(h.status().in_flight, 1, "what was completed has not ended")
        more = h.dd(3)
        equal(h.requests(WHILE), [], "nothing is forwarded")
        err(h.lease(FAR), 0, "a deadline in the future is told")
        equal(h.status()[:3], (LIVE, 0, 1), "what was kept has ended")
        h.carry_out(h.one())
        equal(ends(more), 0, "what waited is carried out")
        os.close(device)


def hibernate():
    """An image of the machine is written, and the machine goes on from what it says."""
    with drive(FAR) as h:
        device = os.open(f"/dev/cdrive{h.index}", os.O_RDONLY)
        os.posix_fadvise(device, BLOCK, BLOCK, os.POSIX_FADV_WILLNEED)
        request = h.one()
        for path, word in (("/sys/power/disk", "test_resume"), ("/sys/power/state", "disk")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(word)
        equal(h.status()[:3], (LIVE, 0, 1), "a drive comes back with its request in flight")
        more = h.dd(3, write=True)
        equal(h.carry_out(request, h.one()), ([0, 0], 0), "which is carried out, and another")
        equal(ends(more), 0, "it ends")
        err(h.lease(1), 0, "a deadline is told")
        ok(until(lambda: h.is_now(PARKED, LEASE)), "and kept", h.status())
        os.close(device)


PARTS = (without_deadline, passing, past, by_the_clock, just_in_time, never_read,
         reasons, adoption, unheard, ends_badly, park_limit, goes_on, without_limit, capabilities)

run([part for part in (suspend, hibernate) if part.__name__ in sys.argv[1:]] or PARTS)
