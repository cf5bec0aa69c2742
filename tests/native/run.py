#!/usr/bin/python3
"""Runs real programs natively, in QEMU on the microkernel, and compares output and status with their run on Linux."""

import sys

sys.dont_write_bytecode = True

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "programs"))

import root  # noqa: E402  beside this file
from harness import case as cases  # noqa: E402
from harness import compile as compiler  # noqa: E402

PATH = "/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", "LC_ALL": "C"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")))
    parser.add_argument("--case", nargs="+", action="extend", metavar="NAME", help="only these")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--smp", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--machine", default="microvm")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def load():
    """The cases of this folder, and those of tests/programs that it names in shared.txt."""
    found = cases.load(os.path.join(HERE, "cases"))
    with open(os.path.join(HERE, "shared.txt"), encoding="utf-8") as file:
        names = {line.split("#")[0].strip() for line in file} - {""}
    shared = [case for case in cases.load(os.path.join(ROOT, "tests", "programs", "cases")) if case.name in names]
    missing = names - {case.name for case in shared}
    if missing:
        sys.exit(f"shared.txt: no case is called {', '.join(sorted(missing))}")
    return found + shared


class World:
    """Where the cases' programs and roots are."""

    def __init__(self, options):
        self.options = options
        self.cache = os.path.join(options.build, "native")
        os.makedirs(self.cache, exist_ok=True)

    def files(self, case):
        """What the case needs of its own, by its name in both worlds, and its command."""
        compiled = case.suffix in (".c", ".go")
        source = compiler.program(case, os.path.join(self.cache, "programs")) if compiled else case.path
        place = f"/tmp/osp-native/{os.path.basename(source)}"
        return {place: source}, case.argv({"case": place, "exe": place})

    def root_for(self, case, files):
        base = root.base(self.cache, case.name)
        target = tempfile.NamedTemporaryFile(prefix="osp-root-", suffix=".cpio", delete=False)
        with target, open(base, "rb") as start:
            shutil.copyfileobj(start, target)
            target.write(root.compressed(root.archive(files | {"/tmp/osp-native": HERE, "/tmp/osp-work": HERE})))
        return target.name


def run(argv, timeout, **more):
    """stdout, stderr and status."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, env=ENVIRONMENT,
                          check=False, **more)
    return done.stdout, done.stderr, done.returncode


def outside(world, case, files, argv):
    for place, source in files.items():
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(source, place)
    work = tempfile.mkdtemp(prefix="osp-work-")
    try:
        return run(argv, world.options.timeout, cwd=work, start_new_session=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def inside(world, archive, argv, smp):
    options = world.options
    boot = [os.path.join(options.build, "bin", "osp-boot"), "--root", archive, "--smp", str(smp), "--machine",
            options.machine, "--timeout", str(int(options.timeout)), "--memory", "2G", "--chdir", "/tmp/osp-work"]
    return run([*boot, "--", *argv], options.timeout + 30)


def status(code):
    """As a shell has it, and osp-boot: 128 and the signal for what died of one."""
    return 128 - code if code < 0 else code


def difference(case, expected, got):
    """In words; empty: none."""
    for what, before, after in zip(("stdout", "stderr", "status"), expected, got):
        if what == "status":
            before, after = status(before), status(after)
        else:
            before, after = case.normalise(before), case.normalise(after)
        if before == after:
            continue
        if what == "status":
            return f"status {after}, on Linux {before}; stderr:\n{got[1].decode(errors='replace')[-1500:]}"
        lines = [line for line in difference_lines(before, after)]
        return f"{what} differs (- Linux, + native):\n" + "\n".join(lines[:24])
    return ""


def difference_lines(before, after):
    import difflib
    text = lambda data: data.decode(errors="backslashreplace").splitlines()
    return difflib.unified_diff(text(before), text(after), lineterm="", n=1)


def try_case(world, case):
    """Runs one case as often as asked; a line about it, and whether it was good."""
    files, argv = world.files(case)
    expected = outside(world, case, files, argv)
    archive = world.root_for(case, files)
    start = time.monotonic()
    good, total, trouble = 0, 0, ""
    try:
        for smp in world.options.smp:
            for _ in range(world.options.times):
                total += 1
                wrong = difference(case, expected, inside(world, archive, argv, smp))
                good += not wrong
                if wrong and not trouble:
                    trouble = f"-smp {smp}, run {total}: {wrong}"
                if wrong and not world.options.keep_going:
                    return f"FAILED  {case.name}: {good} of {total}\n{trouble}", False
    except subprocess.TimeoutExpired:
        return f"FAILED  {case.name}: no end after {world.options.timeout:.0f} s, {good} of {total} before", False
    finally:
        os.unlink(archive)
    seconds = (time.monotonic() - start) / max(total, 1)
    word = "passed" if good == total else "FAILED"
    return f"{word}  {case.name}: {good} of {total}, {seconds:.1f} s each\n{trouble}".rstrip(), good == total


def main():
    options = arguments()
    found = load()
    if options.case:
        unknown = set(options.case) - {case.name for case in found}
        if unknown:
            sys.exit(f"no case is called {', '.join(sorted(unknown))}; --list names them")
        found = [case for case in found if case.name in options.case]
    if options.list:
        for case in found:
            print(f"{case.name:24} {case.about}")
        return
    for case in [case for case in found if any(not shutil.which(name, path=PATH) for name in case.needs)]:
        print(f"missing  {case.name}: {' '.join(case.needs)} (scripts/packages)")
        sys.exit(1)
    world = World(options)
    good = True
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for line, passed in pool.map(lambda case: try_case(world, case), found):
            print(line, flush=True)
            good = good and passed
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
