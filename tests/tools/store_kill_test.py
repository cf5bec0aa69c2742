#!/usr/bin/python3
"""pipd --store is killed at random points of a write load: what was committed is whole: store_kill_test.py BUILD [--soak].

A program writes on a mount of the store, fsyncs or closes, and then notes on the host's disk what it has done; it sees
no error. After each kill the store is checked, and what was fsynced before must be among the file's versions. In the
end everything that was written must be, and each version of each file must be one that was written, whole."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest

SOAK = "--soak" in sys.argv
ARGUMENTS = [word for word in sys.argv[1:] if not word.startswith("--")]
BIN = os.path.join(os.path.abspath(ARGUMENTS[0] if ARGUMENTS else "build"), "bin")
KILLS = 500 if SOAK else 8
KILLS_PER_STORE = 25  # a check reads all that is there
DEADLINE_SECONDS = 60
SEED = int(os.environ.get("OSP_SEED", "0")) or random.randrange(1, 1 << 30)

COMMON = '''
import os, random
FILES = 9  # a multiple of 3, so that a file is always written in the same way

def contents(i):
    """What the write number i puts into its file: it says what it is, and how long."""
    size = random.Random(i).choice([10, 3000, 5000, 70000, 300000])
    head = f"{i} {size}\\n".encode()
    return head + random.Random(-i).randbytes(size // 8) * 8 + b"." * (size % 8)

def number_of(data):
    """The number of the write that `data` is all of; None: it is no write's."""
    if not data:
        return -1  # just created
    head = data.split(b"\\n", 1)[0]
    try:
        i = int(head.split()[0])
    except (ValueError, IndexError):
        return None
    return i if data == contents(i) else None
