#!/usr/bin/python3
"""What goes wrong with a machine, and what osp-boot says of it: its root, its memory, its kernel, its driver, its end."""

import sys

sys.dont_write_bytecode = True

import os
import shutil
import signal
import subprocess
import unittest

import machine as machines
import root
from machine import BUILD, MachineTest


class Root(MachineTest):
    """An archive, or a program in it, that is not what it should be."""

    def archive(self):
        with open("/bin/busybox", "rb") as busybox:
            self.file("root/bin/busybox", busybox.read())
        self.file("root/bin/plain", b"text", 0o644)
        self.file("root/bin/nonsense", bytes(range(256)))
        self.file("root/bin/lost", b"#!/no/such/shell\n")
        self.file("root/bin/short", b"\x7fELF\x02\x01\x01" + bytes(50))
        names = ["bin", *(f"bin/{name}" for name in os.listdir(self.path("root/bin")))]
        return root.archive({name: self.path(f"root/{name}") for name in names})

    def compressed(self):
        return root.compressed(self.archive())

    def damaged(self, contents, *words):
        self.refused(125, ["the root archive: ", *words], "--root", self.file("archive", contents), "--", "/bin/busybox")

    def test_a_good_one(self):
        for contents in (self.archive(), self.compressed()):
            out = self.boot("--root", self.file("archive", contents), "--", "/bin/busybox", "echo", "good")
            self.assertEqual(out, (b"good\n", b"", 0))

    def test_truncated(self):
        self.damaged(self.archive()[:100_000], "cut off in 'bin/busybox'")
        self.damaged(self.archive()[:100], "cut off")
        self.damaged(self.compressed()[:100_000], "the compressed archive is damaged")

    def test_damaged(self):
        plain, packed = bytearray(self.archive()), bytearray(self.compressed())
        second = plain.index(b"070701", 10)
        plain[second + 20:second + 30] = b"X" * 10
        self.damaged(bytes(plain), "a header with what is no number")
        packed[100_000:100_100] = bytes(100)
        self.damaged(bytes(packed), "the compressed archive is damaged")
        self.damaged(root.compressed(b"no archive" * 100), "header")

    def test_programs(self):
        place = self.file("archive", self.archive())
        for program, status, *words in (
                ("/bin/missing", 127, "/bin/missing: No such file"),
                ("missing", 127, "missing: No such file", "PATH"),
                ("/bin/plain", 126, "/bin/plain: Permission denied", "execute permission"),
                ("/bin", 126, "/bin: Permission denied", "regular file"),
                ("/bin/nonsense", 126, "/bin/nonsense: "),
                ("/bin/short", 126, "/bin/short: "),
                ("/bin/lost", 127, "/no/such/shell")):
            with self.subTest(program):
                self.refused(status, words, "--root", place, "--", program)
        self.refused(125, ["--chdir /none: No such file"], "--root", place, "--chdir", "/none", "--", "/bin/busybox")


class Failures(MachineTest):
    """A build of which one part is another."""

    def replace(self, part, other):
        for name in ("bin", "lib"):
            os.makedirs(self.path(name), exist_ok=True)
        shutil.copy(os.path.join(BUILD, "bin/osp-boot"), self.path("bin"))
        for name in ("osp-core", "osp-uart", "osp-kernel.elf"):
            shutil.copy(os.path.join(BUILD, "lib", name) if name != part else other, self.path(f"lib/{name}"))
        before = machines.OSP_BOOT
        machines.OSP_BOOT = self.path("bin/osp-boot")
        self.addCleanup(setattr, machines, "OSP_BOOT", before)

    def ends(self, *words):
        out, error, status = self.boot("--", "busybox", "sleep", "50")
        self.assertEqual((out, status), (b"", 125), error)
        for word in words:
            self.assertIn(word, error.decode())

    def test_the_kernel_panics(self):
        self.replace("osp-core", self.file("no-program", b"this is no program" * 1000))
        self.ends("osp-kernel: panic: there is no task core",
                  "osp-boot: the machine failed: panic: there is no task core")

    def test_the_core_faults(self):
        self.replace("osp-core", os.path.join(BUILD, "tests/kernel-crash"))
        self.ends("osp-kernel: task core", "osp-boot: the machine failed: task core: a fault")

    def test_the_driver_dies(self):
        self.replace("osp-uart", os.path.join(BUILD, "tests/uart-dying_driver"))
        self.ends("osp-kernel: task uart ended with status 3", "the serial driver (task uart)", "it has ended")

    def test_the_driver_dies_at_once(self):
        self.replace("osp-uart", os.path.join(BUILD, "tests/kernel-crash"))
        self.ends("osp-kernel: task uart ended with status 139", "the serial driver (task uart)", "Broken pipe")


class Ends(MachineTest):
    def await_taken(self, process, number):
        pending = True
        while pending:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                fields = dict(line.split(":\t", 1) for line in status)
            pending = int(fields["ShdPnd"], 16) & 1 << number - 1

    def test_a_second_sigterm(self):
        for number in (signal.SIGTERM, signal.SIGQUIT):
            machine = self.start("--", "busybox", "sh", "-c", "trap '' TERM QUIT; echo begun; while :; do :; done")
            self.assertEqual(machine.stdout.readline(), b"begun\n")
            machine.send_signal(number)
            self.await_taken(machine, number)  # or the two are one
            machine.send_signal(number)
            self.assertEqual(machine.wait(10), 128 + number)
            self.assertEqual(machine.stderr.read().decode(),
                             f"osp-boot: the machine was ended: {number.name} came twice within 5 s\n")


if __name__ == "__main__":
    unittest.main()
