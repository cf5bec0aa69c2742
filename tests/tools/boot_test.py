#!/usr/bin/python3
"""osp-boot: what it packs, how it speaks with its machine and its terminal, and what it says is wrong.

QEMU's place is taken by boot_machine.py, so that each end of each port can be looked at.
"""

import sys

sys.dont_write_bytecode = True

import contextlib
import fcntl
import os
import pty
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

BUILD = os.path.abspath(sys.argv.pop())
HERE = os.path.dirname(os.path.abspath(__file__))


def entries(archive):
    """The files of a newc archive: {name: contents}."""
    found, at = {}, 0
    while True:
        assert archive[at:at + 6] == b"070701", at
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110:at + 110 + fields[11]].split(b"\0")[0].decode()
        begin = at + (110 + fields[11] + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = archive[begin:begin + fields[6]]
        if fields[6] >= 4096:
            assert begin % 4096 == 0, (name, begin)
        at = begin + (fields[6] + 3) // 4 * 4


class Boot(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="osp-boot-test.")
        self.addCleanup(self.folder.cleanup)
        for name in ("bin", "lib", "path", "tmp"):
            os.mkdir(self.path(name))
        shutil.copy(os.path.join(BUILD, "bin/osp-boot"), self.path("bin"))
        self.file("lib/osp-kernel.elf", b"kernel")
        self.file("lib/osp-core", b"the core" * 1000)
        os.symlink(os.path.join(HERE, "boot_machine.py"), self.path("path/qemu-system-x86_64"))
        self.environment = {"PATH": self.path("path") + ":/usr/bin:/bin", "TMPDIR": self.path("tmp")}

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, contents, mode=0o755):
        with open(self.path(name), "wb") as out:
            out.write(contents)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def command(self, *arguments):
        return [self.path("bin/osp-boot"), *arguments]

    def run_boot(self, machine, *arguments, **options):
        self.environment["OSP_TEST_MACHINE"] = machine
        options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
        if options["stdin"] is None:
            del options["stdin"]
        return subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, timeout=60,
                              **options)

    def fails(self, status, *words, arguments, machine="die"):
        done = self.run_boot(machine, *arguments)
        error = done.stderr.decode()
        self.assertEqual((done.stdout, done.returncode), (b"", status), error)
        for word in words:
            self.assertIn(word, error)
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("osp-boot: "), error)


