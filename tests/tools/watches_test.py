#!/usr/bin/python3
"""inotify(7) on a mount tells what the own environment, others and the server's host do: watches_test.py BUILD."""

import os
import subprocess
import sys
import time
import unittest

from served_tree import ServedTree

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 30

# Watches a directory and a file of it, and prints what it is told.
WATCHER = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init1(0)
NAMES = {0x2: "modify", 0x4: "attrib", 0x8: "written", 0x40: "from", 0x80: "to", 0x100: "create", 0x200: "delete",
         0x400: "gone", 0x8000: "ignored"}
MASK = sum(mask for mask in NAMES if mask < 0x8000)
watches = {}
for path in sys.argv[1:]:
    wd = libc.inotify_add_watch(fd, path.encode(), MASK)
    if wd < 0:
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    watches[wd] = os.path.basename(path)
print("ready", flush=True)
while True:
    data = os.read(fd, 65536)
    while data:
        wd, mask, cookie, size = struct.unpack_from("iIII", data)
        name = data[16:16 + size].rstrip(b"\0").decode()
        told = "+".join(NAMES[bit] for bit in NAMES if mask & bit)
        print(watches[wd], told, name, flush=True)
        data = data[16 + size:]
"""


class Watches(ServedTree):
    BIN = BIN

    def setUp(self):
        self.make_tree("osp-watches-", "export/d/sub")
        for name in ("one", "two"):
            with open(self.path("export/d/" + name), "w", encoding="ascii") as file:
                file.write(name)
        self.serve()
        self.addCleanup(self.stop)

    def run_in(self, mount, *command, **options):
        return subprocess.Popen([os.path.join(BIN, "osp-run"), *mount, "--", *command], text=True, **options)

    def remote(self):
        return ["-m", f"{self.url()}={self.path('mount')}"]

    def watch(self, mount, script, *paths):
        """A watcher, and in the same environment a shell that does what it reads, after it is ready."""
        shell = f"/usr/bin/python3 -c \"$1\" {' '.join(paths)} </dev/null & while read line; do eval \"$line\"; done; kill $!"
        process = self.run_in(mount, "/bin/sh", "-c", shell, "sh", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    @staticmethod
    def end(process):
        """The shell ends its watcher."""
        process.stdin.close()
        process.wait(DEADLINE_SECONDS)
        process.stdout.close()

    def expect(self, process, *lines):
        self.assertEqual([process.stdout.readline().strip() for _ in lines], list(lines))

    def do(self, process, line):
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def check(self, watcher, do):
        """What `do` does to the tree is told to the watcher."""
        d = self.path("mount/d")
        do(f"sh -c 'echo more >> {d}/one'")
        lines = [watcher.stdout.readline().strip() for _ in range(4)]
        self.assertEqual(sorted(lines), sorted(["d modify one", "d written one", "one modify", "one written"]))
        do(f"mkdir {d}/new")
        self.expect(watcher, "d create new")
        do(f"mv {d}/two {d}/three")
        self.expect(watcher, "d from two", "d to three")
        do(f"rm {d}/three")
        self.expect(watcher, "d delete three")
        do(f"chmod 600 {d}/one")
        lines = [watcher.stdout.readline().strip() for _ in range(2)]
        self.assertEqual(sorted(lines), ["d attrib one", "one attrib"])

    def test_what_the_own_environment_does(self):
        watcher = self.watch(self.remote(), WATCHER, self.path("mount/d"), self.path("mount/d/one"))
        self.check(watcher, lambda line: self.do(watcher, line))

    def test_what_another_environment_does(self):
        watcher = self.watch(self.remote(), WATCHER, self.path("mount/d"), self.path("mount/d/one"))
        self.check(watcher, lambda line: self.assertEqual(
            self.run_in(self.remote(), "/bin/sh", "-c", line).wait(DEADLINE_SECONDS), 0))

    def test_what_the_host_does(self):
        watcher = self.watch(self.remote(), WATCHER, self.path("mount/d"), self.path("mount/d/one"))
        self.check(watcher, lambda line: subprocess.run(
            ["/bin/sh", "-c", line.replace(self.path("mount"), self.path("export"))], check=True))

    def test_a_memory_tree(self):
        watcher = self.run_in(["-m", f"#m={self.path('mount')}"], "/bin/sh", "-c",
                              f"mkdir {self.path('mount')}/d; /usr/bin/python3 -c \"$1\" {self.path('mount')}/d </dev/null & "
                              f"while read line; do eval \"$line\"; done; kill $!", "sh", WATCHER,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.end, watcher)
        self.expect(watcher, "ready")
        self.do(watcher, f"echo text > {self.path('mount')}/d/f")
        self.assertEqual(watcher.stdout.readline().strip(), "d create f")

    def test_a_directory_that_goes(self):
        watcher = self.watch(self.remote(), WATCHER, self.path("mount/d/sub"))
        self.do(watcher, f"rmdir {self.path('mount/d/sub')}")
        self.expect(watcher, "sub gone", "sub ignored")

    def test_what_is_not_there_cannot_be_watched(self):
        process = self.run_in(self.remote(), "/usr/bin/python3", "-c", WATCHER, self.path("mount/nothing"),
                              stderr=subprocess.PIPE)
        self.assertIn("No such file or directory", process.communicate(timeout=DEADLINE_SECONDS)[1])

    def test_nothing_is_left_behind(self):
        before = set(os.listdir("/dev/shm"))
        watcher = self.watch(self.remote(), WATCHER, self.path("mount/d"))
        watcher.stdin.close()
        self.assertEqual(watcher.wait(DEADLINE_SECONDS), 0)
        end = time.monotonic() + DEADLINE_SECONDS
        while any(name.startswith("osp-watch-") for name in set(os.listdir("/dev/shm")) - before):
            self.assertLess(time.monotonic(), end, "the keeper has left something behind")
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
