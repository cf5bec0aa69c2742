#!/usr/bin/python3
"""Runs Python's own test modules outside and inside, and compares each test's result."""

import sys

sys.dont_write_bytecode = True

import dataclasses
import os
import subprocess
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "programs"))

import many
import parts
from harness import world

MODULES = """test_os test_io test_threading test_subprocess test_signal test_socket test_select test_selectors
test_asyncio test_multiprocessing_fork test_mmap test_fcntl test_pty test_tempfile test_shutil test_sqlite3""".split()
LEFT_OUT = ["*[Vv]sock*", "*VSOCK*"]  # these wait for ever outside too, where the machine is a guest itself


@dataclasses.dataclass(frozen=True)
class Module:
    name: str


class Python:
    """What a Runner asks; `command` is the interpreter, `ignored` are globs of tests that are left out."""
    name = "python"

    def __init__(self, command, modules, ignored):
        self.command, self.modules, self.ignored = command, modules, ignored

    @property
    def label(self):
        return f"{self.command} without {' '.join(self.ignored)}"

    def tests(self):
        """The modules that there are: Debian's package has no test_sqlite3, for one. Says which are not."""
        ask = "import sys, importlib.util as u; print(*(m for m in sys.argv[1:] if u.find_spec('test.' + m)))"
        found = subprocess.run([self.command, "-c", ask, *self.modules], stdout=subprocess.PIPE, text=True, check=True)
        if absent := set(self.modules) - set(found.stdout.split()):
            print(f"not there: {' '.join(sorted(absent))}", flush=True)
        return [Module(name) for name in found.stdout.split()]

    def argv(self, test, home):
        left_out = [word for glob in self.ignored for word in ("-i", glob)]
        return [self.command, "-m", "test", "-v", "--tempdir", home, "--junit-xml", os.path.join(home, "result.xml"),
                *left_out, test.name]

    def environment(self, env):
        return env

    def result(self, _test, ended, home):
        try:
            root = xml.etree.ElementTree.parse(os.path.join(home, "result.xml")).getroot()
        except (OSError, xml.etree.ElementTree.ParseError):
            return parts.Result.of(ended, {})
        return parts.Result.of(ended, {case.get("name"): verdict(case) for case in root.iter("testcase")})


def verdict(case):
    """A testcase element's end in one word."""
    for word in ("error", "failure", "skipped"):
        if case.find(word) is not None:
            return word
    return "passed"


def main():
    parser = parts.parser(__doc__, ROOT)
    parser.add_argument("--python", default="/usr/bin/python3", metavar="FILE",
                        help="the interpreter, which needs its test package (default: /usr/bin/python3)")
    parser.add_argument("--ignore", action="append", default=LEFT_OUT, metavar="GLOB", help="tests to leave out")
    options = parser.parse_args()
    return parts.run(Python(options.python, options.only or MODULES, options.ignore), options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (world.WorldError, many.SuiteError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
