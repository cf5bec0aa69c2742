#!/usr/bin/python3
"""Cuts connections and kills the server while programs work on a πp mount; nothing of it may be seen."""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import random
import shutil
import socket
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import case as cases
from harness import compile as compiler
from harness import process, tree, unit, world
from proxy import Proxy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
QUICK_TIMES, SOAK_TIMES = 2, 50
LIMIT_SECONDS = 180
DROP_SECONDS = 10.0
# `none` measures how many bytes a run takes, and shows that it is right by itself.
FAULTS = ("none", "close", "drop", "kill")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")),
                        help="the build folder (default: $OSP_BUILD, or build/)")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="only these programs")
    parser.add_argument("--fault", nargs="+", choices=FAULTS[1:], default=list(FAULTS[1:]), help="only these faults")
    parser.add_argument("--times", type=int, help=f"runs of each program with each fault (default: {QUICK_TIMES})")
    parser.add_argument("--soak", action="store_true", help=f"{SOAK_TIMES} runs each")
    parser.add_argument("--cuts", type=int, default=3, help="how often a run is cut (close, kill; default: 3)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments (default: the time)")
    parser.add_argument("--outside", action="store_true", help="only runs the programs outside, twice, and compares")
    return parser.parse_args()


def make_inputs(folder):
    """Two archives of the machine's own python library."""
    os.mkdir(folder)
    source = os.path.dirname(os.__file__)
    names = sorted(os.path.join(where, name) for where, _, files in os.walk(source) for name in files if name.endswith(".py"))
    for archive, count in (("many.tar", 3000), ("five-hundred.tar", 500)):
        with tarfile.open(os.path.join(folder, archive), "w") as tar:
            for n in range(count):
                path = names[n * 7 % len(names)]
                if os.path.getsize(path) < 60000:
                    tar.add(path, arcname=f"{n % 40}/{n}-{os.path.basename(path)}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Bench:
    """One case's directories, the server and the proxy before it."""

    def __init__(self, case, locations, base, build):
        self.case, self.build, self.base = case, build, base
        self.user = process.User("root" if os.geteuid() == 0 else "plain")
        self.folder, self.export, self.state = (os.path.join(base, name) for name in ("dir", "export", "state"))
        self.argv = case.argv({**locations, "dir": self.folder, "inputs": os.path.join(base, "inputs")})
        self.log = os.path.join(base, f"{case.name}.pipd.log")
        self.restarts = 0

    def fresh(self):
        for folder in (self.folder, self.export, self.state):
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder, 0o755)

    def parts(self, outcome, folder):
        return {"stdout": self.case.normalise(outcome.stdout).decode(errors="replace"),
                "stderr": self.case.normalise(outcome.stderr).decode(errors="replace"),
                "exit status": f"{outcome.status}{' timed out' * outcome.timed_out}\n{outcome.stacks}",
                "left processes": "\n".join(outcome.leftovers), "files": "\n".join(tree.snapshot(folder, self.case))}

    def execute(self, command, env, keep=()):
        return process.run(command, env=env, cwd=self.folder, user=self.user, timeout=LIMIT_SECONDS, keep=keep)

    def outside(self):
        self.fresh()
        return self.parts(self.execute(self.argv, world.base_env(self.user, self.folder)), self.folder)

    def kill_server(self):
        self.server.kill()
        self.keep.discard(self.server.pid)
        self.server.start()
        self.keep.add(self.server.pid)
        self.restarts += 1

    def inside(self, fault, triggers):
        """Runs the case on a mount through the proxy; the parts, and how many bytes and connections it took."""
        self.fresh()
        port = free_port()
        self.server = world.Server(self.build, self.export, f"tcp:127.0.0.1:{port}", self.user, self.log, self.state)
        self.keep = {self.server.pid}
        proxy = Proxy(("127.0.0.1", port))
        action = {"close": proxy.close, "drop": lambda: proxy.drop(DROP_SECONDS), "kill": self.kill_server}.get(fault)
        for count in triggers:
            proxy.at(count, action)
        try:
            mount = ["-m", f"{world.pip_tcp_url(proxy.port)}={self.folder}"]
            command, env = world.enter("run", self.argv, world.base_env(self.user, self.folder), self.build, mount)
            env = {**env, **self.server.client_env}
            found = self.parts(self.execute(command, env, self.keep), self.export)
        finally:
            proxy.stop()
            self.server.kill()
        return found, proxy


def run_case(bench, options, times):
    """All faults of one case; the lines that say how it went, and whether all was right."""
    expected = bench.outside()
    if options.outside:
        again = bench.outside()
        differing = unit.differences(expected, again)
        print(f"{'FAILED' if differing else 'passed'} {bench.case.name} outside", *differing, sep="\n", flush=True)
        return not differing
    found, proxy = bench.inside("none", [])
    if found != expected:
        print(f"FAILED {bench.case.name} without a fault", *unit.differences(expected, found), sep="\n", flush=True)
        return False
    if proxy.passed < 10000:
        print(f"FAILED {bench.case.name}: only {proxy.passed} bytes went through the proxy", flush=True)
        return False
    print(f"passed {bench.case.name} without a fault: {proxy.passed} bytes through the proxy", flush=True)
    return all([run_fault(bench, fault, expected, proxy.passed, options, times) for fault in options.fault])


def run_fault(bench, fault, expected, total, options, times):
    connections = 0
    for number in range(times):
        generator = random.Random(f"{options.seed}.{bench.case.name}.{fault}.{number}")
        triggers = [generator.randrange(total // 50, total * 9 // 10) for _ in range(1 if fault == "drop" else options.cuts)]
        found, proxy = bench.inside(fault, triggers)
        connections += proxy.connections
        trouble = unit.differences(expected, found)
        if proxy.triggers:
            trouble.append(f"{len(proxy.triggers)} faults never came: the run passed only {proxy.passed} bytes")
        if trouble:
            print(f"FAILED {bench.case.name}, {fault} at bytes {sorted(triggers)} of {total}", *trouble,
                  f"kept: {bench.base}", f"repeat: {os.path.relpath(sys.argv[0])} --build {options.build} --case {bench.case.name} "
                  f"--fault {fault} --seed {options.seed} --times {number + 1}", sep="\n", flush=True)
            return False
    print(f"passed {bench.case.name}, {fault}: {times} runs, {connections} connections", flush=True)
    return True


def main():
    options = arguments()
    process.become_reaper()
    base = tempfile.mkdtemp(prefix="osp-faults.", dir="/tmp")
    os.chmod(base, 0o755)
    build = world.Build.copied(options.build, os.path.join(base, "osp"), [] if options.outside else ["run"],
                               [] if options.outside else ["pipd"])
    make_inputs(os.path.join(base, "inputs"))
    os.mkdir(os.path.join(base, "cases"))
    times = options.times or (SOAK_TIMES if options.soak else QUICK_TIMES)
    print(f"seed {options.seed}", flush=True)
    chosen = [c for c in cases.load(os.path.join(HERE, "cases")) if not options.case or c.name in options.case]
    right = [run_case(Bench(case, compiler.install(case, base, os.path.join(base, "cases")), base, build), options, times)
             for case in chosen]
    if all(right):
        shutil.rmtree(base, ignore_errors=True)
    print(f"{sum(right)} of {len(right)} programs passed")
    return 0 if right and all(right) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (world.WorldError, cases.CaseError) as error:
        sys.exit(f"{os.path.relpath(sys.argv[0])}: {error}")
