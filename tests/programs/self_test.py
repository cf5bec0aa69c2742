#!/usr/bin/python3
"""Tests of the harness itself: that it sees a difference where there is one, and leaves nothing behind."""

import sys

sys.dont_write_bytecode = True

import os
import re
import subprocess
import tempfile
import unittest

from harness import case as cases
from harness import process, terminal, tree, unit, world

HERE = os.path.dirname(os.path.abspath(__file__))
ME = process.User("me")


class CaseTest(unittest.TestCase):
    def write(self, text, name="x.sh"):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_header_is_read(self):
        case = cases.Case(self.write("#: about: a\n#: on: host pip\n#: ignore: *.log\n#: normalise: s/pid [0-9]+/pid N/\n"))
        self.assertEqual(case.places, ["host", "pip"])
        self.assertTrue(case.ignores("d/x.log"))
        self.assertEqual(case.normalise(b"pid 12, pid 3"), b"pid N, pid N")
        self.assertEqual(case.argv({"case": "/c/x.sh"}), ["bash", "/c/x.sh"])

    def test_bad_headers_are_refused(self):
        for text in ("#: about: a\n#: color: red\n", "#: on: host\n", "#: about: a\n#: normalise: s/x/y\n"):
            with self.assertRaises(cases.CaseError):
                cases.Case(self.write(text))

    def test_every_case_is_well_formed(self):
        found = cases.load(os.path.join(HERE, "cases"))
        self.assertGreater(len(found), 30)
        self.assertEqual(len({case.name for case in found}), len(found))

    def test_static_programs_have_no_preload(self):
        self.assertEqual(cases.Case(self.write("//: about: a\n", "x.c"), "static").doors, ["run"])


class ProcessTest(unittest.TestCase):
    def run_shell(self, text, timeout=20):
        with tempfile.TemporaryDirectory() as folder:
            return process.run(["bash", "-c", text], env=world.base_env(ME, folder), cwd=folder, user=ME, timeout=timeout)

    def test_outputs_and_status(self):
        outcome = self.run_shell("echo out; echo err >&2; exit 3")
        self.assertEqual((outcome.stdout, outcome.stderr, outcome.status), (b"out\n", b"err\n", 3))
        self.assertEqual(self.run_shell("kill -9 $$").status, -9)

    def test_time_limit_kills_all_even_other_sessions(self):
        outcome = self.run_shell("setsid sleep 4242 & setsid -f sleep 4242; sleep 4242", timeout=0.5)
        self.assertTrue(outcome.timed_out)
        self.assertEqual(process.descendants(), [])

    def test_what_is_left_is_named_and_killed(self):
        process.LEAVING_SECONDS, usual = 0.2, process.LEAVING_SECONDS
        self.addCleanup(setattr, process, "LEAVING_SECONDS", usual)
        outcome = self.run_shell("setsid -f sleep 4243 >/dev/null 2>&1 </dev/null")
        self.assertEqual([re.sub(r"^\d+ ", "", name) for name in outcome.leftovers], ["sleep 4243"])
        self.assertEqual(process.descendants(), [])

    def test_a_peer_that_is_gone_is_an_error_and_no_death(self):
        reader, writer = os.pipe()
        os.close(reader)
        with self.assertRaises(BrokenPipeError):
            os.write(writer, b"x")
        os.close(writer)

    def test_programs_ignore_no_signal(self):
        ignored = self.run_shell("grep SigIgn /proc/self/status").stdout
        self.assertEqual(int(ignored.split()[1], 16), 0)


class TerminalTest(unittest.TestCase):
    def play(self, program, script, timeout=20):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.tty")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            return terminal.run(["bash", "-c", program], path, size=(24, 80), env=world.base_env(ME, folder), cwd=folder,
                                user=ME, timeout=timeout)

    def test_conversation(self):
        outcome = self.play("stty size; read x; echo got $x; exit 4", "expect 24 80\nsend hello\\n\nexpect got hello\n")
        self.assertEqual((outcome.stdout, outcome.status), (b"24 80\r\nhello\r\ngot hello\r\n", 4))

    def test_interrupt_reaches_the_foreground(self):
        self.assertEqual(self.play("echo ready; exec sleep 4244", "expect ready\nsend \\x03\n").status, -2)

    def test_ignored_signals_are_not_inherited(self):
        script = ("import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path.insert(0, sys.argv[1]);"
                  "from harness import process; process.become_reaper(); print(signal.getsignal(signal.SIGINT) == signal.SIG_DFL)")
        command = [sys.executable, "-B", "-c", script, HERE]
        self.assertEqual(subprocess.run(command, capture_output=True, text=True, check=False).stdout, "True\n")

    def test_missing_output_is_reported(self):
        self.assertIn(b"the output ended before", self.play("echo something", "expect nothing\n").stderr)


class TreeTest(unittest.TestCase):
    def test_differences_are_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            case = cases.load(os.path.join(HERE, "cases"))[0]
            path = os.path.join(folder, "f")
            seen = set()
            for content, mode in (("a", 0o644), ("b", 0o644), ("b", 0o600)):
                with open(path, "w", encoding="ascii") as file:
                    file.write(content)
                os.chmod(path, mode)
                seen.add("\n".join(tree.snapshot(folder, case)))
            os.symlink("f", os.path.join(folder, "l"))
            seen.add("\n".join(tree.snapshot(folder, case)))
            self.assertEqual(len(seen), 4)
            before = tree.snapshot(folder, case)
            os.utime(path, (1, 1))
            self.assertEqual(tree.snapshot(folder, case), before)

    def test_diff_names_the_part(self):
        lines = unit.differences({"stdout": "a\n", "stderr": ""}, {"stdout": "b\n", "stderr": ""})
        self.assertEqual(lines[:2], ["--- stdout outside", "+++ stdout inside"])


class RunTest(unittest.TestCase):
    """The command itself, on a case that is the same each time, and on one that is not."""

    def run_cases(self, text):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "probe.sh"), "w", encoding="utf-8") as file:
                file.write("#: about: a probe\n" + text)
            command = [os.path.join(HERE, "run.py"), "--build", folder, "--cases", folder, "--door", "env", "--times", "3"]
            return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_same_each_time(self):
        result = self.run_cases("echo stable; mkdir d; echo text >d/f; exit 5\n")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_different_each_time(self):
        result = self.run_cases("cat /proc/sys/kernel/random/uuid\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("+++ stdout inside", result.stdout)
        self.assertIn("repeat: ", result.stdout)
        for kept in re.findall(r"kept: (/tmp/osp-programs\.[^/]+)", result.stdout):
            subprocess.run(["rm", "-rf", kept], check=True)

    def test_doors_that_are_not_built(self):
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run([os.path.join(HERE, "run.py"), "--build", folder], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("build first", result.stderr)


if __name__ == "__main__":
    process.become_reaper()
    unittest.main()