class Errors(Boot):
    def test_program(self):
        self.fails(127, "no-such-program: No such file", "PATH", arguments=["no-such-program"])
        self.fails(127, "./no-such-program: No such file", arguments=["./no-such-program"])
        plain = self.file("plain", b"text", 0o644)
        self.fails(126, plain, "execute permission", arguments=[plain])
        script = self.file("script", b"#!/no/such/shell\n")
        self.fails(127, script, "interpreter /no/such/shell", arguments=[script])

    def test_options(self):
        self.fails(125, "no program is given", arguments=[])
        self.fails(125, "--nope", "--help", arguments=["--nope", "true"])
        self.fails(125, "-b", "OLD=NEW", arguments=["-b", "/a", "true"])
        self.fails(125, "-m", "URL=PATH", arguments=["-mx", "true"])
        self.fails(125, "-e", "NOT_SET", "VAR=VALUE", arguments=["-e", "NOT_SET", "true"])
        self.fails(125, "--smp", arguments=["--smp", "0", "true"])
        self.fails(125, "--machine", "q35", arguments=["--machine", "pc", "true"])
        self.fails(125, "--memory", arguments=["--memory", "much", "true"])
        self.fails(125, "--add", "--root", arguments=["--root", "/etc", "--add", "/etc", "true"])

    def test_memory(self):
        self.fails(125, "--memory", "1 MiB", "give at least", arguments=["--memory", "1M", "true"])

    def test_what_is_missing(self):
        os.unlink(self.path("path/qemu-system-x86_64"))
        self.environment["PATH"] = self.path("path")
        self.fails(125, "qemu-system-x86_64 is not found", "qemu-system-x86", arguments=["/bin/true"])
        os.unlink(self.path("lib/osp-core"))
        self.fails(125, self.path("lib/osp-core"), "No such file", "it belongs in lib", arguments=["/bin/true"])
        os.unlink(self.path("lib/osp-kernel.elf"))
        self.fails(125, self.path("lib/osp-kernel.elf"), "No such file", "it belongs in lib", arguments=["/bin/true"])

    def test_files(self):
        missing = self.path("missing")
        self.fails(125, "--add", missing, "No such file", arguments=["--add", missing, "true"])
        self.fails(125, "--root", missing, "No such file", arguments=["--root", missing, "true"])
        tar = self.file("root.tar", b"x" * 1000)
        self.fails(125, "--root", tar, "newc", "zstd", arguments=["--root", tar, "true"])

    def test_name_space_file(self):
        bad = self.file("bad.ns", b"# fine\n  bnd /x /y\n")
        self.fails(125, f"{bad}:2:3:", "unknown command 'bnd'", arguments=["--ns", bad, "true"])
        self.fails(125, self.path("none.ns"), "No such file", arguments=["--ns", self.path("none.ns"), "true"])

    def test_library(self):
        source = self.file("x.c", b"int f(void); int main(void) { return f(); }")
        self.file("f.c", b"int f(void) { return 0; }")
        subprocess.run(["gcc", "-shared", "-o", self.path("libf.so"), self.path("f.c")], check=True)
        subprocess.run(["gcc", "-o", self.path("x"), source, self.path("libf.so")], check=True, cwd=self.folder.name)
        os.unlink(self.path("libf.so"))
        self.fails(125, self.path("x"), "libf.so", "not found", arguments=[self.path("x")])

    def test_the_machine_dies(self):
        self.fails(125, "ended before the program did", "status 9", "the disk is on fire", arguments=["true"])


