#!/usr/bin/python3
"""Locks of files on a mount hold among environments, not only within one: locks_test.py BUILD."""

import os
import random
import signal
import subprocess
import sys
import time
import unittest

from served_tree import ServedTree

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 120

# Adds to a number in a file, in several processes, each time under a lock.
COUNT = r"""
import fcntl, os, sys
path, how, processes, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
locked = sys.argv[5] if len(sys.argv) > 5 else path
print("ready", flush=True)
children = []
for _ in range(processes):
    pid = os.fork()
    if pid:
        children.append(pid)
        continue
    fd = os.open(locked, os.O_RDWR)
    for i in range(times):
        if how == "flock":
            fcntl.flock(fd, fcntl.LOCK_EX)
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX, 8, 0)
        with open(path, "r+b", buffering=0) as file:
            number = int(file.read(8))
            file.seek(0)
            file.write(b"%8d" % (number + 1))
        if how == "flock":
            fcntl.flock(fd, fcntl.LOCK_UN)
        else:
            fcntl.lockf(fd, fcntl.LOCK_UN, 8, 0)
    os._exit(0)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in children]))
"""

# Takes what its lines of input say, and answers with a line each.
HOLDER = r"""
import errno, fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR)
FLOCK = "hhqqi4x"
for line in sys.stdin:
    what, kind, first, size = (line.split() + ["0", "0"])[:4]
    try:
        if what == "flock":
            fcntl.flock(fd, {"ex": fcntl.LOCK_EX, "sh": fcntl.LOCK_SH, "un": fcntl.LOCK_UN}[kind] | fcntl.LOCK_NB)
            print("done", flush=True)
            continue
        type = {"ex": fcntl.F_WRLCK, "sh": fcntl.F_RDLCK, "un": fcntl.F_UNLCK}[kind]
        command = {"try": fcntl.F_SETLK, "wait": fcntl.F_SETLKW, "ask": fcntl.F_GETLK}[what]
        told = struct.unpack(FLOCK, fcntl.fcntl(fd, command, struct.pack(FLOCK, type, 0, int(first), int(size), 0)))
        names = {fcntl.F_WRLCK: "ex", fcntl.F_RDLCK: "sh", fcntl.F_UNLCK: "un"}
        print(f"{names[told[0]]} {told[2]} {told[3]}" if what == "ask" else "done", flush=True)
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
"""

INSERT = r"""
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
for i in range(int(sys.argv[3])):
    base.execute("BEGIN IMMEDIATE")
    (count,) = base.execute("SELECT count(*) FROM t").fetchone()
    base.execute("INSERT INTO t VALUES (?, ?)", (sys.argv[2], count))
    base.execute("COMMIT")
"""


