#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends each command of the family "cdrive" as whoever runs it.

Prints "NAME ERRNO" a line: the name of the command, and what the kernel said.
usage: netlink.py
"""

import errno
import socket
import struct

NETLINK_GENERIC = 16
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2

# uapi/linux/cdrive.h
INDEX, SECTORS, COMPLETIONS, LEASE_UNTIL = 1, 2, 11, 13
COMMANDS = ["ATTACH", "DETACH", "GET", "ADOPT", "PARK", "RESUME", "FENCE"]
COMPLETE, LEASE = 10, 12


def attribute(kind, data):
    """One netlink attribute, padded."""
    return struct.pack("HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def exchange(sock, family, command, attributes, flags=NLM_F_ACK):
    """Sends a command; returns its error and the first answer's attributes."""
    body = struct.pack("BBH", command, 1, 0) + attributes
    flags |= NLM_F_REQUEST
    sock.send(struct.pack("IHHII", len(body) + 16, family, flags, 1, 0) + body)
    answer = {}
    while True:
        message = sock.recv(65536)
        while message:
            length, kind = struct.unpack_from("IH", message)
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                return -struct.unpack_from("i", message, 16)[0], answer
            at = 20
            while at < length:
                size, name = struct.unpack_from("HH", message, at)
                answer.setdefault(name, message[at + 4 : at + size])
                at += (size + 3) & ~3
            message = message[(length + 3) & ~3 :]


def main():
    """Tries them all."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sock.bind((0, 0))
    sock.settimeout(10)
    name = attribute(CTRL_ATTR_FAMILY_NAME, b"cdrive\0")
    _, answer = exchange(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name)
    family = struct.unpack("H", answer[CTRL_ATTR_FAMILY_ID])[0]

    drive = attribute(INDEX, struct.pack("I", 0))
    trials = [(command, number, drive) for number, command in enumerate(COMMANDS, 1)]
    trials[0] = ("ATTACH", 1, attribute(SECTORS, struct.pack("Q", 2048)))
    trials.append(("COMPLETE", COMPLETE, drive + attribute(COMPLETIONS, bytes(8))))
    trials.append(("LEASE", LEASE, drive + attribute(LEASE_UNTIL, bytes(8))))
    for command, number, attributes in trials:
        error, _ = exchange(sock, family, number, attributes)
        print(command, errno.errorcode.get(error, error))
    error, _ = exchange(sock, family, 3, b"", NLM_F_DUMP)
    print("DUMP", errno.errorcode.get(error, error))


main()
