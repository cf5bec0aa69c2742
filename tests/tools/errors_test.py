#!/usr/bin/python3
"""What the tools say about things that are wrong: the file, the place and the remedy, and the exit status."""

import sys

sys.dont_write_bytecode = True

import os
import subprocess
import tempfile
import unittest

BIN = os.path.abspath(os.path.join(sys.argv.pop(), "bin"))
AARCH64 = b"\xb7\x00"
MACHINE_AT = 18  # in an ELF header


class Errors(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="osp-errors.")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, contents, mode=0o755):
        with open(self.path(name), "wb") as out:
            out.write(contents)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def fails(self, status, *words, command):
        """`command` (a tool and its arguments) prints nothing but an error with all these words."""
        done = subprocess.run([os.path.join(BIN, command[0])] + command[1:], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.returncode), ("", status), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def run_fails(self, status, *words, arguments):
        self.fails(status, "osp-run: ", *words, command=["osp-run"] + arguments)

    def test_no_such_program(self):
        self.run_fails(127, "no-such-program: No such file", "PATH", arguments=["no-such-program"])
        self.run_fails(127, "./no-such-program: No such file", arguments=["./no-such-program"])

    def test_not_executable(self):
        plain = self.file("plain", b"text", 0o644)
        self.run_fails(126, plain, "Permission denied", "execute permission", arguments=[plain])
        self.run_fails(126, "/usr: ", "regular file", arguments=["/usr"])

    def test_not_a_program(self):
        with open("/bin/true", "rb") as source:
            elf = bytearray(source.read())
        self.run_fails(126, "is truncated at byte 100", arguments=[self.file("short", elf[:100])])
        elf[MACHINE_AT:MACHINE_AT + 2] = AARCH64
        self.run_fails(126, "is for AArch64, this machine is x86-64", arguments=[self.file("arm", elf)])

    def test_no_interpreter(self):
        script = self.file("script", b"#!/no/such/shell\n")
        self.run_fails(127, script, "interpreter /no/such/shell", arguments=[script])

    def test_name_space_file(self):
        bad = self.file("bad.ns", b"# fine\nbind /usr /mnt\n  bnd /x /y\n", 0o644)
        self.run_fails(125, f"{bad}:3:3:", "unknown command 'bnd'", "mount, bind", arguments=["--ns", bad, "true"])
        missing = self.path("missing.ns")
        self.run_fails(125, missing, "No such file", arguments=["--ns", missing, "true"])
        absent = self.file("absent.ns", b"bind /no/such/dir /mnt\n", 0o644)
        self.run_fails(125, f"{absent}:1:", "/no/such/dir", arguments=["--ns", absent, "true"])

    def test_server(self):
        self.run_fails(125, "-m option 1", "tcp:127.0.0.1:1", "refused", "start pipd",
                       arguments=["-m", "pip://127.0.0.1:1/x=/mnt", "true"])
        self.run_fails(125, "unix:" + self.path("none"), "No such file", "start pipd",
                       arguments=["-m", f"pip+unix://{self.path('none')}!/=/mnt", "true"])

    def test_refused_mount(self):
        export, socket = self.path("export"), self.path("socket")
        os.mkdir(export)
        with open(self.path("log"), "wb") as log:
            server = subprocess.Popen([os.path.join(BIN, "pipd"), "--export", export, "--listen", "unix:" + socket],
                                      stdout=log, stderr=log)
        try:
            while not os.path.exists(socket):
                self.assertIsNone(server.poll())
            self.run_fails(125, "-m option 1", "/no/such/tree", "No such file",
                           arguments=["-m", f"pip+unix://{socket}!/no/such/tree=/mnt", "true"])
        finally:
            server.kill()
            server.wait()

    def test_options(self):
        self.run_fails(125, "--no-such", "--help", arguments=["--no-such", "true"])
        self.run_fails(125, "no program is given", arguments=[])
        self.run_fails(125, "URL=PATH", arguments=["-m", "word", "true"])
        self.run_fails(125, "--chdir /no/such/dir: No such file", arguments=["--chdir", "/no/such/dir", "true"])

    def test_osp_run_in_osprey(self):
        nested = os.path.join(BIN, "osp-run")
        self.run_fails(126, nested, "run the program without osp-run", arguments=[nested, "true"])
        done = subprocess.run([nested, "/bin/sh", "-c", f"{nested} true; exit $?"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.returncode), ("", 126), done.stderr)
        self.assertIn(f"{nested}: its place is the core's, which is here already; run the program without osp-run", done.stderr)
        self.assertIn("Invalid argument", done.stderr)

    def test_script_of_osp_run(self):
        # The keeper is looked for beside osp-run, not beside the script.
        script = self.file("script", f"#!{BIN}/osp-run -mpip://127.0.0.1:1/x=/mnt\n".encode())
        self.fails(125, "tcp:127.0.0.1:1", "refused", command=[script])

    def test_image(self):
        foreign = self.file("foreign.osp", b"not an image, of course, but long enough for a header\n" * 10)
        for command in (["osp", "restore", foreign], ["osp", "image", "check", foreign], ["osp", "image", "show", foreign]):
            self.fails(125 if command[1] == "restore" else 1, foreign, "not an Osprey image", command=command)
        self.fails(125, self.path("none.osp"), "No such file", command=["osp", "restore", self.path("none.osp")])

    def test_process(self):
        self.fails(1, "process 1 does not run in Osprey", "osp ps", command=["osp", "checkpoint", "1", "-o", self.path("x")])
        self.assertFalse(os.path.exists(self.path("x")))


if __name__ == "__main__":
    unittest.main()
