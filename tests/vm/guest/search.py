#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks for a secret where it must not be.

usage: search.py memory KEYFILE PID     prints FORM ADDRESS FLAGS for each place
       search.py files KEYFILE FILE...  exits 0 when one holds it, and says which
       search.py syslog FILE            collects what is sent to /dev/log

KEYFILE holds the key in base64; it is looked for as that and as what it encodes.
"""
import base64
import os
import re
import socket
import sys


def forms(path):
    with open(path, "rb") as f:
        text = f.read().strip()
    return [("base64", text), ("raw", base64.b64decode(text))]


def mappings(pid):
    """(from, to, flags) of what can be read."""
    span = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        for line in f:
            start = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) .*?(\S*)$", line)
            if start:
                span = int(start[1], 16), int(start[2], 16), start[3], start[4]
            elif line.startswith("VmFlags:") and span and span[2].startswith("r"):
                if span[3] not in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                    yield span[0], span[1], line.split(":")[1].strip()


def memory(key, pid):
    wanted = forms(key)
    seen = 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        for first, last, flags in mappings(pid):
            f.seek(first)
            data = b""
            while len(data) < last - first:
                piece = f.read(min(last - first - len(data), 1 << 20))
                if not piece:
                    break
                data += piece
            seen += len(data)
            for name, value in wanted:
                at = data.find(value)
                while at >= 0:
                    print(name, hex(first + at), "", flags, "")
                    at = data.find(value, at + 1)
    if not seen:
        sys.exit("nothing could be read")


def files(key, *paths):
    wanted = forms(key)
    hit = False
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        for name, value in wanted:
            if value in data:
                print(f"# {path} holds the key ({name})")
                hit = True
    sys.exit(0 if hit else 1)


def syslog(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if os.path.exists("/dev/log"):
        os.unlink("/dev/log")
    s.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    with open(path, "ab", buffering=0) as f:
        while True:
            f.write(s.recv(65536) + b"\n")


if __name__ == "__main__":
    {"memory": memory, "files": files, "syslog": syslog}[sys.argv[1]](*sys.argv[2:])
