#!/usr/bin/python3
"""Runs perl's or git's own test scripts outside and inside, and compares each numbered check (TAP)."""

import sys

sys.dont_write_bytecode = True

import dataclasses
import glob
import os
import re
import shlex

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "programs"))

import many
import parts
from harness import world

CHECK = re.compile(rb"^(not )?ok (\d+)\b[^#\n]*(?:# *(skip|todo))?", re.IGNORECASE | re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Script:
    name: str


class Tap:
    """What a Runner asks of the suite `name` whose sources are at `root`; scripts by `patterns` below `folder`."""

    def __init__(self, root, patterns):
        self.root, self.patterns = os.path.abspath(root), patterns
        self.label = f"{self.name} at {self.root}"

    def tests(self):
        folder = os.path.join(self.root, "t")
        found = sorted({path for one in self.patterns for path in glob.glob(os.path.join(folder, one))})
        if not found:
            raise many.SuiteError(f"{folder} has no {' '.join(self.patterns)}: see tests/conformance/README.md")
        return [Script(os.path.relpath(path, folder)) for path in found]

    def environment(self, env):
        return env

    def result(self, _test, ended, _home):
        checks = {number.decode(): "skipped" if why.lower() == b"skip" else "todo" if why else
                  "failed" if bad else "passed" for bad, number, why in CHECK.findall(ended.output)}
        return parts.Result.of(ended, checks)


class Perl(Tap):
    """t/ of perl's source, with the machine's own perl of the same version and its library."""
    name, default = "perl", ["op/*.t", "io/*.t", "lib/*.t", "re/*.t", "uni/*.t", "base/*.t", "cmd/*.t"]

    def argv(self, test, home):
        """The scripts want to be in a folder t that they can write to, beside lib, with ./perl in it."""
        made = (f"mkdir t && ln -s {self.root}/t/* t/ && rm -f t/perl && ln -s /usr/bin/perl t/perl && "
                f"ln -s {self.root}/lib lib && cd t && exec ./perl {shlex.quote(test.name)}")
        return ["/bin/sh", "-c", made]


class Git(Tap):
    """t/ of git's source, which is built where it is."""
    name, default = "git", ["t[0-5]*.sh"]

    def argv(self, test, home):
        return ["/bin/sh", "-c", f"cd {self.root}/t && exec /bin/sh ./{test.name} --root={home}"]

    def environment(self, env):
        return {**env, "TEST_OUTPUT_DIRECTORY": env["HOME"], "TEST_NO_MALLOC_CHECK": "1"}


def main():
    parser = parts.parser(__doc__, ROOT)
    parser.add_argument("suite", choices=("perl", "git"))
    parser.add_argument("--root", required=True, metavar="DIR", help="where the suite's source is")
    parser.add_argument("--scripts", nargs="+", metavar="GLOB", help="which scripts of t/ (default: the suite's own)")
    options = parser.parse_args()
    kind = {"perl": Perl, "git": Git}[options.suite]
    return parts.run(kind(options.root, options.scripts or kind.default), options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (world.WorldError, many.SuiteError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