'''

WRITER = COMMON + '''
import sys
root, notes, start, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
log = os.open(f"{root}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
i = start
while not os.path.exists(stop):
    i += 1
    path, how = f"f{i % FILES}", i % 3
    target = f"{root}/{path}.new" if how == 2 else f"{root}/{path}"
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    data = contents(i)
    for at in range(0, len(data), 40000):
        os.write(fd, data[at:at + 40000])
    if how != 1:
        os.fsync(fd)
    os.close(fd)
    if how == 2:
        os.rename(target, f"{root}/{path}")
    if i % 4 == 0:
        os.write(log, f"line {i}\\n".encode())
        os.fsync(log)
    os.write(notes, f"{'fsync' if how == 0 else 'close'} {i} {path}\\n".encode())
os.close(log)
'''

READER = COMMON + '''
import json, sys
root, versions = sys.argv[1], json.load(sys.stdin)
for path, numbers in versions.items():
    for number in numbers:
        with open(f"{root}/.osp-history/version/{number}/{path}", "rb") as file:
            print(path, number, number_of(file.read()))
'''


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS, **options)


class Kill(unittest.TestCase):
    def path(self, name):
        return os.path.join(self.folder.name, name)

    def serve(self):
        """Starts pipd, and waits until it listens."""
        with open(self.path("pipd.log"), "ab+") as log:
            before = log.tell()
            self.server = subprocess.Popen([os.path.join(BIN, "pipd"), "--store", self.path("store"), "--listen",
                                            f"unix:{self.path('socket')}", "--state", self.path("state"), "--keys",
                                            self.path("keys")], stdout=log, stderr=log)
            deadline = time.monotonic() + DEADLINE_SECONDS
            told = b""
            while b"the key of this server" not in told:
                self.assertIsNone(self.server.poll(), told)
                self.assertLess(time.monotonic(), deadline, told)
                time.sleep(0.005)
                log.seek(before)
                told = log.read()

    def pip(self, *words):
        """The output of a pip command on the store that is served."""
        told = run(os.path.join(BIN, "pip"), "--timeout", "30", *words, env={**os.environ, "XDG_CONFIG_HOME": self.folder.name})
        self.assertEqual(told.returncode, 0, f"pip {' '.join(words)}: {told.stderr}")
        return told.stdout

    def url(self, path):
        return f"pip+unix://{self.path('socket')}!/{path}"

    def check(self):
        told = run(os.path.join(BIN, "pip"), "store", "check", self.path("store"))
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def notes(self):
        try:
            with open(self.path("notes"), encoding="ascii") as file:
                return [(how, int(i), path) for how, i, path in (line.split() for line in file if line.endswith("\n"))]
        except FileNotFoundError:
            return []

    def program(self, text, *words, **options):
        return subprocess.Popen([os.path.join(BIN, "osp-run"), "-m", f"{self.url('')}={self.path('mount')}", "--",
                                 "/usr/bin/python3", "-c", text, self.path("mount"), *words],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def numbers_in(self, versions):
        """What is in versions of files {path: [number…]}: {(path, i)}; each must be all of a write."""
        reader = self.program(READER, stdin=subprocess.PIPE)
        told, _ = reader.communicate(json.dumps(versions), timeout=DEADLINE_SECONDS)
        self.assertEqual(reader.returncode, 0, told)
        found = set()
        for line in told.splitlines():
            path, number, i = line.split()
            self.assertNotEqual(i, "None", f"version {number} of {path} is no write's")
            found.add((path, int(i)))
        return found

    def versions(self, path):
        return [one["version"] for one in json.loads(self.pip("versions", "--json", self.url(path)))]

    def check_fsynced(self, notes):
        """After a kill: the last file that was fsynced has that version, whatever the program does meanwhile."""
        for i, path in [(i, path) for how, i, path in notes if how == "fsync"][-1:]:
            self.assertIn((path, i), self.numbers_in({path: self.versions(path)[:40]}))

    def kill_some(self, count, start, choose):
        """Kills so often while one program writes; the number of the last write."""
        writer = self.program(WRITER, self.path("notes"), str(start), self.path("stop"))
        for _ in range(count):
            noted = len(self.notes())
            deadline = time.monotonic() + DEADLINE_SECONDS
            while len(self.notes()) < noted + 2:  # it is at work, so that the kill is in the midst of it
                self.assertIsNone(writer.poll(), "the writer has ended")
                self.assertLess(time.monotonic(), deadline, "the writer does not get on")
                time.sleep(0.002)
            time.sleep(choose.uniform(0, 0.1))  # where the kill falls; nothing waits for it
            self.server.kill()
            self.server.wait()
            notes = self.notes()
            self.check()
            self.serve()
            if choose.random() < 0.2:
                self.check_fsynced(notes)
        with open(self.path("stop"), "w", encoding="ascii"):
            pass
        told, _ = writer.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((writer.returncode, told), (0, ""))
        return self.notes()[-1][1]

    def check_all(self):
        notes = self.notes()
        paths = sorted({path for _, _, path in notes})
        found = self.numbers_in({path: self.versions(path) for path in paths})
        # A file that was replaced by a rename is another one; its versions went with it.
        for path in paths:
            own = [(how, i) for how, i, other in notes if other == path]
            last_replaced = max((i for _, i in own if i % 3 == 2), default=0)
            for _, i in own:
                if i >= last_replaced:
                    self.assertIn((path, i), found)
            self.assertEqual(max(i for _, i in own), max(i for other, i in found if other == path))
        log = self.pip("cat", self.url("log")).splitlines()
        noted = [f"line {i}" for _, i, _ in notes if i % 4 == 0]
        self.assertEqual(log, noted)

    def test_what_was_committed_is_whole(self):
        print(f"OSP_SEED={SEED}", flush=True)
        choose = random.Random(SEED)
        done, writes = 0, 0
        while done < KILLS:
            with tempfile.TemporaryDirectory(prefix="osp-kill-") as folder:
                self.folder = type("Folder", (), {"name": folder})
                os.mkdir(self.path("mount"))
                self.serve()
                try:
                    count = min(KILLS_PER_STORE, KILLS - done)
                    writes += self.kill_some(count, 0, choose)
                    self.check_all()
                finally:
                    self.server.kill()
                    self.server.wait()
                self.check()
                done += count
            if SOAK:
                print(f"{done} kills, {writes} writes, seed {SEED}", flush=True)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
