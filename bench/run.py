#!/usr/bin/python3
"""Measures what Osprey costs: each figure is a ratio to plain Linux, taken in the same run."""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time

import measures

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LIMIT_SECONDS = 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--quick", action="store_true", help="three rounds of a tenth of the work")
    parser.add_argument("--rounds", type=int, help="how often each side is measured (default: 9, quick: 3)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these measures")
    parser.add_argument("--ways", nargs="+", choices=measures.WAYS, default=list(measures.WAYS),
                        help="the ways of running that are compared with plain Linux (default: all that are there)")
    parser.add_argument("--json", metavar="FILE", help="writes all figures to FILE")
    parser.add_argument("--list", action="store_true", help="names the measures and their goals")
    return parser.parse_args()


def run_once(command, env, cwd):
    """The command's output and the seconds it took; a failure ends the benchmark."""
    start = time.monotonic()
    result = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=LIMIT_SECONDS, check=False)
    seconds = time.monotonic() - start
    if result.returncode != 0:
        raise measures.BenchError(f"{' '.join(command)}: status {result.returncode}\n{result.stderr[-2000:]}")
    return result.stdout, seconds


def sample(measure, way, world):
    """One sample of a measure by one way, in the measure's unit; less is better."""
    command, env = world.enter(way, measure.command(world, way), measure.options, measure.from_outside)
    output, seconds = run_once(command, env, world.scratch)
    return float(output.split()[-1]) if measure.prints else seconds * 1e3


def interleaved(measure, ways, world, rounds):
    """The samples of each way, taken in turns, so that what disturbs one disturbs all."""
    samples = {way: [] for way in ways}
    for way in ways:  # once for the caches, not counted
        sample(measure, way, world)
    for _ in range(rounds):
        for way in ways:
            samples[way].append(sample(measure, way, world))
    return samples


def summary(measure, samples):
    """Medians, the median of the ratios to the plain sample of the same round, and the ratio of the least samples (which a
    busy machine disturbs least)."""
    plain = samples["plain"]
    rows = {}
    for way, values in samples.items():
        ratios = sorted(value / base for value, base in zip(values, plain))
        rows[way] = {"median": statistics.median(values), "ratio": statistics.median(ratios),
                     "ratio_range": [ratios[0], ratios[-1]], "least_ratio": min(values) / min(plain), "samples": values}
    return {"name": measure.name, "title": measure.title, "unit": measure.unit, "goal": measure.goal, "ways": rows}


def say(result):
    goal = f"goal {result['goal']:g}" if result["goal"] else "no goal"
    print(f"{result['name']}: {result['title']} ({goal})")
    for way, row in result["ways"].items():
        low, high = row["ratio_range"]
        verdict = ""
        if result["goal"] and way in ("run", "preload"):
            verdict = "  met" if row["ratio"] <= result["goal"] else "  MISSED"
        ratio = "" if way == "plain" else (f"  ratio {row['ratio']:6.2f} ({low:.2f} to {high:.2f}), of the least "
                                           f"{row['least_ratio']:.2f}{verdict}")
        print(f"    {way:8} {row['median']:12.2f} {result['unit']}{ratio}", flush=True)


def say_memory(result):
    print(f"{result['name']}: {result['title']} (goal {result['goal']} MiB)")
    for way, row in result["ways"].items():
        print(f"    {way:8} resident {row['resident_mib']:.2f} MiB, of it private {row['private_mib']:.2f}, "
              f"proportional {row['proportional_mib']:.2f}{'  met' if row['resident_mib'] <= result['goal'] else '  MISSED'}",
              flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    return {"cpu": model, "processors": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def main():
    options = arguments()
    chosen = [m for m in measures.all_measures(options.quick) if not options.only or m.name in options.only]
    if options.list:
        for m in chosen:
            print(f"{m.name:16} {m.title}" + (f", goal {m.goal:g}" if m.goal else ""))
        return 0
    if unknown := set(options.only or ()) - {m.name for m in chosen}:
        raise measures.BenchError(f"no measure is called {', '.join(sorted(unknown))}; --list names them")
    scratch = tempfile.mkdtemp(prefix="osp-bench.", dir="/tmp")
    results = []
    try:
        world = measures.World(options.build, scratch)
        available = [way for way in options.ways if world.has(way)]
        if absent := set(options.ways) - set(available):
            print(f"not here, and so not measured: {', '.join(sorted(absent))}")
        for measure in chosen:
            if measure.memory:
                results.append(measures.added_memory(measure, world, [w for w in available if w in ("run", "preload")]))
                say_memory(results[-1])
                continue
            ways = ["plain", *(way for way in available if way in measure.ways)]
            results.append(summary(measure, interleaved(measure, ways, world, options.rounds or (3 if options.quick else 9))))
            say(results[-1])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "results": results}, file, indent=1)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measures.BenchError as error:
        sys.exit(f"bench/run.py: {error}")
