#!/usr/bin/python3
"""Checkpoints real programs at random moments, kills and restores them, and compares what they give in the end."""

import sys

sys.dont_write_bytecode = True

import argparse
import concurrent.futures
import multiprocessing
import os
import random
import shutil
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import attempt
import redis_server
from harness import case as cases
from harness import compile as compiler
from harness import process, world

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
QUICK_TIMES, SOAK_TIMES = 10, 50
LAST_MOMENT = 0.85      # of the undisturbed run's time
AGAIN = 0.3             # how often a restored program is stopped once more


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--door", choices=("env", "run", "preload"), default="run",
                        help="how to run; env only compares undisturbed runs (default: run)")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="only these programs")
    parser.add_argument("--times", type=int, help=f"moments for each program (default: {QUICK_TIMES})")
    parser.add_argument("--soak", action="store_true", help=f"{SOAK_TIMES} moments")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments (default: the time)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="programs at a time (default: processors)")
    parser.add_argument("--list", action="store_true", help="names the programs")
    return parser.parse_args()


def moments_of(seed, case, number, seconds):
    """When the attempt's program is stopped: one time, or several with a smaller chance."""
    generator = random.Random(f"{seed}.{case.name}.{number}")
    moments = [generator.uniform(0, LAST_MOMENT * seconds)]
    while generator.random() < AGAIN:
        moments.append(generator.uniform(0, LAST_MOMENT * max(0.1, seconds - sum(moments))))
    return moments


def run_case(case, locations, base, build, options, times):
    """All attempts with one program; a report, and whether they were right."""
    user, folder = process.User("root" if os.geteuid() == 0 else "plain"), os.path.join(base, "work", case.name)
    kind = redis_server.Server if case.name == "redis" else attempt.Program
    make = lambda door: kind(case, locations, folder, build, door, user)
    reference = make("env")
    reference.start()
    begun = reference.await_begun()
    expected = reference.finish()
    seconds = time.monotonic() - begun
    stops = early = 0
    for number in range(times):
        moments = [] if options.door == "env" else moments_of(options.seed, case, number, seconds)
        program = make(options.door)
        try:
            found, stopped = attempt.disturbed(program, os.path.join(base, f"{case.name}.osp"), moments)
            attempt.compare(expected, found)
        except attempt.Failed as failure:
            if program.process and program.process.poll() is None:
                program.kill()
            shown = ", ".join(f"{moment:.3f}" for moment in moments)
            return False, (f"FAILED {case.name}, attempt {number + 1} of {times}, stopped at {shown} s of {seconds:.2f}\n{failure}\n"
                           f"kept: {base}\nrepeat: {os.path.relpath(sys.argv[0])} --build {options.build} --case {case.name} "
                           f"--door {options.door} --times {number + 1} --seed {options.seed}")
        stops += stopped
        early += moments != [] and stopped == 0
    if moments and early > times // 2:
        return False, f"FAILED {case.name}: it ended before it could be stopped in {early} of {times} attempts"
    return True, f"passed {case.name}: {times} runs of {seconds:.1f} s, stopped and restored {stops} times"


def main():
    options = arguments()
    chosen = [c for c in cases.load(os.path.join(HERE, "cases")) if (not options.case or c.name in options.case)
              and (options.door == "env" or options.door in c.doors)]
    if options.list:
        for case in chosen:
            print(f"{case.name:12} {case.about}")
        return 0
    times = options.times or (SOAK_TIMES if options.soak else QUICK_TIMES)
    base = tempfile.mkdtemp(prefix="osp-checkpoint.", dir="/tmp")
    os.chmod(base, 0o755)
    os.mkdir(os.path.join(base, "cases"))
    tools = [] if options.door == "env" else ["osp"]
    build = world.Build.copied(options.build, os.path.join(base, "osp"), [options.door], tools)
    cache = os.path.join(options.build if os.access(options.build, os.W_OK) else base, "programs-cache")
    located = [(case, compiler.install(case, cache, os.path.join(base, "cases"))) for case in chosen]
    print(f"seed {options.seed}", flush=True)
    start, failed = time.monotonic(), 0
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, context, process.become_reaper) as pool:
        waiting = [pool.submit(run_case, case, locations, base, build, options, times) for case, locations in located]
        for future in concurrent.futures.as_completed(waiting):
            right, text = future.result()
            failed += not right
            print(text, flush=True)
    if not failed:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(chosen) - failed} of {len(chosen)} programs passed in {time.monotonic() - start:.0f} s")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (world.WorldError, cases.CaseError, compiler.CompileError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
