"""Suites whose tests have many parts (a module's test methods, a script's numbered checks): each part's
verdict outside is compared with that inside."""

import argparse
import dataclasses
import os
import shutil
import tempfile

import many
import runner
from harness import world

TAIL_BYTES = 20000
DIFFERENCES = 40   # of one test that are printed


@dataclasses.dataclass
class Result:
    """How a test ended, and its parts' verdicts by name: passed, skipped, or what it says of a failure."""
    status: int
    seconds: float
    timed_out: bool
    parts: dict
    tail: str

    @property
    def passed(self):
        return self.status == 0 and not self.timed_out

    @property
    def verdict(self):
        return "timeout" if self.timed_out else f"exit {self.status}"

    @classmethod
    def of(cls, ended, parts):
        tail = ended.output[-TAIL_BYTES:].decode(errors="replace")
        return cls(ended.status, round(ended.seconds, 1), ended.timed_out, parts, tail)


def differences(without, within):
    """The parts that have another verdict inside, as (name, outside, inside), sorted."""
    names = sorted(without.parts.keys() | within.parts.keys())
    pairs = [(name, without.parts.get(name, "not reached"), within.parts.get(name, "not reached")) for name in names]
    return [row for row in pairs if row[1] != row[2]]


def same(without, within):
    return without.passed == within.passed and not differences(without, within)


def outside(how, tests, options, user):
    """Results outside, from the cache where it has them."""
    path = options.cache or os.path.join(options.build, f"{how.suite.name}-outside-{user.name}.json")
    cache = many.Cache(path, f"{how.suite.label} as {user.name}", Result, options.fresh)
    missing = [test for test in tests if test.name not in cache.rows]
    if missing:
        cache.add(many.see(how, missing, "env", options, lambda one: not one.passed))
    return {test.name: cache.rows[test.name] for test in tests}


def inside(how, tests, options, without):
    """The first different result, else the last, of `--repeat` runs inside of each test."""
    found = {}
    for _ in range(options.repeat):
        steady = [test for test in tests if test.name not in found or same(without[test.name], found[test.name])]
        results = many.run_all(how, steady, options.door, options.jobs)
        again = [test for test in steady if not same(without[test.name], results[test.name])]
        if again and not options.once and options.jobs > 1:
            results.update(many.run_all(how, again, options.door, 1))
        found.update(results)
    return found


def tell(name, without, within):
    """Prints how a test differs."""
    rows = differences(without, within)
    print(f"{name}: outside {without.verdict}, {without.seconds} s; inside {within.verdict}, {within.seconds} s; "
          f"{len(rows)} of {len(without.parts)} parts differ")
    for part, before, after in rows[:DIFFERENCES]:
        print(f"    {part}: outside {before}, inside {after}")
    if len(rows) > DIFFERENCES:
        print(f"    … {len(rows) - DIFFERENCES} more")


def summary(user, without, within):
    """Prints what differs, and the counts; whether nothing does."""
    for name, result in within.items():
        if not same(without[name], result):
            tell(name, without[name], result)
    right = sum(same(without[name], result) for name, result in within.items())
    count = sum(len(result.parts) for result in without.values())
    passed = sum(verdict == "passed" for result in without.values() for verdict in result.parts.values())
    print(f"as {user.name}: {len(without)} tests; outside {count} parts, {passed} passed")
    if within:
        different = sum(len(differences(without[name], result)) for name, result in within.items())
        print(f"inside {right} of {len(within)} tests are the same; {different} of {count} parts differ")
    return right == len(within) and count > 0


def run(suite, options):
    """Runs `suite` (runner.Runner's, with name, label and tests()) as the options say; the exit status."""
    user, tests = many.user_of(options.user), many.chosen(suite.tests(), options.only)
    base = tempfile.mkdtemp(prefix=f"osp-{suite.name}.", dir="/tmp")
    os.chmod(base, 0o755)
    try:
        doors = [] if options.outside_only else [options.door]
        build = world.Build.copied(options.build, os.path.join(base, "osp"), doors)
        how = runner.Runner(suite, base, build, user, options.timeout)
        without = outside(how, tests, options, user)
        within = inside(how, tests, options, without) if doors else {}
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        many.write_json(options.json, without, within)
    return 0 if summary(user, without, within) else 1


def parser(description, root):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="of each test (default: 600)")
    many.add_options(made, root)
    return made
