#!/usr/bin/python3
"""Runs the Linux Test Project's system-call tests outside and inside: what passes outside must pass inside."""

import sys

sys.dont_write_bytecode = True

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pwd
import shutil
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "programs"))

import apart
import runner
import suite
from harness import process, world

PLAIN_ID = 61234


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ltp", default=os.environ.get("LTPROOT", "/opt/ltp"), metavar="DIR",
                        help="where the Linux Test Project is installed (default: $LTPROOT, or /opt/ltp)")
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--door", choices=("run", "preload", "env"), default="run",
                        help="how to run inside (default: run; env compares outside with outside)")
    parser.add_argument("--user", choices=("root", "plain"), help="as whom (default: the present user)")
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help="only these tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at a time (default: processors)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs inside of each test; all must pass")
    parser.add_argument("--timeout", type=float, default=150, metavar="SECONDS", help="of each test (default: 150)")
    parser.add_argument("--once", action="store_true",
                        help="do not run alone again what fails beside others")
    parser.add_argument("--outside-only", action="store_true", help="only sees what passes outside")
    parser.add_argument("--cache", metavar="FILE",
                        help="where results outside are kept (default: BUILD/ltp-outside-USER.json)")
    parser.add_argument("--fresh", action="store_true", help="run outside again what the cache has")
    parser.add_argument("--json", metavar="FILE", help="writes each result to FILE")
    return parser.parse_args()


def user_of(choice):
    """Whom the tests run as. Only root can run as another user."""
    if os.geteuid() != 0:
        if choice == "root":
            raise suite.SuiteError("--user root: this is not root")
        return process.User(pwd.getpwuid(os.getuid()).pw_name)
    return process.User("plain", PLAIN_ID, PLAIN_ID) if choice == "plain" else process.User("root")


def selected(options):
    """The tests that were asked for; says which were not built."""
    found, absent = suite.tests(options.ltp)
    if options.only:
        unknown = set(options.only) - {test.name for test in found}
        if unknown:
            raise suite.SuiteError(f"no test is called {', '.join(sorted(unknown))}, or it was not built")
        return [test for test in found if test.name in options.only]
    print(f"LTP {suite.version(options.ltp)}: {len(found)} tests, {len(absent)} not built", flush=True)
    return found


class Cache:
    """Results outside, kept in a file: they do not change with Osprey."""

    def __init__(self, path, label, fresh):
        self.path, self.label, self.rows = path, label, {}
        if not fresh and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            if kept["of"] == label:
                self.rows = {name: suite.Result(**row) for name, row in kept["results"].items()}

    def add(self, results):
        self.rows.update(results)
        text = {"of": self.label, "results": {name: dataclasses.asdict(row) for name, row in self.rows.items()}}
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(text, file, indent=1)
        os.replace(self.path + ".new", self.path)


def run_one(how, test, door):
    return test.name, how.run(test, door)


def run_all(how, tests, door, jobs):
    """The result of each test by its name. Says how far it is when a terminal watches."""
    context, results, start = multiprocessing.get_context("fork"), {}, time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(jobs, context, runner.become_worker) as pool:
        waiting = [pool.submit(run_one, how, test, door) for test in tests]
        try:
            for future in concurrent.futures.as_completed(waiting):
                name, result = future.result()
                results[name] = result
                progress(door, len(results), len(tests), sum(one.passed for one in results.values()), start, name)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results


def progress(door, done, count, passed, start, name):
    if sys.stderr.isatty():
        where = "outside" if door == "env" else "inside"
        print(f"\r\033[K{where}: {done} of {count}, {passed} passed, {time.monotonic() - start:.0f} s  {name}", end="",
              file=sys.stderr, flush=True)


def see(how, tests, door, options, again):
    """Runs the tests; those for which `again` holds run once more, alone, unless --once."""
    results = run_all(how, tests, door, options.jobs)
    if options.jobs > 1 and not options.once:
        results.update(run_all(how, [test for test in tests if again(results[test.name])], door, 1))
    return results


def outside(how, tests, options, user):
    """Results outside, from the cache where it has them."""
    path = options.cache or os.path.join(options.build, f"ltp-outside-{user.name}.json")
    given = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("LTP_")]
    cache = Cache(path, " ".join([f"LTP {suite.version(options.ltp)} as {user.name}", *given]), options.fresh)
    missing = [test for test in tests if test.name not in cache.rows]
    if missing:
        cache.add(see(how, missing, "env", options, lambda one: not one.passed and not one.skipped
                      and not one.timed_out))
    return {test.name: cache.rows[test.name] for test in tests}


def inside(how, tests, options):
    """The worst result of `--repeat` runs inside of each test."""
    worst = {}
    for _ in range(options.repeat):
        for name, result in see(how, tests, options.door, options, lambda one: not one.passed).items():
            if name not in worst or worst[name].passed:
                worst[name] = result
    return worst


def write_json(path, without, within):
    rows = [{"test": name, "outside": dataclasses.asdict(result),
             "inside": dataclasses.asdict(within[name]) if name in within else None}
            for name, result in without.items()]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)


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
    user, tests = user_of(options.user), selected(options)
    base = tempfile.mkdtemp(prefix="osp-ltp.", dir="/tmp")
    os.chmod(base, 0o755)
    try:
        doors = [] if options.outside_only else [options.door]
        build = world.Build.copied(options.build, os.path.join(base, "osp"), doors)
        how = runner.Runner(options.ltp, base, build, user, options.timeout)
        without = outside(how, tests, options, user)
        passing = [test for test in tests if without[test.name].passed]
        within = inside(how, passing, options) if passing and doors else {}
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        write_json(options.json, without, within)
    return 0 if summary(user, without, within) else 1


if __name__ == "__main__":
    try:
        apart.enter()
        sys.exit(main())
    except (world.WorldError, suite.SuiteError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
