#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What programs ask of a block device: ioctls, fallocate, partitions; read-only drives;
asynchronous I/O that is cancelled, and processes that end, with requests held; limits
of control groups; freezing of processes and of the machine.

Prints TAP. Needs the module, capabilities, and manners_aio and manners_uring in $VM_OUT.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import struct
import subprocess
import time

from model import SECTOR, SIZE, serving
from puppet import FAR, ends, equal, err, ok, run, until, waits

MIB = 1 << 20
# linux/fs.h
BLKROSET, BLKROGET, BLKRRPART, BLKGETSIZE, BLKFLSBUF = 0x125D, 0x125E, 0x125F, 0x1260, 0x1261
BLKSSZGET, BLKDISCARD, BLKSECDISCARD, BLKZEROOUT = 0x1268, 0x1277, 0x127D, 0x127F
BLKGETSIZE64, BLKPBSZGET, BLKROTATIONAL = 0x80081272, 0x127B, 0x127E
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE, FALLOC_ZERO = 1, 2, 8, 16

LIBC = ctypes.CDLL(None, use_errno=True)
ASYNC = os.environ["VM_OUT"]


def errno_of(call, *args):
    """What a call fails with, or 0."""
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def ioctl(fd, request, *numbers):
    return errno_of(fcntl.ioctl, fd, request, struct.pack("Q" * len(numbers), *numbers))


def fallocate(fd, mode, offset, length):
    if LIBC.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)):
        return ctypes.get_errno()
    return 0


def shell(text, *words, **kwargs):
    return subprocess.Popen(["sh", "-c", text, *words], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, **kwargs)


def fill(m):
    """Nothing that repeats."""
    m.content[:] = os.urandom(SIZE)


# --- ioctls -----------------------------------------------------------------------

