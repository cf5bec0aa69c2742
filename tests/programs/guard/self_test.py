#!/usr/bin/python3
"""The guard finds a call that goes past the core, and nothing else: self_test.py BUILD-FOLDER."""

import sys

sys.dont_write_bytecode = True

import os
import platform
import subprocess
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv.pop())
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
RUN = os.path.join(BUILD, "bin/osp-run")
ESCAPED = 99
# Waits without a call until a byte of a file changes, and makes one from an instruction that made none before.
WAITING = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  volatile char *flag = mmap(0, 1, PROT_READ, MAP_SHARED, open(argv[argc - 1], O_RDONLY), 0);
  printf("%d\n", getpid());
  fflush(stdout);
  while (*flag == '0') {}
  long group;
  __asm__ volatile("syscall" : "=a"(group) : "a"(SYS_getpgid), "D"(0) : "rcx", "r11", "memory");
  return group > 0 ? 0 : 1;
}
"""


class Guard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="osp-guard.")
        for name in ("guard", "escape"):
            subprocess.run(["g++", "-std=c++23", "-O1", "-static", f"-I{ROOT}", os.path.join(HERE, name + ".cc"), "-o",
                            cls.path(name)], check=True)
        with open(cls.path("waiting.c"), "w", encoding="ascii") as source:
            source.write(WAITING)
        subprocess.run(["gcc", "-O1", cls.path("waiting.c"), "-o", cls.path("waiting")], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def guarded(self, *command):
        done = subprocess.run([self.path("guard"), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
        return done.stdout, done.stderr, done.returncode

    def test_what_is_right_is_passed_on(self):
        script = "for i in 1 2; do /bin/echo $i; done; exit 3"
        self.assertEqual(self.guarded(RUN, "bash", "-c", script), ("1\n2\n", "", 3))
        self.assertEqual(self.guarded(RUN, "bash", "-c", "kill -KILL $$")[2], -9)

    def test_a_call_from_elsewhere(self):
        out, error, status = self.guarded(self.path("escape"))
        self.assertEqual((out, status), ("", ESCAPED))
        self.assertIn("outside of the core", error)
        self.assertIn("/escape", error)

    def waiting(self, let_out):
        with open(self.path("flag"), "w+b") as flag:
            flag.write(b"0")
            flag.flush()
            program = subprocess.Popen([self.path("guard"), RUN, self.path("waiting"), self.path("flag")],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            pid = program.stdout.readline().strip()
            if let_out:
                subprocess.run([self.path("escape"), pid], check=True)
            flag.seek(0)
            flag.write(b"1")
            flag.flush()
            error = program.communicate(timeout=120)[1]
        return error, program.returncode

    def test_a_call_is_the_cores(self):
        self.assertEqual(self.waiting(False), ("", 0))

    @unittest.skipIf(tuple(int(n) for n in platform.release().split(".")[:2]) < (6, 4), "Linux 6.4 lets another turn it off")
    def test_a_program_that_is_let_out(self):
        error, status = self.waiting(True)
        self.assertEqual(status, ESCAPED, error)
        self.assertIn("made system call 121", error)  # getpgid
        self.assertIn("/waiting", error)


if __name__ == "__main__":
    unittest.main()
