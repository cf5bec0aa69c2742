"""What is measured, and how each way of running is entered."""

import dataclasses
import os
import shutil
import subprocess

WAYS = ("run", "preload", "proot", "bwrap")
OURS = ("run", "preload")
SERVERS = ["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), "servers.py")]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
# Where the core keeps all that is its own (ARCHITECTURE.md): nothing of the program lies there.
CORE_WINDOW = (0x680000000000, 0x681000000000)


class BenchError(Exception):
    """Something that keeps the benchmark from being taken."""


class World:
    """The built commands, a scratch directory, and the ways into each kind of world."""

    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.calls, self.spawn = (os.path.join(build, "bench", f"bench-{name}") for name in ("calls", "spawn"))
        for program in (self.calls, self.spawn):
            if not os.path.exists(program):
                raise BenchError(f"there is no {program}: build first (./check --build-only), or name the folder with --build")
        self.run = os.path.join(build, "bin", "osp-run")
        self.shim = os.path.join(build, "lib", "libosp-preload.so")
        with open(os.path.join(scratch, "file.c"), "w", encoding="ascii") as file:
            file.write(SOURCE)
        write_project(os.path.join(scratch, "project"))
        for folder in ("real/bin", "bound/bin"):
            os.makedirs(os.path.join(scratch, folder))
            shutil.copy("/usr/bin/env", os.path.join(scratch, folder))

    def has(self, way):
        needed = {"run": self.run, "preload": self.shim}.get(way)
        return os.path.exists(needed) if needed else shutil.which(way, path=PATH) is not None

    def prefix(self, way, options=()):
        """The words before a program that make it run by `way`; preload needs none, but env(). `options` are osp-run's."""
        return {"run": [self.run, *options, "--"], "proot": ["/usr/bin/proot", "-r", "/"],
                "bwrap": ["/usr/bin/bwrap", "--dev-bind", "/", "/"]}.get(way, [])

    def env(self, way):
        """The environment. Who starts others from outside has LD_PRELOAD as BENCH_PRELOAD, and gives it to its children."""
        base = {"PATH": PATH, "HOME": self.scratch, "LANG": "C.UTF-8", "TMPDIR": self.scratch}
        return {**base, "LD_PRELOAD": self.shim} if way == "preload" else base

    def enter(self, way, command, options=(), from_outside=False):
        """The command and environment that run `command` by `way`; from outside it does so itself with what it starts."""
        if not from_outside:
            return [*self.prefix(way, options), *command], self.env(way)
        env = self.env(way)
        if shim := env.pop("LD_PRELOAD", None):
            env["BENCH_PRELOAD"] = shim
        return command, env


@dataclasses.dataclass
class Measure:
    """One figure. `goal` is the greatest ratio wanted (for memory: MiB)."""
    name: str
    title: str
    unit: str
    goal: float | None
    words: list
    kind: str  # call: bench-calls inside; spawn: bench-spawn outside, its children inside; server: servers.py outside, the
    # server inside; script: it prints its figure, inside; command: timed as a whole
    ways: tuple = OURS
    options: tuple = ()  # of osp-run

    @property
    def prints(self):
        return self.kind in ("call", "spawn", "server", "script")

    @property
    def from_outside(self):
        return self.kind in ("spawn", "server")

    @property
    def memory(self):
        return self.kind == "memory"

    def command(self, world, way):
        if self.kind == "call":
            return [world.calls, *(word.format(scratch=world.scratch) for word in self.words)]
        if self.kind == "spawn":
            return [world.spawn, self.words[0], *world.prefix(way), *self.words[1:]]
        if self.kind == "server":
            return [*SERVERS, *self.words, *world.prefix(way)]
        return list(self.words)


SOURCE = """#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 1000, *v = malloc(sizeof(int) * (size_t)n);
  for (int i = 0; i < n; i++) v[i] = (int)(sin(i) * 1e6);
  qsort(v, (size_t)n, sizeof *v, compare);
  printf("%d %zu\\n", v[n / 2], strlen(argv[0]));
  return 0;
}
"""


def write_project(folder, count=12):
    """A C program of some files, with its Makefile."""
    os.makedirs(folder)
    objects = " ".join(f"part{i}.o" for i in range(count))
    with open(os.path.join(folder, "Makefile"), "w", encoding="ascii") as file:
        file.write(f"CFLAGS = -O2\nprogram: {objects} main.o\n\tgcc -o $@ $^ -lm\n")
    for i in range(count):
        with open(os.path.join(folder, f"part{i}.c"), "w", encoding="ascii") as file:
            file.write(SOURCE.replace("main(", f"part{i}(").replace("compare", f"compare{i}"))
    with open(os.path.join(folder, "main.c"), "w", encoding="ascii") as file:
        parts = "".join(f"int part{i}(int, char **);\n" for i in range(count))
        file.write(parts + "int main(int c, char **v) { return " + " + ".join(f"part{i}(c, v)" for i in range(count)) + "; }\n")


def calls(scale):
    """Single system calls, timed inside the program."""
    rows = [
        ("getpid", "a call answered in the core: getpid by syscall(2)", 0.3, "getpid-raw", 1000000),
        ("getppid", "a call forwarded, nothing but the way: getppid", 1.25, "getppid", 1000000),
        ("read", "a forwarded read: 1 byte of /dev/zero through libc", 1.25, "read", 500000),
        ("read-raw", "the same by syscall(2)", 1.25, "read-raw", 500000),
        ("pread", "pread of 1 byte of a file", 1.25, "pread", 500000),
        ("pread-64k", "pread of 64 KiB of a file", None, "pread-64k", 20000),
        ("write", "write of 1 byte to /dev/null", 1.25, "write", 500000),
        ("stat", "stat of a local path", 1.25, "stat", 200000),
        ("open-close", "open and close of a local file", 1.25, "open-close", 100000),
        ("pipe", "1 byte through a pipe in one thread", None, "pipe", 100000),
        ("clock", "clock_gettime, through the vDSO", None, "clock", 1000000),
        ("mmap", "mmap, first touch and munmap of 64 KiB", None, "mmap", 50000),
        ("signal", "a signal to oneself, and its handler", None, "signal", 50000),
        ("thread", "creating and joining a thread", 0.2, "thread", 5000),
        ("hand-over", "mutex and condition variable, there and back", 0.2, "hand-over", 20000),
        ("yield", "sched_yield to another thread on the same processor", 0.2, "yield", 100000),
        ("fork", "fork, exit and wait", None, "fork-wait", 500),
        ("fork-exec", "fork, exec of true and wait, inside", 1.1, "fork-exec-wait", 200),
    ]
    counted = lambda count: str(max(20, int(count * scale)))
    bound = Measure("stat-bound", "stat of a bound local path", "ns", 1.5, ["stat", counted(200000), "{scratch}/bound/bin/env"], "call",
                    ("run",), ("-b", "real=bound"))
    return [bound] + [Measure(name, title, "ns", goal, [kind, counted(count)], "call") for name, title, goal, kind, count in rows]


def all_measures(quick):
    scale = 0.1 if quick else 1.0
    few = lambda n: str(max(2, int(n * scale)))
    many_ways = (*OURS, "proot", "bwrap")
    return calls(scale) + [
        Measure("true", "start-up of true", "µs", 1.5, [few(200), "/bin/true"], "spawn", many_ways),
        Measure("python", "python3 -c pass", "µs", 1.1, [few(20), "/usr/bin/python3", "-c", "pass"], "spawn", many_ways),
        Measure("gcc", "gcc of a file, with all its children", "µs", 1.15,
                [few(10), "/usr/bin/gcc", "-O1", "-o", "file.out", "file.c", "-lm"], "spawn", many_ways),
        Measure("shell", "sh with twenty external commands", "µs", None,
                [few(20), "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; /bin/echo $i | cat; done"], "spawn", many_ways),
        Measure("make", "make -j2 of thirteen C files", "µs", 1.05, [few(4), "/usr/bin/make", "-s", "-B", "-j2", "-C", "project"],
                "spawn", many_ways),
        Measure("two-processors", "two threads that compute", "ns", 1.02, ["compute-two", few(40)], "call"),
        Measure("redis", "a request to redis, by a host's socket", "µs", 1.05, ["redis", few(200000)], "server", many_ways),
        Measure("redis-threads", "the same with two io-threads, and two of the load's", "µs", 1.05,
                ["redis-threads", few(200000)], "server", many_ways),
        Measure("redis-inside", "a request to redis among processes of the environment", "µs", 1.0,
                [*SERVERS, "redis", few(200000)], "script", ("run",)),
        Measure("memcached", "a request to memcached -t2", "µs", 1.05, ["memcached", few(80000)], "server", many_ways),
        Measure("nginx", "a request to nginx with two workers", "µs", 1.05, ["nginx", "0"], "server", many_ways),
        Measure("find", "find over /usr", "ms", 1.2, ["/usr/bin/find", "/usr", "-newer", "/usr/bin/env"], "command", many_ways),
        Measure("memory-small", "resident memory that the core adds to a small program", "MiB", 4.0, [], "memory"),
        Measure("memory-python", "resident memory that the core adds to python3 with four threads", "MiB", 4.0,
                ["/usr/bin/python3", "-c", PYTHON_WITH_THREADS], "memory"),
    ]


PYTHON_WITH_THREADS = """
import threading
for _ in range(4): threading.Thread(target=threading.Event().wait, daemon=True).start()
print('ready', flush=True); input()
"""


def window_memory(pid):
    """Resident, private and proportional KiB of the mappings of `pid` in the core's window."""
    sums, inside = {"Rss": 0, "Private": 0, "Pss": 0}, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if "-" in name.split()[0]:
                start = int(name.split("-")[0], 16)
                inside = CORE_WINDOW[0] <= start < CORE_WINDOW[1]
            elif inside and name in ("Rss", "Pss"):
                sums[name] += int(rest.split()[0])
            elif inside and name in ("Private_Clean", "Private_Dirty"):
                sums["Private"] += int(rest.split()[0])
    return sums


def added_memory(measure, world, ways):
    """Starts the program by each way, and looks at the core's window once it has said that it is ready."""
    rows = {}
    for way in ways:
        command, env = world.enter(way, measure.words or [world.calls, "wait"])
        program = subprocess.Popen(command, env=env, cwd=world.scratch, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if program.stdout.readline() != b"ready\n":
                raise BenchError(f"{' '.join(command)} did not start")
            sums = window_memory(program.pid)
        finally:
            program.kill()
            program.communicate()
        if not sums["Rss"]:
            raise BenchError(f"{' '.join(command)}: nothing is mapped in the core's window")
        rows[way] = {"resident_mib": sums["Rss"] / 1024, "private_mib": sums["Private"] / 1024,
                     "proportional_mib": sums["Pss"] / 1024}
    return {"name": measure.name, "title": measure.title, "unit": measure.unit, "goal": measure.goal, "ways": rows}
