#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A puppet with a disk in memory, which serves its drive until it is told to hold.

The disk is the model: what it holds is what must be read, and what it was asked for is
what the block layer must have counted.
"""

import contextlib
import os
import select
import threading

from puppet import OP_READ, OP_WRITE, SOON, Helper, until

SECTOR = 512
SIZE = 16 << 20
OPS = ("read", "write", "discard", "write_zeroes")


class Model(Helper):
    """A helper whose requests a thread carries out, on a disk in memory."""

    def __init__(self, index=None, content=None):
        super().__init__(index)
        self.content = content if content is not None else bytearray(SIZE)
        self.done = []
        self.held = []
        self.holding = False
        self.thread = None
        self.stopping = False
        # Of the socket, and all that is kept here.
        self.lock = threading.RLock()

    def copy(self, request):
        start = request.sector * SECTOR
        part = memoryview(self.content)[start:start + request.sectors * SECTOR]
        offset = self.index << 54 | request.tag << 22
        try:
            if request.op == OP_READ:
                os.pwritev(self.payload, [part], offset)
            elif request.op == OP_WRITE:
                os.preadv(self.payload, [part], offset)
            else:
                part[:] = bytes(len(part))
        except OSError as e:
            return e.errno
        return 0

    def carry_out(self, *requests):
        self.done += requests
        return [self.copy(r) for r in requests], self.complete(*requests)

    def tell(self, name, attributes=b""):
        with self.lock:
            return super().tell(name, attributes)

    def status(self):
        with self.lock:
            return super().status()

    def attach(self, *args, sectors=SIZE // SECTOR, **kwargs):
        super().attach(*args, sectors=sectors, **kwargs)
        return self.serve()

    def serve(self):
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.stopping:
            select.select([self.family.sock], [], [], 0.02)
            with self.lock:
                while select.select([self.family.sock], [], [], 0)[0]:
                    self.family.receive()
                self.held += self.waiting
                self.waiting = []
                if self.held and not self.holding:
                    self.carry_out(*self.held)
                    self.held = []

    def stop(self):
        """From here on nobody serves: the socket is the caller's."""
        self.stopping = True
        if self.thread:
            self.thread.join(SOON)
            self.thread = None

    def close(self):
        self.stop()
        super().close()

    # What a test says.

    def hold(self):
        """What comes from now on waits here."""
        with self.lock:
            self.holding = True

    def has(self, count):
        """So many requests are held, soon."""
        return until(lambda: len(self.held) == count)

    def release(self, status=0):
        """Carries out what is held, or fails it; and all that comes."""
        with self.lock:
            self.holding = False
            if status and self.held:
                self.done += self.held
                self.complete(*self.held, status=status)
                self.held = []

    def asked(self):
        """How many requests of each kind were carried out, and their sectors."""
        with self.lock:
            return {name: (len(of), sum(r.sectors for r in of))
                    for op, name in enumerate(OPS)
                    for of in [[r for r in self.done if r.op == op]]}

    def device(self):
        return f"/dev/cdrive{self.index}"

    def sys(self, name):
        """A file of the disk in sysfs."""
        with open(f"/sys/block/cdrive{self.index}/{name}", encoding="utf-8") as file:
            return file.read().rstrip("\n")

    def set_sys(self, name, value):
        """Its errno."""
        try:
            with open(f"/sys/block/cdrive{self.index}/{name}", "w", encoding="utf-8") as file:
                file.write(value)
        except OSError as e:
            return e.errno
        return 0


@contextlib.contextmanager
def serving(*args, **kwargs):
    """A drive that is served, and gone afterwards whatever became of it."""
    model = Model().attach(*args, **kwargs)
    try:
        yield model
    finally:
        model.stop()
        Helper(model.index).detach(force=True)
        with contextlib.suppress(OSError):
            model.close()
