#!/usr/bin/python3
"""Two environments on one tree: each sees at once what the other has done, and knows the rest: leases_test.py BUILD."""

import os
import signal
import subprocess
import sys
import time
import unittest

from served_tree import ServedTree

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 30


def keepers():
    """The keepers that run on this machine, by pid."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().strip() == "osp-keeper":
                    found.add(int(pid))
        except OSError:  # it has ended
            pass
    return found


class Shell:
    """A shell in an environment of its own, that runs one line at a time."""

    def __init__(self, url, mount):
        self.process = subprocess.Popen([os.path.join(BIN, "osp-run"), "-m", f"{url}={mount}", "--", "sh"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, line):
        self.process.stdin.write(line + "; echo END $?\n")
        self.process.stdin.flush()
        told = []
        while not told or not told[-1].startswith("END "):
            read = self.process.stdout.readline()
            if not read:
                raise EOFError("".join(told))
            told.append(read)
        return "".join(told[:-1])

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(DEADLINE_SECONDS)


class Leases(ServedTree):
    BIN = BIN

    def setUp(self):
        self.make_tree("osp-leases-", "export/d")
        for i in range(20):
            with open(self.path(f"export/d/f{i}"), "w", encoding="utf-8") as file:
                file.write(f"contents {i}\n")
        self.serve()
        self.mount = self.path("mount")
        self.one, self.two = Shell(self.url(), self.mount), Shell(self.url(), self.mount)

    def tearDown(self):
        for shell in (self.one, self.two):
            if not shell.process.stdin.closed:
                self.assertEqual(shell.end(), 0)
        self.stop()

    def test_each_sees_what_the_other_did(self):
        d = self.mount + "/d"
        listed = self.two.run(f"ls {d}; cat {d}/*")
        self.assertEqual(self.two.run(f"ls {d}; cat {d}/*"), listed)
        for i in range(50):
            # In a process of its own, whose end waits for the server.
            self.one.run(f"sh -c 'echo {i} > {d}/f{i % 20}; mv {d}/f{i % 20} {d}/g; mv {d}/g {d}/f{i % 20}'")
            self.assertEqual(self.two.run(f"cat {d}/f{i % 20}"), f"{i}\n")
            self.two.run(f"sh -c 'mkdir {d}/new{i}'")
            self.assertEqual(self.one.run(f"test -d {d}/new{i} && echo it is there"), "it is there\n")
            self.one.run(f"rmdir {d}/new{i}")
            self.assertEqual(self.two.run(f"test -e {d}/new{i} || echo it is gone"), "it is gone\n")

    def test_what_the_host_does_is_seen(self):
        d = self.mount + "/d"
        self.assertEqual(self.one.run(f"cat {d}/f1; ls {d}/host 2>&1 | grep -c No").splitlines(), ["contents 1", "1"])
        with open(self.path("export/d/host"), "w", encoding="utf-8") as file:
            file.write("by the host\n")
        os.replace(self.path("export/d/f2"), self.path("export/d/f1"))
        deadline = time.monotonic() + DEADLINE_SECONDS  # a message's way
        while "contents 2" not in self.one.run(f"cat {d}/f1") and time.monotonic() < deadline:
            pass
        self.assertEqual(self.one.run(f"cat {d}/host {d}/f1"), "by the host\ncontents 2\n")

    def test_an_open_file_stays_what_it_is(self):
        d = self.mount + "/d"
        self.one.run(f"cat {d}/*")
        self.one.run(f"exec 3< {d}/f3")
        self.assertEqual(self.two.run(f"rm {d}/f3; ls {d}/f3 2>&1 | grep -c No"), "1\n")
        self.assertEqual(self.one.run("cat <&3"), "contents 3\n")
        self.one.run(f"exec 3< {d}/f4")
        self.assertEqual(self.one.run(f"rm {d}/f4; mv {d}/f5 {d}/f4; cat <&3"), "contents 4\n")

    def test_a_restarted_server_is_asked_anew(self):
        d = self.mount + "/d"
        self.one.run(f"cat {d}/*")
        self.stop()
        with open(self.path("export/d/f1"), "w", encoding="utf-8") as file:
            file.write("meanwhile\n")
        self.serve()
        # It is away for less than a lease holds.
        self.two.run(f"sh -c 'echo new > {d}/f2'")
        self.assertEqual(self.one.run(f"cat {d}/f1 {d}/f2"), "meanwhile\nnew\n")

    def test_a_stopped_client_keeps_nobody_for_ever(self):
        d = self.mount + "/d"
        self.assertEqual(self.one.end(), 0)
        before = keepers()
        self.one = Shell(f"pip+unix://{self.path('socket')}!/", self.mount)
        self.one.run(f"cat {d}/*")
        self.one.run(f"cat {d}/*")
        stopped = [pid for pid in keepers() if pid not in before]
        self.assertEqual(len(stopped), 1)
        began = time.monotonic()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        self.two.run(f"sh -c 'echo new > {d}/f2'")
        self.assertGreater(time.monotonic() - began, 1, "nobody was waited for")
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(self.one.run(f"cat {d}/f2"), "new\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
