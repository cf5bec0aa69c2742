#!/usr/bin/python3
"""Stands where QEMU is, for boot_test.py: a machine that does what OSP_TEST_MACHINE says."""

import os
import select
import socket
import sys


class Terminal:
    """The first port: standard input and output."""

    def fileno(self):
        return 0

    def recv(self, size):
        return os.read(0, size)

    def sendall(self, data):
        while data:
            data = data[os.write(1, data):]


def chardevs(words):
    """The ports by their names."""
    found = {"terminal": Terminal()}
    assert words[words.index("-chardev") + 1] == "stdio,id=terminal,signal=off"
    for flag, value in zip(words, words[1:]):
        if flag == "-chardev" and value.startswith("socket,"):
            options = dict(part.split("=") for part in value.split(",")[1:])
            found[options["id"]] = socket.socket(fileno=int(options["fd"]))
    return found


class Machine:
    def __init__(self, words):
        self.words = words
        ports = chardevs(words)
        self.terminal, self.orders, self.console, self.status = (
            ports[name] for name in ("terminal", "orders", "console", "status"))
        self.lines = self.orders.makefile("r")

    def ready(self):
        self.orders.sendall(b"ready\n")

    def exit(self, status):
        self.status.sendall(b"exit %d\n" % status)
        sys.exit(1)  # as isa-debug-exit does

    def echo(self):
        """Everything up to the end, in capitals."""
        self.console.sendall(b"a log line\n")
        self.ready()
        seen, wanted = b"", None
        while wanted is None or len(seen) < wanted:
            for port in select.select([self.terminal, self.orders], [], [])[0]:
                if port is self.orders:
                    wanted = int(port.recv(100).decode().split()[1])
                else:
                    seen += port.recv(1000)
        self.terminal.sendall(seen.upper())
        self.exit(7)

    def orders_only(self):
        """Every order but that of the end, until a signal."""
        self.ready()
        for line in self.lines:
            if line.startswith("eof"):
                self.terminal.sendall(b"waiting\n")
            if line.startswith("signal"):
                self.exit(100 + int(line.split()[1]))

    def flood(self):
        self.ready()
        self.orders.setblocking(False)
        seen = ""
        while "closed" not in seen:
            self.terminal.sendall(b"more\n" * 100)
            try:
                seen += self.orders.recv(100).decode()
            except BlockingIOError:
                pass
        self.exit(3)

    def keys(self):
        """Each key as a number, and each order, on the terminal; 's' stops, 'q' ends."""
        self.ready()
        self.console.sendall(b"a log\nof two lines\n")
        self.terminal.sendall(b"began\r\n")
        if os.fork() == 0:
            for line in self.lines:
                self.terminal.sendall(line.strip().encode() + b"\r\n")
            os._exit(0)
        while True:
            for key in self.terminal.recv(100):
                self.terminal.sendall(b"key %d\r\n" % key)
                if key == ord("s"):
                    self.orders.sendall(b"stop\n")
                if key == ord("q"):
                    self.orders.shutdown(socket.SHUT_RDWR)
                    self.exit(0)

    def die(self):
        print("the disk is on fire", file=sys.stderr)
        sys.exit(9)

    def hang(self):
        self.ready()
        self.lines.read()

    def show(self):
        """The boot archive, as it is."""
        path = self.words[self.words.index("-initrd") + 1]
        with open(path, "rb") as archive:
            self.terminal.sendall(archive.read())
        self.exit(0)


if __name__ == "__main__":
    getattr(Machine(sys.argv), os.environ["OSP_TEST_MACHINE"])()
