#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The netlink family "cdrive", in as much as tests need it.

As a program it sends each command as whoever runs it, and prints "NAME ERRNO" a
line: the name of the command, and what the kernel said.
usage: netlink.py
"""

import errno
import socket
import struct

NETLINK_GENERIC = 16
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_MCAST_GROUPS = 1, 2, 7
CTRL_ATTR_MCAST_GRP_NAME, CTRL_ATTR_MCAST_GRP_ID = 1, 2
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1

# uapi/linux/cdrive.h
INDEX, SECTORS = 1, 2
NUMBERS = {"ATTACH": 1, "DETACH": 2, "GET": 3, "ADOPT": 4, "PARK": 5, "RESUME": 6,
           "FENCE": 7, "READY": 8, "REQUEST": 9, "STATE": 10}
NAMES = {number: name for name, number in NUMBERS.items()}
# Those that are sent to the kernel.
COMMANDS = [name for name in NUMBERS if name not in ("READY", "REQUEST", "STATE")]


def attribute(kind, data):
    """One netlink attribute, padded."""
    return struct.pack("HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def attributes(data):
    """The attributes in there, by kind; of several the first."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        found.setdefault(kind & 0x3FFF, data[4:size])
        data = data[(size + 3) & ~3 :]
    return found


class Family:
    """A socket that speaks to the family."""

    def __init__(self, port=0):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.bind((port, 0))
        self.sock.settimeout(10)
        self.on_message = lambda name, attributes: None
        self.error = self.answer = None
        self.sequence = 0
        self.id = GENL_ID_CTRL
        name = attribute(CTRL_ATTR_FAMILY_NAME, b"cdrive\0")
        _, found = self.exchange(CTRL_CMD_GETFAMILY, name)
        (self.id,) = struct.unpack("H", found[CTRL_ATTR_FAMILY_ID])
        self.groups = {}
        for group in attributes(found[CTRL_ATTR_MCAST_GROUPS]).values():
            group = attributes(group)
            name = group[CTRL_ATTR_MCAST_GRP_NAME].rstrip(b"\0").decode()
            (self.groups[name],) = struct.unpack("I", group[CTRL_ATTR_MCAST_GRP_ID])

    def join(self, group):
        """Listens to a multicast group."""
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def receive(self):
        """Takes one message in: an answer, or something for on_message."""
        data = self.sock.recv(65536)
        while data:
            length, kind, _, sequence = struct.unpack_from("IHHI", data)
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                self.error = -struct.unpack_from("i", data, 16)[0]
            elif sequence == self.sequence:
                self.answer = self.answer or attributes(data[20:length])
            else:
                self.on_message(NAMES[data[16]], attributes(data[20:length]))
            data = data[(length + 3) & ~3 :]

    def exchange(self, command, content=b"", flags=NLM_F_ACK):
        """Sends a command; returns its error and the first answer's attributes."""
        body = struct.pack("BBH", NUMBERS.get(command, command), 1, 0) + content
        self.sequence += 1
        self.error, self.answer = None, {}
        header = struct.pack("IHHII", len(body) + 16, self.id, flags | NLM_F_REQUEST,
                             self.sequence, 0)
        self.sock.send(header + body)
        while self.error is None:
            self.receive()
        return self.error, self.answer


def main():
    """Tries them all."""
    family = Family()
    drive = attribute(INDEX, struct.pack("I", 0))
    content = dict.fromkeys(COMMANDS, drive)
    content["ATTACH"] = attribute(SECTORS, struct.pack("Q", 2048))
    for command in COMMANDS:
        error, _ = family.exchange(command, content[command])
        print(command, errno.errorcode.get(error, error))
    error, _ = family.exchange("GET", b"", NLM_F_DUMP)
    print("DUMP", errno.errorcode.get(error, error))


if __name__ == "__main__":
    main()
