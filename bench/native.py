#!/usr/bin/python3
"""Measures what programs cost on the microkernel, beside a Linux guest in the same QEMU that runs the same binary.

Instructions are counted by QEMU (-icount shift=0: a tick of the time stamp counter is one, and so is a nanosecond of the
guest's clocks); the wall's figures are ratios of runs in turn. A missed goal changes no exit status.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import os
import shutil
import statistics
import tempfile

import native_sides as sides

# Measures of bench/native.c, with their goals in instructions.
COUNTED = {
    "clock": ("clock_gettime, by the vDSO", None),
    "null": ("null call of the program, answered (getppid)", 150),
    "futex": ("futex wake, wait and switch, one way", 1500),
    "yield": ("sched_yield, switch", 700),
    "pipe-threads": ("pipe between threads, there and back", None),
    "pipe-processes": ("pipe between processes, there and back", None),
    "fork": ("fork, exit, wait", 250000),
}
# Lines of tests/kernel/cost.cc.
KERNEL = {
    "message: send, receive, switch, one way": 400,
    "message: exchange, switch, one way": 400,
    "null call": None,
    "futex: wake, wait, switch, one way": None,
    "yield, switch, one way": None,
}
CHECKS = {"instructions": "ticks of 100 instructions", "nanoseconds": "ns of 100 instructions, by clock_gettime",
          "ticks": "instructions to read the counter, with the loop"}
PARTS = ("counted", "kernel", "boot", "memory", "wall")
BOOT_GOAL_MS, MEMORY_GOAL_MIB, MEMORY_FROM_MIB = 100, 16, {"native": 32, "linux": 160}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(sides.ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--rounds", type=int, default=5, help="how often the wall's figures are taken (default: 5)")
    parser.add_argument("--boots", type=int, default=11, help="how often each side boots (default: 11)")
    parser.add_argument("--no-linux", action="store_true", help="only the microkernel")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the table")
    parser.add_argument("--json", metavar="FILE", help="writes all figures to FILE")
    return parser.parse_args()


class Table:
    """Rows as they are measured; all are kept for --json."""

    def __init__(self):
        self.rows = []
        print(f"{'':52}{'goal':>9}{'native':>11}{'Linux':>11}{'ratio':>8}", flush=True)

    def add(self, what, goal, values, unit=""):
        """`values` by the sides' names; the goal is for native."""
        native, linux = values["native"], values.get("linux")
        ratio = f"{native / linux:8.2f}" if linux else " " * 8
        verdict = "" if goal is None else "  met" if native <= goal else "  MISSED"
        beside = f"{linux:11,.0f}" if linux else " " * 11
        print(f"{what + (', ' + unit if unit else ''):52}{goal if goal is not None else '':>9}{native:11,.0f}{beside}{ratio}{verdict}",
              flush=True)
        self.rows.append({"what": what, "unit": unit, "goal": goal, **values})

    def section(self, title):
        print(title, flush=True)


def count_instructions(table, both):
    table.section("Instructions (-icount shift=0, one processor):")
    found = {side.name: sides.figures(side, [*CHECKS, *COUNTED], sides.COUNTED) for side in both}
    for name, values in found.items():
        if values["instructions"] != 100:
            raise sides.BenchError(f"{name}: 100 instructions are {values['instructions']} ticks: they are not counted")
    for name, what in CHECKS.items():
        table.add(what, None, {side: values[name] for side, values in found.items()})
    for name, (what, goal) in COUNTED.items():
        table.add(what, goal, {side: values[name] for side, values in found.items()})


def count_of_kernel(table, native):
    table.section("Instructions, the kernel's own calls between two threads of a task (tests/kernel/cost.cc):")
    found = native.kernel_costs()
    for what, goal in KERNEL.items():
        table.add(what, goal, {"native": found[what]})


def take_turns(table, both, rounds):
    """The same without counting: the median of the rounds' ratios, and the range."""
    table.section(f"Wall time, native's ratio to Linux (median of {rounds} rounds in turn, least and greatest):")
    taken = [{side.name: sides.figures(side, list(COUNTED)) for side in both} for _ in range(rounds)]
    for name, (what, _) in COUNTED.items():
        ratios = sorted(one["native"][name] / one["linux"][name] for one in taken)
        print(f"{what:72}{statistics.median(ratios):8.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)
        table.rows.append({"what": what, "unit": "wall ratio", "ratios": ratios})


def boot_times(table, both, boots):
    table.section(f"From the start to the program's first words (median of {boots}, in turn):")
    taken = {side.name: [] for side in both}
    for _ in range(boots):
        for side in both:
            taken[side.name] += side.boot_seconds(1)
    table.add("QEMU's start to the first words", BOOT_GOAL_MS,
              {name: statistics.median(seconds) * 1e3 for name, seconds in taken.items()}, "ms")
    table.add("the same, the least of them", None, {name: min(seconds) * 1e3 for name, seconds in taken.items()}, "ms")


def memory(table, both):
    table.section("Memory:")
    table.add("least in which busybox's echo runs", MEMORY_GOAL_MIB,
              {side.name: sides.least_memory(side, MEMORY_FROM_MIB[side.name]) for side in both}, "MiB")


def main():
    options = arguments()
    scratch = tempfile.mkdtemp(prefix="osp-bench.", dir="/tmp")
    try:
        native = sides.Native(options.build)
        both = [native] if options.no_linux else [native, sides.Linux(options.build, scratch)]
        table = Table()
        if "counted" in options.only:
            count_instructions(table, both)
        if "kernel" in options.only:
            count_of_kernel(table, native)
        if "boot" in options.only:
            boot_times(table, both, options.boots)
        if "memory" in options.only:
            memory(table, both)
        if "wall" in options.only and len(both) == 2:
            take_turns(table, both, options.rounds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"load": os.getloadavg()[0], "rows": table.rows}, file, indent=1)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except sides.BenchError as error:
        sys.exit(f"bench/native.py: {error}")
