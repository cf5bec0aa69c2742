"""What the Linux Test Project brings: its list of system-call tests, and what a test's end says."""

import dataclasses
import os
import re
import shlex

import many

# The bits of a test's exit status (LTP's tst_res_flags.h).
FAILED, BROKEN, WARNED, SKIPPED = 1, 2, 4, 32
TOLD = re.compile(rb"\b(TFAIL|TBROK|TCONF|TWARN)\b")
SHELL = set("$;&|<>*`")
LINE_BYTES = 240
TAIL_BYTES = 3000


@dataclasses.dataclass(frozen=True)
class Test:
    """One line of runtest/syscalls."""
    name: str
    command: str

    def argv(self, folder):
        """The command's words; the program by its whole path below `folder`."""
        if SHELL & set(self.command):
            return ["/bin/sh", "-c", self.command]
        words = shlex.split(self.command)
        program = os.path.join(folder, words[0])
        return [program if os.path.exists(program) else words[0], *words[1:]]


@dataclasses.dataclass
class Result:
    """How a test ended. `status` is the exit status, or minus the signal's number."""
    status: int
    seconds: float
    timed_out: bool = False
    line: str = ""
    tail: str = ""

    @property
    def passed(self):
        return self.status == 0 and not self.timed_out

    @property
    def skipped(self):
        """Whether the test said that it cannot be run here, and nothing else."""
        return self.status == SKIPPED and not self.timed_out

    @property
    def verdict(self):
        """The end in one word."""
        if self.timed_out:
            return "timeout"
        if self.status < 0 or self.status > 128:
            return f"signal {-self.status if self.status < 0 else self.status - 128}"
        if self.status in (126, 127):
            return "not run"
        for bit, word in ((BROKEN, "broken"), (FAILED, "failed"), (WARNED, "warned"), (SKIPPED, "skipped")):
            if self.status & bit:
                return word
        return "passed" if self.status == 0 else f"exit {self.status}"

    @classmethod
    def of(cls, status, seconds, timed_out, output):
        """From what was seen; `output` is stdout with stderr."""
        told = [line for line in output.splitlines() if TOLD.search(line)]
        worst = [line for word in (b"TBROK", b"TFAIL", b"TWARN", b"TCONF") for line in told if word in line]
        worst.sort(key=lambda line: b"TCONF" in line)
        first = worst[0][:LINE_BYTES].decode(errors="replace").strip() if worst else ""
        passed = status == 0 and not timed_out
        return cls(status, round(seconds, 3), timed_out, "" if passed else first,
                   "" if passed else output[-TAIL_BYTES:].decode(errors="replace"))


class Ltp:
    """What a Runner asks of the suite that is installed at `root`."""

    def __init__(self, root):
        self.root, self.bin = root, os.path.join(root, "testcases", "bin")

    def argv(self, test, _home):
        return test.argv(self.bin)

    def environment(self, env):
        """As tests/programs has it, and what LTP asks for."""
        given = {name: value for name, value in os.environ.items() if name.startswith("LTP_")}
        return {**env, "PATH": f"{self.bin}:{env['PATH']}", "LTPROOT": self.root, "LTP_COLORIZE_OUTPUT": "n", **given}

    def result(self, _test, ended, _home):
        return Result.of(ended.status, ended.seconds, ended.timed_out, ended.output)


def version(root):
    """What LTP calls itself."""
    try:
        with open(os.path.join(root, "Version"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "of unknown version"


def tests(root):
    """The tests of runtest/syscalls whose programs are there, and the names of those without one."""
    try:
        with open(os.path.join(root, "runtest", "syscalls"), encoding="utf-8") as file:
            lines = [line.split(None, 1) for line in file if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise many.SuiteError(f"the Linux Test Project is not at {root} ({error.strerror}): install it there, or name "
                         "the folder with --ltp or $LTPROOT (tests/conformance/README.md)") from error
    folder = os.path.join(root, "testcases", "bin")
    found = [Test(line[0], line[1].strip()) for line in lines if len(line) == 2]
    built = [test for test in found if os.path.exists(test.argv(folder)[0])]
    if not built:
        raise many.SuiteError(f"{folder} has none of the tests: build and install them (tests/conformance/README.md)")
    return built, [test.name for test in found if test not in built]
