"""Runs one program on a terminal of its own, by the script of a .tty case.

A script's lines, after the header:
    expect REGEX      waits until the program's output, from where the last match ended, matches
    send TEXT         types TEXT, in which \\n, \\x03, \\e and the like mean what they mean in C
    resize ROWSxCOLS  gives the window another size (the program gets SIGWINCH)
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from . import process


class ScriptEnded(Exception):
    """The program ended, or its time was up, before the script was through."""


def parse(path):
    """The script's steps, as pairs of verb and text."""
    steps = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            verb, _, text = line.rstrip("\n").partition(" ")
            if verb in ("expect", "send", "resize"):
                steps.append((verb, text))
    return steps


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def unescape(text):
    return text.replace("\\e", "\\x1b").encode().decode("unicode_escape").encode("latin-1")


class Terminal:
    """The master's side of a pty, with all that was read from it."""

    def __init__(self, size, deadline):
        self.master, self.slave = pty.openpty()
        set_size(self.master, *size)
        self.deadline = deadline
        self.transcript = b""
        self.matched = 0

    def read(self):
        """Takes what is there, waiting until the deadline; False at the end of the output."""
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            raise TimeoutError
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side open
            chunk = b""
        self.transcript += chunk
        return bool(chunk)

    def expect(self, regex):
        pattern = re.compile(regex.encode(), re.MULTILINE)
        while not (match := pattern.search(self.transcript, self.matched)):
            if not self.read():
                raise ScriptEnded(f"the output ended before /{regex}/")
        self.matched = match.end()

    def play(self, steps):
        for verb, text in steps:
            if verb == "expect":
                self.expect(text)
            elif verb == "send":
                os.write(self.master, unescape(text))
            else:
                set_size(self.master, *(int(n) for n in text.split("x")))
        while self.read():
            pass


def own_terminal():
    """Run in the child: makes its stdin, in its new session, its controlling terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run(argv, script, *, size, env, cwd, user, timeout, keep=()):
    """As process.run(), but on a terminal; the transcript is the outcome's stdout."""
    start = time.monotonic()
    terminal = Terminal(size, start + timeout)
    if user.uid is not None:
        os.fchown(terminal.slave, user.uid, -1)
    # The C library's own preexec steps come in this order: setsid, ids, preexec_fn.
    program = subprocess.Popen(argv, env=env, cwd=cwd, stdin=terminal.slave, stdout=terminal.slave,
                               stderr=terminal.slave, start_new_session=True, umask=0o022,
                               preexec_fn=own_terminal, **user.popen_options())
    os.close(terminal.slave)
    timed_out, stacks, complaint = False, "", b""
    try:
        terminal.play(parse(script))
        program.wait(timeout=max(0.1, terminal.deadline - time.monotonic()))
    except ScriptEnded as ended:
        complaint = str(ended).encode()
    except (TimeoutError, subprocess.TimeoutExpired):
        timed_out, stacks = True, process.stacks_of(process.descendants(keep))
    if timed_out or complaint:
        process.kill_all(keep)
        program.wait()
    os.close(terminal.master)
    seconds = time.monotonic() - start
    return process.Outcome(terminal.transcript, complaint, program.returncode, seconds, timed_out,
                           process.leftovers(keep), stacks)
