"""What the tests of this folder share: osp-boot with the real kernel, in QEMU."""

import os
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv.pop()) if len(sys.argv) > 1 else None
OSP_BOOT = os.path.join(BUILD or "", "bin/osp-boot")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


class MachineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="osp-native-")
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, contents, mode=0o755):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as out:
            out.write(contents)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def boot(self, *arguments, **more):
        """stdout, stderr and status."""
        more.setdefault("timeout", 100)
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([OSP_BOOT, "--timeout", "60", *arguments], capture_output=True, env=ENVIRONMENT,
                              cwd=self.folder, check=False, **more)
        return done.stdout, done.stderr, done.returncode

    def script(self, text, *options, **more):
        """The same of a script for busybox's shell."""
        return self.boot(*options, "--", "busybox", "sh", "-c", text, **more)

    def start(self, *arguments, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([OSP_BOOT, "--timeout", "60", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=self.folder, **more)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def refused(self, status, words, *arguments):
        """The machine, or osp-boot before it, ends with this status and one line that has these words."""
        out, error, got = self.boot(*arguments)
        text = error.decode()
        self.assertEqual((out, got), (b"", status), text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("osp-boot: "), text)
