#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A slow line to a server on loopback.

usage: line.py PORT BITS

Prints the port at which it listens, and forwards what comes to PORT: BITS a second each
way, for all connections together, which take turns. What it has no rate for stays in the
sender's socket, as its own take little.
"""

import selectors
import socket
import sys
import time

TURN = 2048  # bytes of one connection at a time
ROOM = 16384  # of its own sockets
CREDIT = 0.5  # seconds' worth that a busy machine may make up for


class Way:
    """One direction of the line: sockets that can be read, in turn."""

    def __init__(self, rate):
        self.rate = rate
        self.due = time.monotonic()
        self.ready = []

    def run(self, peer, end):
        now = time.monotonic()
        if not self.ready:
            self.due = max(self.due, now)
        self.due = max(self.due, now - CREDIT)
        while self.ready and self.due <= now:
            sock = self.ready.pop(0)
            if sock not in peer:
                continue
            try:
                data = sock.recv(TURN)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data or not forward(peer[sock], data):
                end(sock)
                continue
            self.due += len(data) / self.rate
            self.ready.append(sock)


def forward(to, data):
    try:
        to.setblocking(True)
        to.settimeout(10)
        to.sendall(data)
        to.setblocking(False)
        return True
    except OSError:
        return False


def main():
    port, rate = int(sys.argv[1]), float(sys.argv[2]) / 8
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    poll = selectors.DefaultSelector()
    poll.register(listener, selectors.EVENT_READ)
    peer, way = {}, {}
    up, down = Way(rate), Way(rate)

    def end(sock):
        for s in (sock, peer.pop(sock)):
            if s in poll.get_map():
                poll.unregister(s)
            peer.pop(s, None)
            s.close()

    def connect():
        client, _ = listener.accept()
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        server.connect(("127.0.0.1", port))
        for a, b, w in ((client, server, up), (server, client, down)):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            a.setblocking(False)
            peer[a], way[a] = b, w
            poll.register(a, selectors.EVENT_READ)

    while True:
        waiting = [w.due for w in (up, down) if w.ready]
        timeout = max(0.001, min(waiting) - time.monotonic()) if waiting else None
        for key, _ in poll.select(timeout):
            if key.fileobj is listener:
                connect()
            elif key.fileobj in peer:
                # It has its turns from here on, until it has nothing more.
                poll.unregister(key.fileobj)
                way[key.fileobj].ready.append(key.fileobj)
        for w in (up, down):
            before = list(w.ready)
            w.run(peer, end)
            for sock in before:
                if sock in peer and sock not in w.ready:
                    poll.register(sock, selectors.EVENT_READ)


main()