class Locks(ServedTree):
    BIN = BIN

    def setUp(self):
        self.make_tree("osp-locks-")
        self.serve()
        self.addCleanup(self.stop)

    def program(self, script, *arguments, socket="socket", **options):
        """The script in an environment of its own."""
        command = [os.path.join(BIN, "osp-run"), "-m", f"{self.url(socket)}={self.path('mount')}", "--",
                   "/usr/bin/python3", "-c", script, *map(str, arguments)]
        return subprocess.Popen(command, text=True, **options)

    def holder(self):
        made = self.program(HOLDER, self.path("mount/f"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(made.stdout.close)
        self.addCleanup(made.stdin.close)
        self.addCleanup(made.wait)
        self.addCleanup(made.kill)
        return made

    @staticmethod
    def begin(holder, line):
        holder.stdin.write(line + "\n")
        holder.stdin.flush()

    def ask(self, holder, line):
        self.begin(holder, line)
        return holder.stdout.readline().strip()

    def break_lines(self, proxies, programs, seed):
        """Cuts lines and kills the server at random, until one of the programs has ended. (If its session could not be
        ended over a line that was cut, each restart of the server would wait for it as long as leases last.)"""
        random_numbers = random.Random(seed)
        end = time.monotonic() + DEADLINE_SECONDS
        while all(one.poll() is None for one in programs):
            self.assertLess(time.monotonic(), end)
            time.sleep(random_numbers.uniform(0.2, 1.5))
            if random_numbers.random() < 0.85:
                random_numbers.choice(proxies).send_signal(signal.SIGUSR1)
            else:
                self.stop()
                self.serve()

    def test_over_lines_that_break(self):
        seed = int(os.environ.get("OSP_SEED", random.randrange(1 << 30)))
        proxies = []
        for name in ("line1", "line2"):
            proxies.append(subprocess.Popen([os.path.join(BIN, "cut-proxy"), f"unix:{self.path(name)}",
                                             f"unix:{self.path('socket')}"]))
            self.addCleanup(proxies[-1].wait)
            self.addCleanup(proxies[-1].kill)
            while not os.path.exists(self.path(name)):
                time.sleep(0.01)
        with open(self.path("export/n"), "w", encoding="ascii") as file:
            file.write("       0")
        processes, times = 2, 30
        both = [self.program(COUNT, self.path("mount/n"), "lockf", processes, times, socket=name,
                             stdout=subprocess.PIPE) for name in ("line1", "line2")]
        for one in both:
            self.assertEqual(one.stdout.readline(), "ready\n")
            self.addCleanup(one.stdout.close)
            self.addCleanup(one.wait)
            self.addCleanup(one.kill)
        self.break_lines(proxies, both, seed)
        self.assertEqual([one.wait(DEADLINE_SECONDS) for one in both], [0, 0], f"OSP_SEED={seed}")
        with open(self.path("export/n"), encoding="ascii") as file:
            self.assertEqual(int(file.read()), 2 * processes * times, f"OSP_SEED={seed}")

    def count(self, how, *locked):
        with open(self.path("export/n"), "w", encoding="ascii") as file:
            file.write("       0")
        processes, times = 2, 40
        both = [self.program(COUNT, self.path("mount/n"), how, processes, times, *locked, stdout=subprocess.DEVNULL)
                for _ in range(2)]
        for one in both:
            self.assertEqual(one.wait(DEADLINE_SECONDS), 0)
        with open(self.path("export/n"), encoding="ascii") as file:
            self.assertEqual(int(file.read()), 2 * processes * times)

    def test_what_is_done_under_a_lock_is_done_by_one_at_a_time(self):
        self.count("lockf")

    def test_and_under_flock(self):
        self.count("flock")

    def test_and_with_a_lock_in_another_directory(self):
        for name in ("locks", "other"):
            os.makedirs(self.path("export/" + name))
        with open(self.path("export/locks/l"), "w", encoding="ascii"):
            pass
        # Somebody else has leases on what is counted in, so that writes wait for him.
        reader = self.program("import os, sys, time\nwhile True: os.listdir(sys.argv[1]); time.sleep(0.01)",
                              self.path("mount"))
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.count("lockf", self.path("mount/locks/l"))

    def test_what_fcntl_says_of_odd_ranges(self):
        with open(self.path("export/f"), "wb") as file:
            file.write(b"x" * 100)
        one, other = self.holder(), self.holder()
        self.assertEqual(self.ask(one, f"try ex 1 {2**63 - 1}"), "done")
        self.assertEqual(self.ask(other, "try ex 50 1"), "EAGAIN")
        self.assertEqual(self.ask(other, "ask ex 0 0"), "ex 1 0", "to the end")
        self.assertEqual(self.ask(other, "ask ex 0 1"), "un 0 1")
        self.assertEqual(self.ask(other, "try ex 0 1"), "done")
        self.assertEqual(self.ask(one, f"try ex 2 {2**63 - 1}"), "EOVERFLOW")
        self.assertEqual(self.ask(one, "try ex -1 1"), "EINVAL")
        self.assertEqual(self.ask(one, "try ex 10 -11"), "EINVAL")
        self.assertEqual(self.ask(one, "try sh 20 -10"), "done")
        self.assertEqual(self.ask(other, "try sh 10 10"), "done")
        self.assertEqual(self.ask(other, "try sh 9 1"), "EAGAIN")

    def test_who_is_refused_and_who_is_not(self):
        with open(self.path("export/f"), "wb") as file:
            file.write(b"x" * 100)
        one, other = self.holder(), self.holder()
        self.assertEqual(self.ask(one, "try ex 0 10"), "done")
        self.assertEqual(self.ask(other, "try ex 10 10"), "done")
        self.assertEqual(self.ask(other, "try sh 5 1"), "EAGAIN")
        self.assertEqual(self.ask(other, "ask sh 5 1"), "ex 0 10")
        self.assertEqual(self.ask(other, "ask sh 15 1"), "un 15 1", "its own")
        self.assertEqual(self.ask(one, "ask ex 0 0"), "ex 10 10")
        self.assertEqual(self.ask(one, "try sh 0 10"), "done")
        self.assertEqual(self.ask(other, "try sh 0 5"), "done")
        self.assertEqual(self.ask(one, "try ex 0 10"), "EAGAIN")
        self.assertEqual(self.ask(one, "ask ex 0 0"), "sh 0 5")
        self.assertEqual(self.ask(other, "try sh 0 10"), "done", "what was refused left the lock before")
        self.assertEqual(self.ask(one, "flock ex"), "done", "the two kinds are apart")
        self.assertEqual(self.ask(other, "flock sh"), "EAGAIN")
        self.assertEqual(self.ask(one, "flock sh"), "done")
        self.assertEqual(self.ask(other, "flock sh"), "done")

    def test_a_lock_ends_with_who_has_it(self):
        with open(self.path("export/f"), "wb") as file:
            file.write(b"x" * 100)
        one, other = self.holder(), self.holder()
        self.assertEqual(self.ask(one, "try ex 0 10"), "done")
        self.begin(other, "wait ex 0 0")
        one.send_signal(signal.SIGKILL)
        self.assertEqual(other.stdout.readline().strip(), "done")

    def test_locks_outlive_the_server(self):
        with open(self.path("export/f"), "wb") as file:
            file.write(b"x" * 100)
        one, other = self.holder(), self.holder()
        self.assertEqual(self.ask(one, "try ex 0 10"), "done")
        self.assertEqual(self.ask(other, "try ex 20 10"), "done")
        self.stop()
        self.serve()
        self.assertEqual(self.ask(other, "try sh 5 1"), "EAGAIN")
        self.assertEqual(self.ask(one, "try sh 25 1"), "EAGAIN")
        self.begin(other, "wait ex 0 10")
        self.assertEqual(self.ask(one, "try un 0 10"), "done")
        self.assertEqual(other.stdout.readline().strip(), "done")

    def test_two_environments_share_a_database(self):
        import sqlite3  # pylint: disable=import-outside-toplevel
        base = sqlite3.connect(self.path("export/base"))
        base.execute("CREATE TABLE t (who TEXT, number INTEGER UNIQUE)")
        base.close()
        rows = 15
        both = [self.program(INSERT, self.path("mount/base"), who, rows) for who in "ab"]
        for one in both:
            self.assertEqual(one.wait(DEADLINE_SECONDS), 0)
        base = sqlite3.connect(self.path("export/base"))
        self.assertEqual(base.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(base.execute("SELECT number FROM t ORDER BY number").fetchall(), [(i,) for i in range(2 * rows)])
        base.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
