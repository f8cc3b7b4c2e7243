#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A terminal, as much of one as a line that is rewritten needs.

usage: terminal.py COLUMNS COMMAND [ARGUMENT]...

Runs COMMAND with this terminal as its output and error, prints each state of the line
that the cursor was on when more was written to it ("now TEXT"), and in the end what is
to be seen ("end TEXT", a line each). What reaches the last column is shown as "wide
TEXT". The exit status is COMMAND's, 128 more than its signal's number.
"""
import fcntl
import os
import pty
import re
import struct
import sys
import termios


class Screen:
    """Lines, and a cursor that only goes down."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.at = 0

    def write(self, text):
        for piece in re.findall(r"\r|\n|\x1b\[K|[^\r\n\x1b]+|.", text, flags=re.S):
            if piece == "\r":
                self.at = 0
            elif piece == "\n":
                self.lines.append("")
            elif piece == "\x1b[K":
                self.lines[-1] = self.lines[-1][:self.at]
                self.show("now")
            else:
                line = self.lines[-1]
                self.lines[-1] = line[:self.at].ljust(self.at) + piece + line[self.at + len(piece):]
                self.at += len(piece)
                if self.at >= self.columns:
                    self.show("wide")

    def show(self, word):
        if self.lines[-1]:
            print(word, self.lines[-1])


def main():
    columns = int(sys.argv[1])
    screen = Screen(columns)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pid = os.fork()
    if not pid:
        os.close(master)
        os.dup2(slave, 1)
        os.dup2(slave, 2)
        os.close(slave)
        os.execvp(sys.argv[2], sys.argv[2:])
    os.close(slave)
    while True:
        try:
            text = os.read(master, 65536)
        except OSError:  # nobody has the other end open any more
            break
        screen.write(text.decode())
    for line in screen.lines:
        if line:
            print("end", line)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(status if status >= 0 else 128 - status)


main()
