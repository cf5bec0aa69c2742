#!/usr/bin/python3
"""Runs real programs through Osprey's doors and compares each with its run outside."""

import sys

sys.dont_write_bytecode = True

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import pwd
import shutil
import tempfile
import time

from harness import case as cases
from harness import compile as compiler
from harness import process, unit, world

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLAIN_ID = 61234
SOAK_TIMES = 50


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--door", action="append", choices=world.DOORS,
                        help="how to run (default: run and preload); again for more than one")
    parser.add_argument("--user", choices=("root", "plain", "both"), default="both", help="default: both")
    parser.add_argument("--on", action="append", choices=("host", "pip", "pip-dir", "store"),
                        help="where the working directory lies: on the host, on a πp mount together with /usr, "
                             "on a πp mount alone, on a mount of a versioned store (default: host and pip)")
    parser.add_argument("--times", type=int, help="runs of each case (default: each case's own few)")
    parser.add_argument("--soak", action="store_true", help=f"everything {SOAK_TIMES} times")
    parser.add_argument("--case", nargs="+", action="extend", metavar="NAME", help="only these cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cases at a time (default: processors)")
    parser.add_argument("--timeout-scale", type=float, default=1.0, metavar="X", help="multiplies the time limits")
    parser.add_argument("--osp-run-options", nargs=argparse.REMAINDER, default=[], metavar="OPTION",
                        help="the rest of the line goes to osp-run")
    parser.add_argument("--cases", default=os.path.join(HERE, "cases"), metavar="DIR", help="where the cases are")
    parser.add_argument("--guard", action="store_true",
                        help="report each system call that does not come from the core; on the host's files only")
    parser.add_argument("--keep-going", action="store_true", help="do not stop a case at its first failure")
    parser.add_argument("--json", metavar="FILE", help="writes each result to FILE")
    parser.add_argument("--show", action="store_true", help="only shows what each case prints outside")
    parser.add_argument("--list", action="store_true", help="names the cases and what they try")
    options = parser.parse_args()
    if options.guard:  # the keeper, which mounts need, is a program of the host's
        options.on = ["host"]
    return options


def selected(options):
    """The cases that were asked for."""
    found = cases.load(options.cases)
    if options.case:
        unknown = set(options.case) - {case.name for case in found}
        if unknown:
            raise world.WorldError(f"no case is called {', '.join(sorted(unknown))}; --list names them")
        found = [case for case in found if case.name in options.case]
    return found


def users_for(choice):
    """The users to run as. Only root can run as another user."""
    if os.geteuid() != 0:
        if choice == "root":
            raise world.WorldError("--user root: this is not root")
        return {"plain": process.User(pwd.getpwuid(os.getuid()).pw_name)}
    everyone = {"root": process.User("root"), "plain": process.User("plain", PLAIN_ID, PLAIN_ID)}
    return everyone if choice == "both" else {choice: everyone[choice]}


def missing(case):
    return [name for name in case.needs if not shutil.which(name, path=world.PATH)]


def units_of(case, options, users, locations):
    """The case by each door, user and place that both it and the options name."""
    stand_ins = ("env", "proot", "bwrap")
    if not case.quick and not options.soak and not options.case:
        return
    times = options.times or (SOAK_TIMES if options.soak else max(1, case.quick))
    for door in options.door or ("run", "preload"):
        if door not in stand_ins and door not in case.doors:
            continue
        for place in options.on or ("host", "pip"):
            on_mount = place != "host"
            if on_mount and (door != "run" or "pip" not in case.places) or not on_mount and "host" not in case.places:
                continue
            for user in users:
                if user in case.users:
                    yield unit.Unit(case, door, user, place, times, locations)


def prepare(options, base, users):
    """Installs what the cases need below `base`; the settings and all units."""
    doors, places = options.door or ("run", "preload"), options.on or ("host", "pip")
    found = selected(options)
    served = any(place != "host" for place in places) and any("pip" in case.places for case in found)
    served = served and "run" in doors
    build = world.Build.copied(options.build, os.path.join(base, "osp"), doors, ["pipd", "pip"] if served else [])
    installed = os.path.join(base, "cases")
    os.mkdir(installed)
    cache = os.path.join(options.build if os.access(options.build, os.W_OK) else base, "programs-cache")
    units = []
    for case in found:
        if absent := missing(case):
            raise world.WorldError(f"case {case.name} needs {' '.join(absent)}: scripts/deps test installs it")
        units += units_of(case, options, users, compiler.install(case, cache, installed))
    repeat = f"{os.path.relpath(sys.argv[0])} --build {options.build}" + " --guard" * options.guard
    settings = unit.Settings(base, build, users, options.osp_run_options, options.timeout_scale, repeat,
                             options.keep_going, compiler.guard(ROOT, base) if options.guard else "")
    return settings, units


def run_one(settings, one):
    return unit.Runner(settings, one).run()


def run_all(settings, units, jobs):
    """Runs the units, `jobs` at a time, in processes of their own; yields reports as they come."""
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(jobs, context, process.become_reaper) as pool:
        waiting = [pool.submit(run_one, settings, one) for one in units]
        try:
            for future in concurrent.futures.as_completed(waiting):
                yield future.result()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise


def show(options):
    """Runs each case outside, and prints what it prints there."""
    options.door, options.on, options.times = ["env"], ["host"], 1
    base = tempfile.mkdtemp(prefix="osp-programs.", dir="/tmp")
    os.chmod(base, 0o755)
    process.become_reaper()
    try:
        settings, units = prepare(options, base, users_for(options.user))
        for one in units:
            print(f"=== {one.case.name} as {one.user}")
            for part, text in unit.Runner(settings, one).outside().parts.items():
                print(f"--- {part}\n{text}", end="" if part != "files" else f"({text.count(chr(10))} files)\n")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0


def write_json(path, reports):
    rows = [{"case": r.unit.case.name, "door": r.unit.door, "user": r.unit.user, "on": r.unit.place,
             "times": r.unit.times, "passed": r.passed, "failed": r.failures, "message": r.message,
             "outside_seconds": round(r.outside_seconds, 4),
             "inside_seconds": round(r.inside_seconds / max(1, r.passed + r.failures), 4)} for r in reports]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)


def say(report):
    if report.failures:
        print(report.message, flush=True)
        return
    seconds = report.inside_seconds / max(1, report.passed)
    print(f"passed {report.unit.name}: {report.passed} of {report.unit.times}, {seconds:.2f} s each, "
          f"{report.outside_seconds:.2f} s outside", flush=True)


def main():
    options = arguments()
    if options.list:
        for case in selected(options):
            print(f"{case.name:24} {case.about}")
        return 0
    if options.show:
        return show(options)
    base = tempfile.mkdtemp(prefix="osp-programs.", dir="/tmp")
    os.chmod(base, 0o755)
    start, reports, failed = time.monotonic(), [], []
    try:
        settings, units = prepare(options, base, users_for(options.user))
        for report in run_all(settings, units, options.jobs):
            reports.append(report)
            say(report)
        failed = [report for report in reports if report.failures]
    finally:
        if not failed:
            shutil.rmtree(base, ignore_errors=True)
    if options.json:
        write_json(options.json, reports)
    runs = sum(report.passed for report in reports)
    print(f"{len(reports) - len(failed)} of {len(reports)} units passed ({runs} runs) in "
          f"{time.monotonic() - start:.0f} s" + (f"; failed: {', '.join(r.unit.label for r in failed)}" if failed else ""))
    return 1 if failed or not reports else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (world.WorldError, cases.CaseError, compiler.CompileError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
