#!/usr/bin/python3
"""Counts the instructions that Osprey's hosted side costs: in a Linux guest, by QEMU (-icount shift=0).

The guest's processor has all that a modern one has (FSGSBASE, a clock for the vDSO), whatever this machine hides, and no
other load disturbs it: the same figures come every time. An instruction is not a time: caches and page faults cost more.
What runs is bench/calls.c and bench/spawn.c, plainly and by osp-run. A missed goal changes no exit status.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import re
import shutil
import subprocess
import tempfile

import native_sides as sides
from measures import calls

# Of measures.calls(), and how often each is done; true is bench-spawn's.
COUNTS = {"getpid": 20000, "getppid": 5000, "read": 5000, "pread": 5000, "write": 5000, "stat": 1000, "open-close": 1000,
          "pipe": 2000, "clock": 5000, "mmap": 300, "signal": 1000, "thread": 300, "hand-over": 1000, "yield": 3000, "fork": 30,
          "fork-exec": 20, "true": 10}
LIMIT_SECONDS = 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(sides.ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--smp", type=int, default=1, help="the guest's processors (default: 1); with more of them nothing is "
                        "counted: the figures are nanoseconds of the guest, on two host threads")
    parser.add_argument("--only", nargs="+", choices=COUNTS, default=list(COUNTS), help="some of the measures")
    parser.add_argument("--workers", type=int, help="OSP_WORKERS inside (default: as many as processors)")
    return parser.parse_args()


def libraries(program):
    """The files that a program's loader opens, and the loader."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", said)


def archive(build):
    """An initramfs with the programs and what they need."""
    commands = [sides.BUSYBOX, "/bin/true"]
    files = {f"osp/{folder}/{name}": os.path.join(build, folder, name) for folder, name in
             (("bin", "osp-run"), ("bin", "osp-keeper"), ("lib", "osp-core"), ("bench", "bench-calls"), ("bench", "bench-spawn"))}
    for program in [*commands, *files.values()]:
        files |= {library.lstrip("/"): library for library in libraries(program)}
    files |= {command.lstrip("/"): command for command in commands} | {"usr/bin/env": "/usr/bin/env"}
    folders = {"dev", "proc", "sys", "tmp"}
    for name in files:
        while name := os.path.dirname(name):
            folders.add(name)
    contents = {}
    for name, path in files.items():
        with open(path, "rb") as file:
            contents[name] = file.read()
    return sides.boot.cpio({name: b"" for name in sorted(folders)}, mode=0o40755), sides.boot.cpio(contents, mode=0o100755)


def script(options):
    """What the guest's first shell does."""
    kinds = {measure.name: measure.words[0] for measure in calls(1) if measure.name in COUNTS}
    lines = [f"b={sides.BUSYBOX}", "$b mount -t proc proc /proc; $b mount -t devtmpfs dev /dev; $b mount -t tmpfs tmp /tmp",
             "export PATH=/bin:/usr/bin HOME=/tmp"]
    if options.workers:
        lines.append(f"export OSP_WORKERS={options.workers}")
    for name in options.only:
        count = COUNTS[name] * (1 if options.smp == 1 else 5)
        for way, prefix in (("plain", ""), ("run", "/osp/bin/osp-run -- ")):
            command = (f"/osp/bench/bench-spawn {count} {prefix}/bin/true" if name == "true" else
                       f"{prefix}/osp/bench/bench-calls {kinds[name]} {count}")
            lines.append(f"echo {name}-{way} $({command})")
    return "\n".join([*lines, "echo end", "$b poweroff -f"]) + "\n"


def run_guest(options, scratch):
    linux = sides.Linux(options.build, scratch)
    path = os.path.join(scratch, "guest.cpio")
    with open(path, "wb") as file:
        for part in (*archive(options.build), sides.boot.cpio({"measure.sh": script(options).encode()})):
            file.write(part)
    linux.archives["counted"] = path
    command = linux.command(["sh", "/measure.sh"], sides.COUNTED if options.smp == 1 else (), memory=512, program="counted")
    command[command.index("-smp") + 1] = str(options.smp)
    # QEMU 7 takes a program's iretq for an access of the kernel's; a byte that "rep" copies is an instruction, else it is eight.
    command[command.index("-cpu") + 1] += ",-smap,-erms,-fsrm"
    line = command.index("-append") + 1
    command[line] = command[line].replace("rdinit=/counted", f"tsc=reliable rdinit={sides.BUSYBOX}")
    with sides.Machine(command, LIMIT_SECONDS) as machine:
        machine.read_until("end")
        return machine


def show(options, found):
    goals = {measure.name: (measure.title, measure.goal) for measure in calls(1)} | {"true": ("start-up of true", 2.0)}
    unit = "Instructions" if options.smp == 1 else f"Nanoseconds, {options.smp} processors"
    print(f"{unit:56}{'plain':>12}{'osp-run':>12}{'ratio':>8}{'goal':>6}")
    for name in options.only:
        scale = 1000 if name == "true" else 1  # bench-spawn says microseconds
        plain, run = (found.get(f"{name}-{way}", float("nan")) * scale for way in ("plain", "run"))
        title, goal = goals[name]
        print(f"{title:56}{plain:12,.0f}{run:12,.0f}{run / plain:8.2f}{goal or '':>6}")


def main():
    options = arguments()
    scratch = tempfile.mkdtemp(prefix="osp-bench.", dir="/tmp")
    try:
        machine = run_guest(options, scratch)
        show(options, machine.figures())
        if strange := [line for line in machine.lines if not re.fullmatch(r"[a-z-]+ [0-9.]+|end", line)]:
            print("said besides:", *strange, sep="\n  ")
    except sides.BenchError as error:
        sys.exit(f"counted.py: {error}")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