class Archive(Boot):
    def record(self, archive):
        text = entries(archive)["boot"].decode()
        self.assertTrue(text.startswith("osp-boot=1\0") and text.endswith("\0"))
        return text.split("\0")[:-1]

    def test_parts(self):
        done = self.run_boot("show", "-e", "A=b", "-u", "TMPDIR", "--trace", "/bin/true", "-x", "")
        self.assertEqual(done.returncode, 0, done.stderr)
        parts = entries(done.stdout)
        self.assertEqual(list(parts), ["task/core", "boot", "root"])
        self.assertEqual(parts["task/core"], b"the core" * 1000)
        record = self.record(done.stdout)
        for entry in ("program=/bin/true", "argument=/bin/true", "argument=-x", "argument=", "variable=A=b", "trace=",
                      f"directory={os.getcwd()}", f"variable=PATH={self.environment['PATH']}", "umask=22"):
            self.assertIn(entry, record)
        self.assertFalse([entry for entry in record if entry.startswith(("variable=TMPDIR", "terminal="))])
        root = entries(parts["root"])
        with open("/bin/true", "rb") as program:
            self.assertEqual(root["usr/bin/true"], program.read())
        self.assertEqual(root["bin"], b"usr/bin")
        for name in ("usr/lib/x86_64-linux-gnu/libc.so.6", "lib64", "etc/passwd", "etc/nsswitch.conf", "dev", "tmp",
                     os.getcwd()[1:]):
            self.assertIn(name, root)

    def test_a_driver_comes_first(self):
        self.file("lib/osp-uart", b"driver")
        self.assertEqual(list(entries(self.run_boot("show", "true").stdout))[:2], ["task/uart", "task/core"])

    def test_names(self):
        self.file("in.ns", b"\nbind /i /j\n")
        outer = self.file("out.ns", b"# one\nbind /a /b\n. in.ns\n\nbind $X /d\n")
        done = self.run_boot("show", "-b", "/1=/2", "--ns", outer, "-m", "pip://h/t=/m", "-e", "X=/c", "true")
        names = [entry for entry in self.record(done.stdout) if entry.startswith("ns-")]
        self.assertEqual(names, ["ns-bind=/1=/2", f"ns-file={outer}", "ns-text=\nbind /a /b\n",
                                 f"ns-file={self.path('in.ns')}", "ns-text=\nbind /i /j\n", f"ns-file={outer}",
                                 "ns-text=\n\n\n\nbind /c /d\n", "ns-mount=pip://h/t=/m"])

    def test_scripts(self):
        script = self.file("script", b"#!/usr/bin/env -S X=1 perl -w\nprint 1;\n")
        root = entries(entries(self.run_boot("show", script).stdout)["root"])
        for name in (script[1:], "usr/bin/env", "usr/bin/perl"):
            self.assertIn(name, root)

    def test_roots(self):
        os.makedirs(self.path("tree/dir"))
        self.file("tree/dir/file", b"contents" * 1000)
        os.link(self.path("tree/dir/file"), self.path("tree/again"))
        os.symlink("dir/file", self.path("tree/link"))
        done = self.run_boot("show", "--root", self.path("tree"), "prog")
        parts = entries(done.stdout)
        self.assertEqual(entries(parts["root"]), {".": b"", "again": b"", "dir": b"", "dir/file": b"contents" * 1000,
                                                  "link": b"dir/file"})
        self.assertIn("program=prog", self.record(done.stdout))
        self.assertIn("directory=/", self.record(done.stdout))
        packed = subprocess.run(["zstd", "-c"], input=parts["root"], stdout=subprocess.PIPE, check=True).stdout
        for archive in (parts["root"], packed):
            given = self.run_boot("show", "--root", self.file("given", archive), "prog")
            self.assertEqual(entries(given.stdout)["root"], archive)

    def test_print_command(self):
        done = self.run_boot("die", "--print-command", "--smp", "2", "--machine", "q35", "--memory", "300M",
                             "--qemu-arg=-icount", "--qemu-arg=shift=0", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        words = shlex.split(done.stdout.decode())
        option = {flag: value for flag, value in zip(words, words[1:])}
        self.assertEqual((option["-M"], option["-smp"], option["-m"]), ("q35", "2", "300M"))
        self.assertEqual(option["-kernel"], self.path("lib/osp-kernel.elf"))
        self.assertEqual(option["-icount"], "shift=0")
        self.assertIn(option["-initrd"], done.stderr.decode())
        with open(option["-initrd"], "rb") as archive:
            self.assertIn("boot", entries(archive.read()))
        self.assertEqual(len(os.listdir(self.path("tmp"))), 1)


class Session(Boot):
    def test_standard_files(self):
        text = bytes(range(256)) * 4000
        done = self.run_boot("echo", "true", input=text)
        self.assertEqual((done.returncode, done.stderr), (7, b"a log line\n"))
        self.assertEqual(done.stdout, text.upper())

    def test_no_input(self):
        self.assertEqual(self.run_boot("echo", "true").returncode, 7)

    def test_timeout(self):
        self.fails(124, "--timeout", "0.5 s", arguments=["--timeout", "0.5", "true"], machine="hang")

    def start(self, machine, *arguments, **options):
        self.environment["OSP_TEST_MACHINE"] = machine
        process = subprocess.Popen(self.command(*arguments), env=self.environment, stderr=subprocess.PIPE, **options)
        self.addCleanup(process.stderr.close)
        return process

    def test_signals(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            process = self.start("orders_only", "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            with process.stdout:
                self.assertEqual(process.stdout.readline(), b"waiting\n")
                process.send_signal(number)
                self.assertEqual(process.wait(30), 100 + number)

    def test_nobody_reads(self):
        process = self.start("flood", "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"more\n")
        process.stdout.close()
        self.assertEqual(process.wait(30), 3)


class Machine(Boot):
    """The real QEMU, with the least kernel that there can be."""

    def setUp(self):
        super().setUp()
        os.unlink(self.path("path/qemu-system-x86_64"))
        subprocess.run(["gcc", "-m32", "-Os", "-ffreestanding", "-fno-pic", "-fno-stack-protector",
                        "-fcf-protection=none", "-static", "-nostdlib", "-Wl,--build-id=none,--no-warn-rwx-segments",
                        "-Wl,-T," + HERE + "/boot_kernel.ld", "-o", self.path("lib/osp-kernel.elf"), HERE + "/boot_kernel.c"], check=True)

    def boots(self, text, *options):
        done = self.run_boot("", *options, "--timeout", "50", "true", input=text)
        self.assertEqual((done.returncode, done.stderr), (5, b"booted\n"))
        self.assertEqual(done.stdout, b"070701 at a page\n" + text)

    def test_microvm(self):
        self.boots(bytes(range(256)) * 400)

    def test_q35(self):
        self.boots(b"some text", "--machine", "q35", "--smp", "2", "--memory", "1G")

    def test_by_hand(self):
        done = self.run_boot("", "--print-command", "true")
        by_hand = subprocess.Popen("exec " + done.stdout.decode(), shell=True, env=self.environment,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(by_hand.stdout.read(17), b"070701 at a page\n")
        by_hand.stdin.write(b"echo\n")
        by_hand.stdin.flush()
        self.assertEqual(by_hand.stdout.read(5), b"echo\n")
        self.assertEqual(by_hand.stderr.readline(), b"booted\n")
        by_hand.terminate()
        by_hand.communicate(timeout=30)

    def test_a_kernel_that_is_none(self):
        self.file("lib/osp-kernel.elf", b"not a kernel, of course" * 1000)
        self.fails(125, "ended before the program did", "QEMU ended with status 1", "and said: ", arguments=["true"])


class Terminal(Boot):
    def setUp(self):
        super().setUp()
        self.environment["OSP_TEST_MACHINE"] = "keys"
        self.ours, theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, theirs)
        self.theirs = theirs
        self.set_size(30, 100)
        self.before = termios.tcgetattr(theirs)
        self.seen = b""

    def set_size(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start(self):
        def lead():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(self.command("true"), env=self.environment, stdin=self.theirs, stdout=self.theirs,
                                   stderr=self.theirs, preexec_fn=lead)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def expect(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            self.assertLess(time.monotonic(), end, self.seen)
            self.seen += os.read(self.ours, 1000)
        self.seen = self.seen.partition(text)[2]

    def is_raw(self):
        return termios.tcgetattr(self.theirs)[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == 0

    def expect_restored(self):
        end = time.monotonic() + 30
        while termios.tcgetattr(self.theirs) != self.before:
            self.assertLess(time.monotonic(), end)

    def test_the_console_keeps_its_lines(self):
        process = self.start()
        self.expect(b"a log\r\nof two lines\r\n")
        os.write(self.ours, b"q")
        self.assertEqual(process.wait(30), 0)

    def test_keys_and_size(self):
        process = self.start()
        self.expect(b"began\r\n")
        self.assertTrue(self.is_raw())
        os.write(self.ours, b"\x03\x1a")
        self.expect(b"key 3\r\nkey 26\r\n")
        self.set_size(31, 101)
        self.expect(b"size 31 101")
        os.write(self.ours, b"q")
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(termios.tcgetattr(self.theirs), self.before)

    def test_killed(self):
        process = self.start()
        self.expect(b"began\r\n")
        process.kill()
        process.wait(30)
        self.expect_restored()

    def stops(self, process):
        with contextlib.suppress(ChildProcessError):
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status), status)
        self.assertEqual(termios.tcgetattr(self.theirs), self.before)

    def goes_on(self, process):
        process.send_signal(signal.SIGCONT)
        self.expect(b"size 30 100")

    def test_stopped(self):
        process = self.start()
        self.expect(b"began\r\n")
        os.kill(process.pid, signal.SIGTSTP)
        self.stops(process)
        self.goes_on(process)
        self.assertTrue(self.is_raw())
        os.write(self.ours, b"s")
        self.stops(process)
        self.goes_on(process)
        self.expect(b"signal 18")
        os.write(self.ours, b"q")
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
