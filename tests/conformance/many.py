"""What the suites' runners share: whom tests run as, many at a time, and results outside that are kept."""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pwd
import sys
import time

import runner
from harness import process

PLAIN_ID = 61234


class SuiteError(Exception):
    """The tests are not there, or not as they should be."""


def add_options(parser, root):
    """The options that every suite has. `root` is the repository."""
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(root, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--door", choices=("run", "preload", "env"), default="run",
                        help="how to run inside (default: run; env compares outside with outside)")
    parser.add_argument("--user", choices=("root", "plain"), help="as whom (default: the present user)")
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help="only these tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at a time (default: processors)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs inside of each test; all must pass")
    parser.add_argument("--once", action="store_true", help="do not run alone again what fails beside others")
    parser.add_argument("--outside-only", action="store_true", help="only sees what passes outside")
    parser.add_argument("--cache", metavar="FILE",
                        help="where results outside are kept (default: BUILD/SUITE-outside-USER.json)")
    parser.add_argument("--fresh", action="store_true", help="run outside again what the cache has")
    parser.add_argument("--json", metavar="FILE", help="writes each result to FILE")


def user_of(choice):
    """Whom the tests run as. Only root can run as another user."""
    if os.geteuid() != 0:
        if choice == "root":
            raise SuiteError("--user root: this is not root")
        return process.User(pwd.getpwuid(os.getuid()).pw_name)
    return process.User("plain", PLAIN_ID, PLAIN_ID) if choice == "plain" else process.User("root")


def chosen(tests, names):
    """Those of `tests` that `names` asks for; all when it asks for none."""
    unknown = set(names or ()) - {test.name for test in tests}
    if unknown:
        raise SuiteError(f"no test is called {', '.join(sorted(unknown))}, or it was not built")
    return [test for test in tests if test.name in names] if names else tests


class Cache:
    """Results outside, kept in a file: they do not change with Osprey. `kind` is the dataclass of a result."""

    def __init__(self, path, label, kind, fresh):
        self.path, self.label, self.rows = path, label, {}
        if not fresh and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            if kept["of"] == label:
                self.rows = {name: kind(**row) for name, row in kept["results"].items()}

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


def write_json(path, without, within):
    rows = [{"test": name, "outside": dataclasses.asdict(result),
             "inside": dataclasses.asdict(within[name]) if name in within else None}
            for name, result in without.items()]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
