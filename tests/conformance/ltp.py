#!/usr/bin/python3
"""Runs the Linux Test Project's system-call tests outside and inside: what passes outside must pass inside."""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import shutil
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "programs"))

import apart
import many
import runner
import suite
from harness import world


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ltp", default=os.environ.get("LTPROOT", "/opt/ltp"), metavar="DIR",
                        help="where the Linux Test Project is installed (default: $LTPROOT, or /opt/ltp)")
    parser.add_argument("--timeout", type=float, default=150, metavar="SECONDS", help="of each test (default: 150)")
    many.add_options(parser, ROOT)
    return parser.parse_args()


def selected(options):
    """The tests that were asked for; says which were not built."""
    found, absent = suite.tests(options.ltp)
    if not options.only:
        print(f"LTP {suite.version(options.ltp)}: {len(found)} tests, {len(absent)} not built", flush=True)
    return many.chosen(found, options.only)


def outside(how, tests, options, user):
    """Results outside, from the cache where it has them."""
    path = options.cache or os.path.join(options.build, f"ltp-outside-{user.name}.json")
    given = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("LTP_")]
    label = " ".join([f"LTP {suite.version(options.ltp)} as {user.name}", *given])
    cache = many.Cache(path, label, suite.Result, options.fresh)
    missing = [test for test in tests if test.name not in cache.rows]
    if missing:
        cache.add(many.see(how, missing, "env", options, lambda one: not one.passed and not one.skipped
                           and not one.timed_out))
    return {test.name: cache.rows[test.name] for test in tests}


def inside(how, tests, options):
    """The worst result of `--repeat` runs inside of each test."""
    worst = {}
    for _ in range(options.repeat):
        for name, result in many.see(how, tests, options.door, options, lambda one: not one.passed).items():
            if name not in worst or worst[name].passed:
                worst[name] = result
    return worst


def summary(user, without, within):
    """Prints what fails inside only, and the counts; whether nothing does."""
    failed = {name: result for name, result in within.items() if not result.passed}
    for name, result in failed.items():
        print(f"{name}: {result.verdict}, {result.seconds:.1f} s (outside {without[name].seconds:.1f} s): {result.line}")
    skipped = sum(result.skipped for result in without.values())
    passed, right = sum(result.passed for result in without.values()), len(within) - len(failed)
    print(f"as {user.name}: {len(without)} tests; outside {passed} passed, {skipped} skipped, "
          f"{len(without) - passed - skipped} failed")
    if within:
        print(f"of the {len(within)} that pass outside, {right} pass inside: {100 * right / len(within):.1f} %")
    return not failed and (passed > 0)


def main():
    options = arguments()
    user, tests = many.user_of(options.user), selected(options)
    base = tempfile.mkdtemp(prefix="osp-ltp.", dir="/tmp")
    os.chmod(base, 0o755)
    try:
        doors = [] if options.outside_only else [options.door]
        build = world.Build.copied(options.build, os.path.join(base, "osp"), doors)
        how = runner.Runner(suite.Ltp(options.ltp), base, build, user, options.timeout)
        without = outside(how, tests, options, user)
        passing = [test for test in tests if without[test.name].passed]
        within = inside(how, passing, options) if passing and doors else {}
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        many.write_json(options.json, without, within)
    return 0 if summary(user, without, within) else 1


if __name__ == "__main__":
    try:
        apart.enter()
        sys.exit(main())
    except (world.WorldError, many.SuiteError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