def sizes():
    with serving(FAR) as m:
        fd = os.open(m.device(), os.O_RDONLY)

        def told(request):
            return struct.unpack("Q", fcntl.ioctl(fd, request, bytes(8)))[0]
        equal([told(r) for r in (BLKGETSIZE64, BLKGETSIZE, BLKSSZGET, BLKPBSZGET)],
              [SIZE, SIZE // SECTOR, SECTOR, 4096], "the sizes that ioctls tell")
        equal(told(BLKROTATIONAL) & 0xFFFF, 0, "it does not rotate")
        equal(os.lseek(fd, 0, os.SEEK_END), SIZE, "its end")
        # There is no resizing, by whatever name.
        equal(errno_of(os.ftruncate, fd, SIZE * 2) != 0 and os.lseek(fd, 0, os.SEEK_END), SIZE,
              "which nobody moves")
        ok(not os.access(m.sysfs_path("../size"), os.W_OK) or
           m.set_sys("size", "1") != 0, "size is not to be written")
        err(m.tell(13), errno.EOPNOTSUPP, "the family has no command to resize")
        equal(m.sys("size"), str(SIZE // SECTOR), "the size is what it was")
        os.close(fd)


def emptied():
    """Every way to discard and to write zeroes, past the page cache and under it."""
    with serving(FAR) as m:
        fill(m)
        fd = os.open(m.device(), os.O_RDWR)
        model = bytearray(m.content)

        def same():
            return os.pread(fd, SIZE, 0) == model == m.content
        ok(same(), "it is read")
        for name, call, start, length in (
                ("BLKDISCARD", lambda a, n: ioctl(fd, BLKDISCARD, a, n), 0, 4096),
                ("BLKDISCARD of a sector", lambda a, n: ioctl(fd, BLKDISCARD, a, n), 5632, 512),
                ("BLKZEROOUT", lambda a, n: ioctl(fd, BLKZEROOUT, a, n), MIB, 3 * MIB),
                ("BLKZEROOUT of a sector", lambda a, n: ioctl(fd, BLKZEROOUT, a, n), 9728, 512),
                ("fallocate to punch a hole", lambda a, n: fallocate(
                    fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, a, n), 5 * MIB + 4096, 8192),
                ("fallocate to zero", lambda a, n: fallocate(
                    fd, FALLOC_ZERO, a, n), 6 * MIB, MIB),
                ("fallocate to zero, keeping the size", lambda a, n: fallocate(
                    fd, FALLOC_ZERO | FALLOC_KEEP_SIZE, a, n), 7 * MIB + 512, 1024)):
            err(call(start, length), 0, name)
            model[start:start + length] = bytes(length)
            ok(same(), f"{name}: zeroes there, nowhere else, and none in the page cache")
        before = len(m.done)
        for name, request in (("BLKDISCARD", BLKDISCARD), ("BLKZEROOUT", BLKZEROOUT)):
            equal([ioctl(fd, request, *r) for r in ((100, 512), (0, 100), (SIZE, 512),
                                                    (SIZE - 512, 1024), (1 << 63, 512),
                                                    (512, (1 << 64) - 512))],
                  [errno.EINVAL] * 6, f"{name} of what isn't there, or not whole sectors")
        ok(ioctl(fd, BLKSECDISCARD, 0, 4096) == errno.EOPNOTSUPP, "BLKSECDISCARD is not supported")
        equal([fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 100, 512),
               fallocate(fd, FALLOC_ZERO, SIZE, 4096)], [errno.EINVAL] * 2,
              "fallocate of parts of sectors, and beyond the end")
        equal([fallocate(fd, mode, 0, 4096) for mode in (0, FALLOC_COLLAPSE)],
              [errno.EOPNOTSUPP] * 2, "fallocate of what a device can't do")
        equal(m.done[before:], [], "and the helper is not asked")
        ok(same(), "nothing of that changed anything")
        os.close(fd)


def flushed():
    """BLKFLSBUF writes what is dirty, and drops what is cached."""
    with serving(FAR) as m:
        fd = os.open(m.device(), os.O_RDWR)
        os.pwrite(fd, b"dirty" * 1000, 8192)
        err(ioctl(fd, BLKFLSBUF), 0, "BLKFLSBUF")
        equal(bytes(m.content[8192:13192]), b"dirty" * 1000, "what was dirty is written")
        m.content[8192:12288] = b"other" * 819 + b"!"
        equal(os.pread(fd, 5, 8192), b"other", "what was cached is read again")
        m.hold()
        os.pwrite(fd, bytes(4096), 65536)  # whole: nothing is to be read
        flush = shell('exec blockdev --flushbufs "$0"', m.device())
        ok(until(lambda: m.held) and waits(flush), "it waits for what is written")
        m.release()
        equal(ends(flush), 0, "and ends")
        os.close(fd)


# --- partitions -------------------------------------------------------------------

def table(*partitions):
    """A partition table of the old kind; first sector and length of each."""
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"", 0x83, b"", *p) for p in partitions)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xAA"


def partitions():
    with serving(FAR) as m:
        fd = os.open(m.device(), os.O_RDONLY)

        def nodes():
            return [n for n in range(1, 5) if os.path.exists(f"{m.device()}p{n}")]
        equal(nodes(), [], "no partitions")
        fill(m)
        m.content[:SECTOR] = table((2049, 100), (4096, 8192))
        # The first page is cached, and may be: BLKRRPART drops it.
        err(ioctl(fd, BLKFLSBUF) or ioctl(fd, BLKRRPART), 0, "BLKRRPART")
        ok(until(lambda: nodes() == [1, 2]), "the partitions are there")
        part = os.open(m.device() + "p1", os.O_RDWR | os.O_DIRECT)
        page = mmap.mmap(-1, 4096)
        equal(os.preadv(part, [memoryview(page)[:512]], 512), 512, "one is read")
        equal(page[:512], m.content[2050 * SECTOR:2051 * SECTOR], "from where it is")
        err(errno_of(os.pwritev, part, [memoryview(page)[:512]], 100 * SECTOR), errno.ENOSPC,
            "it ends where it ends")
        ok(m.done[-1].sector == 2050, "and nothing beyond is asked for", m.done[-1])
        err(ioctl(fd, BLKRRPART), errno.EBUSY, "BLKRRPART while one is open")
        ok(os.path.exists(m.device() + "p1"), "which stays")
        os.close(part)
        m.content[:SECTOR] = bytes(SECTOR)
        ioctl(fd, BLKFLSBUF)
        err(ioctl(fd, BLKRRPART), 0, "BLKRRPART when the table is gone")
        ok(until(lambda: nodes() == []), "the partitions are, too")
        m.content[:SECTOR] = table((SIZE, 100), (1, 0xFFFFFFFF), (100, 0))
        ioctl(fd, BLKFLSBUF)
        ok(ioctl(fd, BLKRRPART) != errno.EBUSY, "a table of nonsense is read")
        m.content[:SECTOR] = bytes(SECTOR)
        ioctl(fd, BLKFLSBUF)
        m.hold()
        scan = shell('exec blockdev --rereadpt "$0"', m.device())
        ok(until(lambda: m.held), "the table is being read")
        err(m.detach(), errno.EBUSY, "the drive is in use meanwhile")
        m.release(-errno.EIO)
        ok(ends(scan) != "waits", "a table that can't be read is an end, too")
        equal(nodes(), [], "without partitions")
        os.close(fd)


# --- read-only --------------------------------------------------------------------

REFUSED = {errno.EBADF, errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP, errno.EINVAL}


def refusals(node, flags):
    """What each way to write comes to."""
    try:
        fd = os.open(node, flags)
    except OSError as e:
        return {"open": e.errno}
    page = mmap.mmap(-1, 4096)
    told = {name: ioctl(fd, request, 0, 4096) for name, request in (
        ("discard", BLKDISCARD), ("zero", BLKZEROOUT), ("erase", BLKSECDISCARD))}
    told["hole"] = fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, 4096)
    told["range"] = fallocate(fd, FALLOC_ZERO, 0, 4096)
    told["write"] = errno_of(os.pwritev, fd, [page], 0)
    told["mapping"] = errno_of(lambda: mmap.mmap(fd, 4096))
    os.close(fd)
    return told


