#!/usr/bin/python3
"""The console of a program that osp-boot runs, on the real kernel in QEMU: streams, terminal, signals, ends."""

import sys

sys.dont_write_bytecode = True

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import unittest

BUILD = os.path.abspath(sys.argv.pop())
OSP_BOOT = os.path.join(BUILD, "bin/osp-boot")
PROMPT = b"ready> "


def boot(*program, **options):
    return subprocess.run([OSP_BOOT, "--timeout", "60", "--", *program], capture_output=True, timeout=90, **options)


class Streams(unittest.TestCase):
    def test_input_reaches_its_end(self):
        done = boot("busybox", "cat", input=b"abc\n")
        self.assertEqual((done.stdout, done.stderr, done.returncode), (b"abc\n", b"", 0))
        self.assertEqual(boot("busybox", "cat", input=b"").stdout, b"")

    def test_much_arrives_as_it_was(self):
        data = os.urandom(200_000)
        self.assertEqual(boot("busybox", "cat", input=data).stdout, data)

    def test_the_last_words_come_out(self):
        done = boot("busybox", "sh", "-c", "busybox seq 20000; echo no >&2; exit 77")
        self.assertEqual(done.stdout.split(), [b"%d" % i for i in range(1, 20001)])
        self.assertEqual((done.stderr, done.returncode), (b"no\n", 77))

    def test_readers_share_the_input(self):
        done = boot("busybox", "sh", "-c", "read a; read b; echo $b $a; busybox cat", input=b"1\n2\n3\n4\n")
        self.assertEqual(done.stdout, b"2 1\n3\n4\n")

    def test_nobody_reads_any_more(self):
        machine = subprocess.Popen([OSP_BOOT, "--timeout", "60", "--", "busybox", "yes"], stdout=subprocess.PIPE)
        self.assertEqual(machine.stdout.readline(), b"y\n")
        machine.stdout.close()
        self.assertEqual(machine.wait(60), 128 + signal.SIGPIPE)

    def test_signals_are_the_programs(self):
        script = "trap 'echo caught; exit 9' TERM; echo begun; while :; do busybox sleep 1; done"
        machine = subprocess.Popen([OSP_BOOT, "--timeout", "60", "--", "busybox", "sh", "-c", script],
                                   stdout=subprocess.PIPE)
        self.assertEqual(machine.stdout.readline(), b"begun\n")
        machine.terminate()
        self.assertEqual(machine.stdout.read(), b"caught\n")
        machine.stdout.close()
        self.assertEqual(machine.wait(60), 9)


class Terminal(unittest.TestCase):
    def start(self, *program, add="/bin/true"):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = PROMPT.decode()
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            try:
                os.execv(OSP_BOOT, [OSP_BOOT, "--timeout", "60", "--add", add, "--", *program])
            finally:
                os._exit(127)
        self.addCleanup(self.end)

    def end(self):
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def status(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status

    def expect(self, text, timeout=30):
        """What comes up to and with the text."""
        seen, deadline = b"", time.monotonic() + timeout
        while text not in seen:
            left = deadline - time.monotonic()
            self.assertTrue(left > 0 and select.select([self.fd], [], [], left)[0], f"{text} after {seen}")
            try:
                seen += os.read(self.fd, 1)
            except OSError:
                self.fail(f"the end instead of {text} after {seen}")
        return seen

    def type(self, keys):
        os.write(self.fd, keys)

    def test_keys(self):
        self.start("busybox", "sh", "-c", "echo begun; busybox cat; exit 5")
        self.expect(b"begun\r\n")
        self.type(b"abX\x7fc\n")
        self.assertEqual(self.expect(b"c\r\nabc\r\n"), b"abX\b \bc\r\nabc\r\n")
        self.type(b"\x04")
        self.assertEqual(self.status(), 5)

    def test_the_interrupt_key(self):
        self.start("busybox", "sh", "-c", "echo begun; busybox sleep 100")
        self.expect(b"begun\r\n")
        self.type(b"\x03")
        self.expect(b"^C")
        self.assertEqual(self.status(), 128 + signal.SIGINT)

    def test_the_size(self):
        self.start("busybox", "sh", "-c",
                   "trap 'busybox stty size; exit' WINCH; busybox stty size; while :; do busybox sleep 1; done")
        self.expect(b"30 100\r\n")
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        self.expect(b"50 120\r\n")

    @unittest.skipUnless(shutil.which("bash"), "there is no bash")
    def test_jobs_of_a_shell(self):
        self.start("bash", "--norc", "--noediting", "-i", add=shutil.which("cat"))
        self.expect(PROMPT)
        self.type(b"cat\n")
        self.expect(b"cat\r\n")
        self.type(b"one\n")
        self.expect(b"one\r\none\r\n")
        self.type(b"\x1a")
        self.assertIn(b"Stopped", self.expect(PROMPT))
        self.type(b"fg\n")
        self.expect(b"fg\r\ncat\r\n")
        self.type(b"two\n")
        self.expect(b"two\r\ntwo\r\n")
        self.type(b"\x03")
        self.expect(PROMPT)
        self.type(b"echo $?; exit 4\n")
        self.expect(b"130\r\n")
        self.assertEqual(self.status(), 4)

    def test_the_stop_key_stops_osp_boot(self):
        self.start("busybox", "sh", "-c", "echo begun; busybox sleep 1; echo ended")
        self.expect(b"begun\r\n")
        self.type(b"\x1a")
        pid, status = os.waitpid(self.pid, os.WUNTRACED)
        self.assertEqual((pid, os.WIFSTOPPED(status)), (self.pid, True))
        os.kill(self.pid, signal.SIGCONT)
        self.expect(b"ended\r\n")
        self.assertEqual(self.status(), 0)


if __name__ == "__main__":
    unittest.main()
