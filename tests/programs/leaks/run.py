#!/usr/bin/python3
"""Runs cases in a loop within one environment, and looks whether anything grows."""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import case as cases
from harness import process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CASES = ["redis", "redis-threads", "memcached-threads", "nginx", "postgresql", "java", "node-heavy", "go-build",
         "pigz-zstd", "imagemagick", "make-many", "python-threads", "python-subprocess", "git", "sqlite3", "bash-jobs"]
WARM_UP = 2  # rounds
NOISE = {"resident": 4096, "mapped": 32768, "fds": 2, "threads": 2}  # KiB, KiB; a worker that was needed stays, with an fd
SHARE = {"resident": 1.1, "mapped": 1.1, "fds": 1, "threads": 1}
DRIVER = """
redis-server --port 0 --unixsocket "$PWD/resident.sock" --dir "$PWD" --save '' --io-threads 2 --daemonize no >/dev/null &
echo "redis $!"
python3 {resident} "$PWD/resident.rounds" & echo "python $!"
while read -r folder words; do
  (cd "$folder" && exec $words) >"$folder.out" 2>/dev/null </dev/null
  echo "status $?"
done
kill %1 %2; wait
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("OSP_BUILD", os.path.join(ROOT, "build")))
    parser.add_argument("--minutes", type=float, default=30, help="default: 30")
    parser.add_argument("--case", nargs="+", action="extend", metavar="NAME", help="default: " + " ".join(CASES))
    parser.add_argument("--json", metavar="FILE", help="writes each round's numbers to FILE")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    return options


def load(names):
    """The cases asked for whose commands are there, and which may be run by this user."""
    user = "root" if os.getuid() == 0 else "plain"
    found = {case.name: case for case in cases.load(os.path.join(os.path.dirname(HERE), "cases"))}
    wanted = [found[name] for name in names]
    return [case for case in wanted if user in case.users and all(shutil.which(need) for need in case.needs)]


def words_of(case):
    return " ".join(case.argv({"case": case.path}))


def fresh(base, case):
    folder = os.path.join(base, case.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def environment(base):
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": base, "TMPDIR": base, "TZ": "UTC"}


def outside(base, case):
    """Status and output of a run without us."""
    folder = fresh(base, case)
    done = subprocess.run(words_of(case).split(), cwd=folder, env=environment(base), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=600, check=False)
    return done.returncode, case.normalise(done.stdout)


def members():
    """The pids of all processes with a core in them."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and process.has_core(name)}


def described(pid):
    """The process, for a person."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return f"process {pid} ({file.read().replace(chr(0), ' ').strip()})"
    except OSError:
        return f"process {pid}"


def numbers(pid):
    """What a process has."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    kib = lambda name: int(fields[name].split()[0])
    return {"resident": kib("VmRSS"), "mapped": kib("VmSize"), "fds": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": kib("Threads")}


class Environment:
    """The loop's bash, with its two companions."""

    def __init__(self, build, base):
        self.base, self.before = base, members()
        script = DRIVER.format(resident=os.path.join(HERE, "resident.py"))
        self.process = subprocess.Popen([os.path.join(build, "bin/osp-run"), "--", "bash", "-c", script], cwd=base,
                                        env=environment(base), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.pids = {"bash": self.process.pid}
        for _ in range(2):
            name, pid = self.process.stdout.readline().split()
            self.pids[name] = int(pid)

    def run(self, case):
        """Status and output of a run inside."""
        folder = fresh(self.base, case)
        self.process.stdin.write(f"{folder} {words_of(case)}\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline().split()[1])
        with open(folder + ".out", "rb") as file:
            return status, case.normalise(file.read())

    def load_redis(self):
        command = ["redis-benchmark", "-s", os.path.join(self.base, "resident.sock"), "-q", "-n", "20000", "-P", "8",
                   "-r", "1000", "-t", "set,get,lpush,lpop"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=300)

    def left_over(self):
        """Processes that should be gone; those of the companion come and go."""
        first = members()
        time.sleep(1)
        return sorted((first & members()) - self.before - set(self.pids.values()))

    def numbers(self):
        """The least of some looks at each: what is at work has more at times."""
        looks = []
        for _ in range(10):
            looks.append({name: numbers(pid) for name, pid in self.pids.items()})
            time.sleep(0.05)
        return {name: {what: min(look[name][what] for look in looks) for what in looks[0][name]} for name in self.pids}

    def end(self):
        self.process.stdin.close()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            return None


def growth(first, last):
    """What is more in `last` than noise explains."""
    found = []
    for name, before in first.items():
        for what, value in before.items():
            now = last[name][what]
            if now > value * SHARE[what] + NOISE[what]:
                found.append(f"{what} of {name}: {value}, then {now}")
    return found


def play(options, base):
    """The rounds' numbers, and what went wrong."""
    chosen = load(options.case or CASES)
    expected = {case.name: outside(base, case) for case in chosen}
    environment_ = Environment(options.build, base)
    rounds, wrong, runs, end = [], [], 0, time.monotonic() + options.minutes * 60
    while time.monotonic() < end or len(rounds) <= WARM_UP:
        for case in chosen:
            runs += 1
            if environment_.run(case) != expected[case.name]:
                wrong.append(f"round {len(rounds) + 1}: {case.name} says something else")
        environment_.load_redis()
        wrong += [f"round {len(rounds) + 1}: {described(pid)} is left over" for pid in environment_.left_over()]
        rounds.append(environment_.numbers())
        print(f"round {len(rounds)}: {runs} runs, {len(wrong)} wrong, {rounds[-1]}", flush=True)
    with open(os.path.join(base, "resident.rounds"), encoding="ascii") as file:
        print(f"resident.py: {file.read().strip()} rounds")
    status = environment_.end()
    if status != 0:
        wrong.append(f"the environment ended with {status}")
    return rounds, wrong + growth(rounds[WARM_UP - 1], rounds[-1])


def main():
    options = arguments()
    base = tempfile.mkdtemp(prefix="osp-leaks.", dir="/tmp")
    os.chmod(base, 0o755)
    rounds, wrong = play(options, base)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rounds, file, indent=1)
    for line in wrong:
        print(line)
    print(f"{len(rounds)} rounds, {'nothing grew' if not wrong else f'{len(wrong)} findings'}")
    shutil.rmtree(base, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