def read_only():
    with serving(FAR, read_only=True) as m:
        device = m.device()
        m.content[:SECTOR] = table((2048, 8192))
        fd = os.open(device, os.O_RDONLY)
        ioctl(fd, BLKFLSBUF)
        err(ioctl(fd, BLKRRPART), 0, "a read-only drive may have partitions")
        ok(until(lambda: os.path.exists(device + "p1")), "with nodes")
        for node in (device, device + "p1"):
            name = os.path.basename(node)
            with open(f"/sys/class/block/{name}/ro", encoding="utf-8") as file:
                equal(file.read(), "1\n", f"{name}: ro")
            for turn in ("", ", after BLKROSET"):
                if turn:
                    subprocess.run(["blockdev", "--setrw", node], check=False,
                                   stderr=subprocess.DEVNULL)
                for flags in (os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_DIRECT):
                    told = refusals(node, flags)
                    ok(set(told.values()) <= REFUSED, f"{name}, flags {flags:#o}{turn}: nothing "
                       "that writes is done", told)
        ok(shell('mkswap "$0" || swapon "$0"', device).wait(), "it is no swap space")
        ok(shell('mkfs.ext4 -F -q "$0"', device).wait(), "no file system is made on it")
        equal([r for r in m.done if r.op], [], "the helper was asked for reads alone")
        os.close(fd)


# --- asynchronous I/O --------------------------------------------------------------

def program(*words):
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               encoding="utf-8")
    return process, process.stdout.readline().split()


def cancelled():
    """What is with the helper can't be cancelled, and isn't lost."""
    with serving(FAR) as m:
        for name in ("manners_aio", "manners_uring"):
            m.hold()
            process, first = program(f"{ASYNC}/{name}", "cancel", m.device())
            if first[0] == "unsupported":
                print(f"# {name}: {first[1]}")
                process.wait()
                m.release()
                continue
            ok(m.has(4), f"{name}: four reads are held", len(m.held), first)
            ok(waits(process), f"{name}: it waits for them")
            m.release()
            said = process.communicate()[0].split()
            equal(said.count("4096"), 4, f"{name}: they are carried out")
            words = set(said[1::2]) - {"4096"}
            ok(words <= {"EINVAL", "EAGAIN", "EALREADY", "ENOENT", "EINPROGRESS"},
               f"{name}: which is what cancelling says", words)


