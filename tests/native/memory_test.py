#!/usr/bin/python3
"""A machine that has no memory left: who took it is killed, which is said, and the others go on."""

import sys

sys.dont_write_bytecode = True

import signal
import unittest

from machine import MachineTest

KILLED = r"^osp: memory: process \d+ \(%s\) is killed: the machine has no memory left; give it more \(osp-boot --memory\)\n"


class Memory(MachineTest):
    def runs(self, script, *options):
        out, error, status = self.script(script, "--memory", "48M", *options)
        self.assertEqual(status, 0, error)
        return out.decode(), error.decode()

    def test_by_a_fault(self):
        out, error = self.runs("busybox awk 'BEGIN { while (1) a[n++] = n \"text\" }'; echo $?; busybox echo lives")
        self.assertEqual(out, "137\nlives\n")
        self.assertRegex(error, KILLED % "busybox" + "Killed\n$")

    def test_by_a_call(self):
        out, error = self.runs("busybox sort /dev/zero; echo $?; busybox sort /dev/zero; echo $?; busybox echo lives")
        self.assertEqual(out, "137\n137\nlives\n")
        self.assertEqual(error.count("is killed"), 2)

    def test_others_wait_meanwhile(self):
        out, _ = self.runs("busybox cat | { busybox sort /dev/zero; busybox wc -c; } & busybox sleep 1; wait; echo lives")
        self.assertEqual(out.split(), ["0", "lives"])

    def test_files(self):
        out, error = self.runs("busybox dd if=/dev/zero of=/tmp/big bs=1M count=200; echo $?; busybox rm /tmp/big; "
                               "busybox dd if=/dev/zero of=/tmp/big bs=1M count=5 && busybox echo lives")
        self.assertEqual(out, "1\nlives\n")
        self.assertIn("dd: error writing '/tmp/big': No space left on device\n", error)

    def test_too_much_at_once(self):
        out, error = self.runs("busybox dd if=/dev/zero of=/tmp/x bs=64G count=1; echo $?; busybox echo lives")
        self.assertEqual(out, "1\nlives\n")
        self.assertIn("memory", error)
        self.assertNotIn("is killed", error)

    def test_a_machine_that_is_too_small(self):
        out, error, status = self.boot("--memory", "14M", "--", "busybox", "true")
        self.assertEqual(out, b"")
        self.assertIn(status, (125, 128 + signal.SIGSEGV))  # by what finds no memory: the core, or exec
        self.assertRegex(error, b"no memory left; give it more \\(--memory\\)\n|exec: .*busybox: No space left on device\n")


if __name__ == "__main__":
    unittest.main()
