#!/usr/bin/python3
"""Name spaces natively: what --ns, -b and -m make of the packed files, and what they say where that cannot be."""

import sys

sys.dont_write_bytecode = True

import unittest

from machine import MachineTest


class Names(MachineTest):
    def setUp(self):
        super().setUp()
        self.file("tree/one/x", b"x of one\n")
        self.file("tree/two/x", b"x of two\n")
        self.file("tree/two/y", b"y of two\n")
        self.add = ["--add", self.path("tree")]

    def ns(self, text, name="test.ns"):
        return ["--ns", self.file(name, text.encode())]

    def test_binds(self):
        names = self.ns(f"# a file\nbind -p {self.folder}/tree/one /n/one\nbind /n/one $HERE\n")
        out = self.script("busybox cat /n/one/x tree/two/x; busybox ls tree/two", "-e",
                          f"HERE={self.folder}/tree/two", *names, *self.add)
        self.assertEqual(out, (b"x of one\nx of one\nx\n", b"", 0))

    def test_the_options_take_effect_in_order(self):
        names = self.ns("bind tree/one tree/two\n")
        out = self.script("busybox cat /n", "-b", "-p tree/two/x=/n", *names, *self.add)
        self.assertEqual(out, (b"x of two\n", b"", 0))

    def test_a_union(self):
        names = self.ns("bind -p tree/one /u\nbind -a tree/two /u\n. more.ns\n")
        self.file("more.ns", b"mount -bc '#m' /u\n")
        text = "busybox ls /u; busybox cat /u/x /u/y; echo new > /u/z; busybox cat /u/z; busybox ls tree/one tree/two"
        out = self.script(text, *names, *self.add)
        self.assertEqual(out, (b"x\ny\nx of one\ny of two\nnew\ntree/one:\nx\n\ntree/two:\nx\ny\n", b"", 0))

    def test_memory_has_instances(self):
        names = self.ns("mount -p '#m.a' /a\nmount -p '#m.b' /b\nmount -p '#m.a' /c\n")
        self.assertEqual(self.script("echo 1 > /a/f; busybox ls /b /c", *names), (b"/b:\n\n/c:\nf\n", b"", 0))

    def fails(self, text, *words):
        self.refused(125, words, *self.ns(text), *self.add, "--", "busybox", "true")

    def test_errors(self):
        place = self.path("test.ns")
        self.fails("\n  bind tree/none tree/one\n", f"{place}:2:3: tree/none: No such file", "--add, --root")
        self.fails("bind tree/one /nowhere\n", f"{place}:1:1: /nowhere: No such file", "use -p")
        self.fails("bind tree/one/x tree/two\n", f"{place}:1:1: tree/two: a file cannot be put on a directory")
        self.fails("mount -p pip://192.0.2.1/src /src\n", f"{place}:1:1: pip://192.0.2.1/src: the machine has no network",
                   "osp-run")
        self.fails("mount -p '#U/etc' /etc\n", f"{place}:1:1: #U/etc: no host's files", "--add")
        self.fails("mount -p '#x' /etc\n", f"{place}:1:1: #x: there is no such device", "#m")
        self.fails("# well\n. more.ns\n", f"{place}:2:3:", "more.ns: No such file")

    def test_errors_of_included_files_and_options(self):
        more = self.file("more.ns", b"\n\nbind tree/none /n\n")
        self.fails(". more.ns\n", f"{more}:3:1: tree/none")
        self.refused(125, ["command line, -b option 2: none: No such file"], "-b", "tree/one=tree/two", "-b", "none=tree",
                     *self.add, "--", "busybox", "true")
        self.refused(125, ["command line, -m option 1: pip://h/t: the machine has no network"], "-m", "pip://h/t=tree",
                     *self.add, "--", "busybox", "true")

    def test_a_root_without_dev_and_proc(self):
        with open("/bin/busybox", "rb") as busybox:
            self.file("root/bin/busybox", busybox.read())
        out = self.boot("--root", self.path("root"), "--", "/bin/busybox", "sh", "-c",
                        "echo gone > /dev/null; read name < /proc/self/comm; echo $name")
        self.assertEqual(out, (b"busybox\n", b"", 0))


class Trace(MachineTest):
    def test_to_a_file(self):
        out = self.boot("--trace=calls, all", "--", "/bin/echo", "hi")
        self.assertEqual(out, (b"hi\n", b"", 0))
        with open(self.path("calls, all"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertIn('[2] write(1, "hi\\n", 3) = 3', lines)
        self.assertTrue(lines[-1].startswith("[2] exit_group(0)"), lines[-1])

    def test_to_standard_error(self):
        out, error, status = self.boot("--trace", "--", "/bin/echo", "hi")
        self.assertEqual((out, status), (b"hi\n", 0))
        self.assertIn(b'[2] write(1, "hi\\n", 3) = 3\n', error)

    def test_a_file_that_cannot_be(self):
        self.refused(125, ["--trace: ", "none/calls: No such file"], "--trace=none/calls", "--", "/bin/echo")


if __name__ == "__main__":
    unittest.main()