def killed():
    """A process that ends, or is killed, with requests held: it's gone when they are."""
    with serving(FAR) as m:
        for name, how in (("manners_aio", "exit"), ("manners_aio", "wait"),
                          ("manners_uring", "wait")):
            m.hold()
            process, first = program(f"{ASYNC}/{name}", how, m.device())
            if first[0] == "unsupported":
                process.wait()
                m.release()
                continue
            ok(m.has(4), f"{name} {how}: four reads are held")
            if how == "wait":
                process.send_signal(signal.SIGKILL)
            time.sleep(0.2)
            equal(m.status().in_flight, 4, f"{name} {how}: its requests survive it")
            m.release()
            ok(ends(process) in (0, -signal.SIGKILL), f"{name} {how}: it ends")
            ok(until(lambda: m.status().in_flight == 0), f"{name} {how}: so do they")
        m.hold()
        writer = m.dd(4, write=True)
        ok(m.has(1), "a write is held")
        writer.kill()
        ok(waits(writer), "its process can't be killed")
        m.release()
        equal(ends(writer), -signal.SIGKILL, "until it is carried out")
        ok(until(lambda: m.detach() == 0), "nobody keeps the drive in use")


def polled():
    """A drive has nothing to poll: refused, or done all the same."""
    with serving(FAR) as m:
        process, first = program(f"{ASYNC}/manners_uring", "polled", m.device())
        if first[0] == "unsupported":
            print(f"# manners_uring: {first[1]}")
            process.wait()
            return
        said = process.communicate()[0].split()
        ok(said[1::2] in (["4096"] * 4, ["EOPNOTSUPP"] * 4), "polled reads", said)


# --- limits and freezing ------------------------------------------------------------

GROUP = "/sys/fs/cgroup/manners"


def set_file(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(value)


def in_group(text, *words):
    """A shell's command in the group; its status and seconds."""
    begun = time.monotonic()
    process = shell(f'echo $$ >{GROUP}/cgroup.procs; {text}', *words)
    return process.wait(), time.monotonic() - begun


def limited():
    """io.max, by what it lets through in a time."""
    with serving(FAR) as m:
        try:
            set_file("/sys/fs/cgroup/cgroup.subtree_control", "+io")
            os.mkdir(GROUP)
            set_file(f"{GROUP}/io.max", f"{m.sys('dev')} wbps=max")
        except OSError as e:
            print(f"# this kernel has no io.max: {e}")
            return
        write = 'dd if=/dev/zero of="$0" bs=64k count=48 oflag=direct'
        read = 'dd if="$0" of=/dev/null bs=4k count=20 iflag=direct'
        status, free = in_group(write, m.device())
        equal(status, 0, "3 MiB are written without a limit")
        set_file(f"{GROUP}/io.max", f"{m.sys('dev')} wbps={MIB} riops=10")
        status, took = in_group(write, m.device())
        equal(status, 0, "3 MiB are written with one of 1 MiB/s")
        ok(took > 2.5, "take three seconds", took)
        print(f"# which took {took:.1f} s, and {free:.1f} s without")
        status, took = in_group(read, m.device())
        equal(status, 0, "20 reads with a limit of 10 a second")
        ok(took > 1.5, "take two seconds", took)
        print(f"# which took {took:.1f} s")
        with open(f"{GROUP}/io.stat", encoding="utf-8") as file:
            line = [line for line in file if line.startswith(m.sys("dev") + " ")]
        words = dict(word.split("=") for word in line[0].split()[1:]) if line else {}
        equal([words.get(k) for k in ("rbytes", "wbytes", "rios")],
              [str(20 * 4096), str(6 * MIB), "20"], "io.stat has counted it")
        err(m.detach_unused(), 0, "a drive with a limit goes like any other")
    os.rmdir(GROUP)


def frozen():
    """A process is frozen with a request of its held, and thawed."""
    with serving(FAR) as m:
        os.mkdir(GROUP)
        m.hold()
        reader = shell(f'echo $$ >{GROUP}/cgroup.procs; exec dd if="$0" of=/dev/null bs=4k '
                       'count=1 iflag=direct', m.device())
        ok(m.has(1), "a read is held")
        set_file(f"{GROUP}/cgroup.freeze", "1")
        m.release()
        ok(until(lambda: m.status().in_flight == 0) and waits(reader),
           "its process is frozen, and it is carried out")
        set_file(f"{GROUP}/cgroup.freeze", "0")
        equal(ends(reader), 0, "it is thawed, and ends")
    os.rmdir(GROUP)


run((sizes, emptied, flushed, partitions, read_only, cancelled, killed, polled, limited, frozen))
