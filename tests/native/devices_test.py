#!/usr/bin/python3
"""Devices that programs find natively: the serial ports at /dev/uart, the task table."""

import sys

sys.dont_write_bytecode = True

import os
import re
import signal
import unittest

from machine import MachineTest

TASK_LINE = rb"task \d+ (\w+): \d+ threads, \d+ spaces, \d+ queues, \d+ semaphores, \d+ segments; \d+ of 64 messages"


class Uart(MachineTest):
    def says(self, script, out, error=b"", status=0):
        self.assertEqual(self.script(script), (out, error, status))

    def test_attributes(self):
        self.says("busybox cat /dev/uart/eia0ctl",
                  b"b115200 d1 l8 m0 pn r1 s1 i1\nframing(0) parity(0) overruns(0) breaks(0) cts dsr dcd\n")

    def test_attributes_are_set(self):
        self.says("echo b9600 l7 pe > /dev/uart/eia1ctl; read a < /dev/uart/eia1ctl; echo $a; echo b115200 l8 pn >> "
                  "/dev/uart/eia1ctl; read a < /dev/uart/eia1ctl; echo $a",
                  b"b9600 d1 l7 m0 pe r1 s1 i1\nb115200 d1 l8 m0 pn r1 s1 i1\n")

    def test_what_is_no_attribute(self):
        self.says("echo speed > /dev/uart/eia0ctl || busybox head -c 7 /dev/uart/eia0ctl", b"b115200",
                  b"sh: write error: Invalid argument\n")

    def test_the_directory(self):
        self.says("busybox ls /dev/uart; cd /dev/uart; pwd; test -r eia0ctl -a ! -e eia7 && echo yes",
                  b"eia0\neia0ctl\neia1\neia1ctl\n/dev/uart\nyes\n")
        self.says("echo > /dev/uart/new", b"", b"sh: can't create /dev/uart/new: Operation not permitted\n", 1)

    def test_bytes_go_out(self):
        data = os.urandom(30_000)
        out, error, status = self.script("busybox cat > /dev/uart/eia0", input=data)
        self.assertEqual((error, status), (b"", 0))
        self.assertEqual(out, data)

    def test_the_core_is_the_reader(self):
        self.says("busybox head -c 1 /dev/uart/eia0", b"", b"head: /dev/uart/eia0: Device or resource busy\n", 1)


class Tasks(MachineTest):
    def test_a_program_reads_the_table(self):
        out, error, status = self.script("busybox cat /dev/tasks; echo > /dev/tasks")
        self.assertEqual((error, status), (b"sh: can't create /dev/tasks: Permission denied\n", 1))
        self.assertEqual(re.findall(TASK_LINE, out), [b"uart", b"core"])
        self.assertRegex(out, rb"\n  \d+ core runs processor 0 switches \d+\n")
        self.assertRegex(out, rb"\n  \d+ uart waits processor 0 switches \d+\n")

    def test_osp_boot_asks_for_it(self):
        machine = self.start("--add", "/bin/sleep", "--", "busybox", "sh", "-c", "/bin/sleep 50 & echo begun; wait")
        self.assertEqual(machine.stdout.readline(), b"begun\n")
        text = b""
        while b"sleep" not in text:  # until the child has executed it
            machine.send_signal(signal.SIGUSR1)
            text = b""
            while b"  3 " not in text[text.rfind(b"process 3"):]:
                line = machine.stderr.readline()
                self.assertNotEqual(line, b"", text)
                text += line
        self.assertEqual(re.findall(TASK_LINE, text), [b"uart", b"core"])
        self.assertRegex(text, rb"\nprocess 2 of 1, group 2:\n  2 busybox \w+\nprocess 3 of 2, group 2:\n  3 sleep \w+\n$")
        machine.terminate()
        self.assertEqual(machine.wait(30), 128 + signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
