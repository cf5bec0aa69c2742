#!/usr/bin/python3
"""A keeper that is killed: whoever uses files of a mount is told so, and does not hang."""

import sys

sys.dont_write_bytecode = True

import os
import signal
import subprocess
import tempfile
import time
import unittest

BIN = os.path.abspath(os.path.join(sys.argv.pop(), "bin"))
LIMIT_SECONDS = 60

# Reads the file, waits for a line on stdin, and says what each operation gives then; so does a forked child.
PROGRAM = """
import os, sys, threading
def tell(who):
    for name, act in (("open", lambda: open("file")), ("stat", lambda: os.stat("file")), ("list", lambda: os.listdir(".")),
                      ("read", lambda: os.pread(held, 10, 0)), ("write", lambda: open("new", "w"))):
        try:
            act()
            print(who, name, "done")
        except OSError as error:
            print(who, name, error.errno)
    sys.stdout.flush()
held = os.open("file", os.O_RDWR)
print(os.pread(held, 10, 0).decode(), flush=True)
sys.stdin.readline()
THREAD
pid = os.fork()
if pid == 0:
    tell("child")
    os._exit(0)
print(os.waitpid(pid, 0)[1])
tell("parent")
"""
ALL_EIO = [f"{name} 5" for name in ("open", "stat", "list", "read", "write")]


def keepers_with_home(home):
    """The pids of the keepers that were started with this HOME, which is passed on to them."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/environ", "rb") as environ:
                if comm.read() == "osp-keeper\n" and f"HOME={home}".encode() in environ.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


class Death(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="osp-death.")
        self.addCleanup(folder.cleanup)
        self.home = folder.name
        for name in ("tree", "state", "mount"):
            os.mkdir(os.path.join(self.home, name))
        with open(os.path.join(self.home, "tree", "file"), "w") as file:
            file.write("contents")
        socket = os.path.join(self.home, "socket")
        self.server = subprocess.Popen([os.path.join(BIN, "pipd"), "--export", os.path.join(self.home, "tree"), "--listen",
                                        f"unix:{socket}", "--state", os.path.join(self.home, "state")],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)
        self.mount = ["-m", f"pip+unix://{socket}!/={self.home}/mount", "--chdir", f"{self.home}/mount"]
        while not os.path.exists(socket):
            time.sleep(0.01)

    def start(self, *command):
        program = subprocess.Popen([os.path.join(BIN, "osp-run"), *self.mount, "--", *command], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={"HOME": self.home, "PATH": os.environ["PATH"]})
        self.addCleanup(program.kill)
        return program

    def kill_keeper(self):
        (keeper,) = keepers_with_home(self.home)
        os.kill(keeper, signal.SIGKILL)

    def check(self, thread):
        program = self.start(sys.executable, "-c", PROGRAM.replace("THREAD", thread))
        self.assertEqual(program.stdout.readline(), "contents\n")
        self.kill_keeper()
        out, errors = program.communicate("go\n", timeout=LIMIT_SECONDS)
        self.assertEqual(program.returncode, 0, errors)
        self.assertEqual(out.splitlines(), [f"child {line}" for line in ALL_EIO] + ["0"] +
                         [f"parent {line}" for line in ALL_EIO])
        self.assertIn("the keeper has ended", errors)

    def test_operations_fail(self):
        self.check("")

    def test_operations_fail_with_threads(self):
        self.check("threading.Thread(target=threading.Event().wait, daemon=True).start()")

    def test_an_operation_that_waits_fails(self):
        program = self.start("/bin/sh", "-c", "echo ready; read -r line; cat file")
        self.assertEqual(program.stdout.readline(), "ready\n")
        self.server.send_signal(signal.SIGSTOP)
        program.stdin.write("go\n")
        program.stdin.flush()
        time.sleep(0.3)  # whether the call waits by now or comes later, it must fail
        self.kill_keeper()
        out, errors = program.communicate(timeout=LIMIT_SECONDS)
        self.assertEqual((out, program.returncode), ("", 1))
        self.assertIn("Input/output error", errors)


if __name__ == "__main__":
    unittest.main()
