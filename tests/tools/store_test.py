#!/usr/bin/python3
"""Programs on a store, its versions, its past, and what looks after it: store_test.py BUILD."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 300


class Store(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="osp-store-")
        self.addCleanup(self.folder.cleanup)
        os.mkdir(self.path("mount"))
        self.server = None
        self.serve()

    def tearDown(self):
        self.end()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def url(self, path=""):
        return f"pip+unix://{self.path('socket')}!/{path}"

    def serve(self):
        self.server = subprocess.Popen([os.path.join(BIN, "pipd"), "--store", self.path("store"), "--listen",
                                        f"unix:{self.path('socket')}", "--state", self.path("state"), "--keys",
                                        self.path("osp")], stdout=subprocess.PIPE, text=True)
        while not self.server.stdout.readline().startswith("pipd: the key"):
            self.assertIsNone(self.server.poll())

    def end(self, how="terminate"):
        if self.server is None:
            return
        getattr(self.server, how)()
        self.server.wait()
        self.server.stdout.close()
        self.server = None

    def run_command(self, *words, status=0, **options):
        told = subprocess.run([os.path.join(BIN, words[0]), *words[1:]], capture_output=True, text=True, check=False,
                              timeout=DEADLINE_SECONDS, env={**os.environ, "XDG_CONFIG_HOME": self.folder.name}, **options)
        self.assertEqual(told.returncode, status, f"{' '.join(words)}: {told.stdout}{told.stderr}")
        return told.stdout + (told.stderr if status else "")

    def inside(self, script, at=""):
        """The output of a shell in a directory of the store."""
        mount = ["-m", f"{'-o at=' + at + ' ' if at else ''}{self.url()}={self.path('mount')}"]
        return self.run_command("osp-run", *mount, "--", "sh", "-euc", f"cd {self.path('mount')}; {script}")

    def check(self):
        """Whether the store is whole; nobody serves it meanwhile."""
        self.end()
        found = json.loads(self.run_command("pip", "store", "check", "--json", self.path("store")))
        self.assertEqual(found["wrong"], [])
        self.serve()
        return found

    def write(self, path, text):
        self.run_command("pip", "write", self.url(path), input=text)

    def versions(self, path):
        return json.loads(self.run_command("pip", "versions", "--json", self.url(path)))

    def test_programs(self):
        told = self.inside("""
            mkdir tree; cp -a /usr/share/doc/zstd tree/; mkfifo tree/fifo; ln -s zstd tree/link
            truncate -s 5G tree/sparse; printf end | dd of=tree/sparse bs=1 seek=5368709000 conv=notrunc 2>/dev/null
            tar cf - tree/zstd | tar xf - --one-top-level=again; diff -r tree/zstd again/tree/zstd
            git init -q repo; cd repo; cp -r /usr/share/doc/zstd .; git add .
            git -c user.name=n -c user.email=e commit -qm one; git fsck --strict; git status --porcelain; cd ..
            sqlite3 db 'pragma journal_mode=wal; create table t(a)' >/dev/null
            for i in 1 2 3 4 5 6 7 8; do sqlite3 db "insert into t values($i)"; done
            sqlite3 db 'pragma integrity_check; select sum(a) from t'
            echo one > a; ln a b; echo two >> b; cat a; stat -c %h a
            exec 3>gone 4<gone; rm gone; echo kept >&3; test ! -e gone; cat <&4
            dd if=tree/sparse bs=1 skip=5368709000 count=3 2>/dev/null; stat -c ' %s' tree/sparse
            """)
        self.assertEqual(told.split(), "ok 36 one two 2 kept end 5368709120".split())
        found = self.check()
        self.assertGreater(found["versions"], 20)
        self.assertLess(found["bytes"], 50 << 20)  # the hole is not there

    def test_versions(self):
        self.write("f", "one\n")
        self.write("f", "two\n")
        self.write("f", "three\n")
        versions = self.versions("f")
        self.assertEqual([one["size"] for one in versions], [6, 4, 4])
        first, last = versions[2]["version"], versions[0]["version"]
        self.assertEqual(self.run_command("pip", "cat", "--version", str(first), self.url("f")), "one\n")
        told = self.run_command("pip", "diff", self.url("f"), str(first), str(last), status=1)
        self.assertIn("-one\n+three\n", told)
        self.run_command("pip", "diff", self.url("f"), str(last))
        self.run_command("pip", "restore", self.url("f"), str(first))
        self.assertEqual(self.run_command("pip", "cat", self.url("f")), "one\n")
        self.assertEqual(len(self.versions("f")), 4)
        self.assertIn("has no version 999", self.run_command("pip", "restore", self.url("f"), "999", status=1))
        self.assertIn("no such file", self.run_command("pip", "versions", self.url("none"), status=1).lower())
        self.check()

    def test_the_past(self):
        self.inside("mkdir d; echo then > d/f; ln -s d/f l; echo gone > d/g")
        time.sleep(2.1)  # a second is over when the next has begun: what is asked about must be
        then = str(int(time.time()) - 1)
        self.inside("echo now > d/f; rm d/g; mv d e; echo more > new")
        self.assertEqual(self.inside("cat d/f l d/g; ls", at=then), "then\nthen\ngone\nd\nl\n")
        self.assertEqual(self.run_command("pip", "cat", "--at", then, self.url("d/g")), "gone\n")
        self.assertEqual(self.run_command("pip", "ls", "--at", then, self.url()).split(), ["d", "l"])
        self.assertIn("Read-only", self.run_command("pip", "write", self.url(f".osp-history/at/{then}/d/f"), status=1,
                                                    input="x"))
        self.assertIn("is no time", self.run_command("pip", "ls", "--at", "yesterday", self.url(), status=1))
        self.end()
        self.run_command("pip", "store", "export", "--at", then, self.path("store"), self.path("out"))
        self.assertEqual(sorted(os.listdir(self.path("out/d"))), ["f", "g"])
        self.run_command("pip", "store", "gc", "--keep", "last=1", self.path("store"))
        self.serve()
        self.assertEqual(self.inside("cat e/f; ls"), "now\ne\nl\nnew\n")
        self.check()

    def test_import_and_export(self):
        os.makedirs(self.path("in/d"))
        with open(self.path("in/d/f"), "wb") as file:
            file.write(os.urandom(3 << 20))
            file.truncate(20 << 20)
        os.link(self.path("in/d/f"), self.path("in/again"))
        os.symlink("nowhere", self.path("in/l"))
        os.mkfifo(self.path("in/fifo"), 0o620)
        os.setxattr(self.path("in/d"), "user.a", b"b")
        os.utime(self.path("in/d/f"), ns=(10**18, 10**18 + 7))
        other = self.path("other")
        self.run_command("pip", "store", "import", other, self.path("in"))
        self.run_command("pip", "store", "check", other)
        self.run_command("pip", "store", "export", other, self.path("out"))
        told = subprocess.run(["diff", "-r", "--no-dereference", self.path("in/d"), self.path("out/d")], check=False)
        self.assertEqual(told.returncode, 0)
        for name in ("again", "l", "fifo", "d", "d/f"):
            before, after = os.lstat(self.path("in/" + name)), os.lstat(self.path("out/" + name))
            self.assertEqual((before.st_mode, before.st_nlink, before.st_size, before.st_uid, before.st_mtime_ns),
                             (after.st_mode, after.st_nlink, after.st_size, after.st_uid, after.st_mtime_ns), name)
        self.assertEqual(os.getxattr(self.path("out/d"), "user.a"), b"b")
        self.assertLess(os.stat(self.path("out/again")).st_blocks * 512, 10 << 20)

    def test_files_that_end_with_zeros_keep_their_size(self):
        sizes = {"whole": 3 << 20, "odd": (3 << 20) + 70_000, "small": 100}
        os.mkdir(self.path("zeros"))
        for name, size in sizes.items():
            with open(self.path(f"zeros/{name}"), "wb") as file:
                file.write(b"x" + bytes(size - 1))
        self.run_command("pip", "store", "import", self.path("zero-store"), self.path("zeros"))
        self.run_command("pip", "store", "export", self.path("zero-store"), self.path("back"))
        for name, size in sizes.items():
            with open(self.path(f"back/{name}"), "rb") as file:
                self.assertEqual(file.read(), b"x" + bytes(size - 1), name)
        self.assertEqual(os.stat(self.path("zero-store/metadata")).st_mode & 0o077, 0)

    def test_what_is_wrong(self):
        told = self.run_command("pip", "store", "check", self.path("store"), status=1)
        self.assertIn("is in use by another process", told)
        os.mkdir(self.path("full"))
        with open(self.path("full/file"), "w", encoding="ascii"):
            pass
        self.assertIn("is no store", self.run_command("pip", "store", "check", self.path("full"), status=1))
        self.assertIn("is no store", self.run_command("pip", "store", "import", self.path("full"), "/etc", status=1))
        self.assertIn("no rule", self.run_command("pip", "store", "gc", "--keep", "most", self.path("store"), status=1))
        self.write("f", os.urandom(20000).hex())
        self.end("kill")
        pack = self.path("store/packs/00000001.pack")
        with open(pack, "r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"damaged")
        told = self.run_command("pip", "store", "check", self.path("store"), status=1)
        self.assertIn(f"{pack}: the chunk blake2b-256:", told)
        os.rename(self.path("store/metadata"), self.path("elsewhere"))
        for command in ("check", "stat"):
            told = self.run_command("pip", "store", command, self.path("store"), status=1)
            self.assertIn("has packs, but no", told)
        os.rename(self.path("elsewhere"), self.path("store/metadata"))
        with open(self.path("store/format"), "w", encoding="ascii") as file:
            file.write("osp store 99\n")
        self.assertIn("another form ('osp store 99')", self.run_command("pip", "store", "stat", self.path("store"), status=1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
