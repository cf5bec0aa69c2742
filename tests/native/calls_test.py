#!/usr/bin/python3
"""Which calls of the host the core and the drivers make, counted: natively by the kernel, on Linux by strace(1). One
that the contract (libosp/host/host.h, native.h) does not list is an error; on Linux also those of its devices
(linux_calls.txt) are right."""

import sys

sys.dont_write_bytecode = True

import collections
import os
import re
import subprocess
import unittest

import machine as machines
import root
from machine import BUILD, ENVIRONMENT, MachineTest

HERE = os.path.dirname(os.path.abspath(__file__))
HEADERS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "libosp", "host")
NUMBERS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
REFUSED = {"brk"}  # libc's start asks for it, and does without
PROGRAM = """echo one | busybox cat > /tmp/f; busybox grep o /tmp/f && (busybox sleep 0.1; kill $$) & trap 'echo caught' TERM
wait; busybox find /tmp -name f; busybox awk 'BEGIN { for (i = 0; i < 300000; ++i) s += i; print s }' | busybox wc -c
busybox dd if=/dev/zero of=/tmp/g bs=64k count=20 2> /dev/null; busybox md5sum /tmp/g; exec busybox rm /tmp/f /tmp/g"""


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def numbers():
    """{number: name} of Linux's calls."""
    return {int(n): name for name, n in re.findall(r"#define __NR_(\w+) (\d+)", text_of(NUMBERS))}


def listed():
    """The names in the contract's list."""
    found = re.search(r"std::array calls = \{(.*?)\};", text_of(os.path.join(HEADERS, "host.h")), re.DOTALL)
    return set(re.findall(r"SYS_(\w+)", found.group(1)))


class Counted(MachineTest):
    def check(self, counts, allowed):
        self.assertGreater(len(counts), 10, counts)
        unknown = {name: count for name, count in counts.items() if name not in allowed}
        self.assertFalse(unknown, "calls that no contract lists, with how often they were made")


class Natively(Counted):
    """The kernel counts where the boot archive has a file debug/count-calls."""

    def machine(self, script):
        done = subprocess.run([machines.OSP_BOOT, "--print-command", "--", "busybox", "sh", "-c", script],
                              env=ENVIRONMENT | {"TMPDIR": self.folder}, capture_output=True, check=True)
        archive = re.search(r"-initrd (\S+)", done.stdout.decode()).group(1)
        with open(archive, "rb") as file:
            data = file.read()
        with open(archive, "wb") as file:
            file.write(data[:data.rindex(b"070701")])
            file.write(root.entry("debug/count-calls", 99, 0o100644, b"") + root.entry("TRAILER!!!", 0, 0))
        return subprocess.run(done.stdout.decode(), shell=True, stdin=subprocess.DEVNULL, capture_output=True,
                              env=ENVIRONMENT, timeout=100, check=False)

    def test_calls(self):
        done = self.machine(PROGRAM)
        log = done.stderr.decode()
        self.assertIn("exit 0\n", log)
        self.assertIn(b"caught", done.stdout)
        names = numbers()
        counts = {int(n): int(count) for n, count in re.findall(r"osp-kernel: calls (\d+) (\d+)\n", log)}
        linux = {names.get(n, str(n)): count for n, count in counts.items() if n < 512}
        self.check(linux, listed() | REFUSED)
        self.assertGreater(sum(count for n, count in counts.items() if n >= 512), 10)
        self.assertIn("osp-kernel: calls other 0\n", log)


class OnLinux(Counted):
    """strace names the address of each call: the core's lie in its window."""

    def devices(self):
        lines = text_of(os.path.join(HERE, "linux_calls.txt")).splitlines()
        return {word for line in lines for word in line.split("#")[0].split()}

    def test_calls(self):
        trace = self.path("trace")
        work = self.path("work")
        os.mkdir(work)
        done = subprocess.run(["strace", "-f", "-i", "-o", trace, os.path.join(BUILD, "bin/osp-run"), "--", "busybox", "sh",
                               "-c", PROGRAM.replace("/tmp", work)], env=ENVIRONMENT, capture_output=True, timeout=100,
                              check=False)
        self.assertEqual((done.stderr, done.returncode), (b"", 0))
        calls = re.findall(r"^\d+ +\[00006[89a-f][0-9a-f]{10}\] (\w+)\(", text_of(trace), re.MULTILINE)
        counts = collections.Counter(calls)
        self.check(counts, listed() | self.devices())
        idle = self.devices() & listed()
        self.assertFalse(idle, "these are the contract's, and not of devices alone")


if __name__ == "__main__":
    unittest.main()
