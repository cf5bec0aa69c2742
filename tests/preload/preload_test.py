#!/usr/bin/python3
"""Door 2: runs commands with LD_PRELOAD=libosp-preload.so and compares each with its run outside."""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import shutil
import signal
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PLAIN_ID = 61234
TIME_LIMIT = 120

PYTHON_THREADS = """
import hashlib, os, subprocess, threading
results = [None] * 8
def work(i):
    digest = hashlib.sha256()
    for n in range(2000):
        digest.update(b'%d %d' % (i, n))
    results[i] = digest.hexdigest()
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for t in threads: t.start()
print(subprocess.run(['tr', 'a-z', 'A-Z'], input=b'through a child', capture_output=True).stdout)
for t in threads: t.join()
print(hashlib.sha256(''.join(results).encode()).hexdigest())
raise SystemExit(5)
"""

NODE = """
const { Worker } = require('worker_threads');
const { execFileSync } = require('child_process');
process.stdout.write(execFileSync('sort', { input: 'c\\nb\\na\\n' }));
const w = new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
w.on('message', m => { console.log(m); require('fs').readFile('/etc/passwd', (e, d) => {
  console.log(d.length > 0); process.exitCode = 3; }); });
"""

# Each is a shell command, run in an empty directory by the shell outside: so the program is what is preloaded.
CASES = {
    "true": ["true"],
    "false": ["false"],
    "ls": ["ls", "-la", "/usr/share"],
    "missing": ["ls", "/no/such/file"],
    "bash-pipes": ["bash", "-c", "seq 1 2000 | grep 7 | sort -rn | tail -n 3; set -o pipefail; false | cat; echo $?;"
                   "x=$(ls /usr | wc -l); echo $x; cat <(echo in); (exit 4)"],
    "bash-signals": ["bash", "-c", "trap 'echo got; exit 9' TERM; kill -TERM $$; sleep 5"],
    "killed": ["bash", "-c", "kill -SEGV $$"],
    "exec": ["sh", "-c", "exec sh -c 'exec env -u LD_PRELOAD echo twice'"],
    "find-xargs": ["sh", "-c", "find /usr/include -name 'a*' | xargs -n 20 wc -l | sort | tail -n 5"],
    "python-threads": ["/usr/bin/python3", "-c", PYTHON_THREADS],
    "sqlite3": ["sqlite3", "t.db", "create table t(a,b); with recursive n(i) as (select 1 union all select i+1 from n "
                "where i<2000) insert into t select i, i*i from n; select count(*), sum(b) from t;"],
    "perl": ["perl", "-e", "open F, '|-', 'cat' or die; print F join(',', map { $_ ** 2 } 1..50), \"\\n\"; close F; "
             "local $SIG{ALRM} = sub { print \"alarm\\n\"; exit 6 }; alarm 1; sleep 20;"],
    "git": ["sh", "-c", "git init -q . && echo text > a && git add a && git -c user.name=n -c user.email=e@e commit -qm one "
            "&& git log --format=%s && git status --short && git gc -q && git fsck 2>&1"],
    "node": ["node", "-e", NODE],
    "state": ["{installed}/state", "an argument"],
    "calls": ["{installed}/calls"],
}


class Failure(Exception):
    pass


class Bed:
    """A place that every user can read, with the library, the core and the compiled programs."""

    def __init__(self, build):
        self.base = tempfile.mkdtemp(prefix="osp-preload.", dir="/tmp")
        os.chmod(self.base, 0o755)
        self.installed = os.path.join(self.base, "lib")
        os.mkdir(self.installed)
        for name in ("osp-core", "libosp-preload.so"):
            shutil.copy(os.path.join(build, "lib", name), self.installed)
        for name in ("state", "calls"):
            subprocess.run(["gcc", "-O1", "-w", "-pthread", "-o", f"{self.installed}/{name}", f"{HERE}/{name}.c"], check=True)
        subprocess.run(["chmod", "-R", "a+rX", self.installed], check=True)
        self.shim = os.path.join(self.installed, "libosp-preload.so")

    def run(self, command, preload, plain=False, environment=None, shim=None):
        """(stdout, stderr, status) in a fresh directory."""
        place = os.path.join(self.base, "work")
        shutil.rmtree(place, ignore_errors=True)
        os.mkdir(place)
        os.chmod(place, 0o777)
        words = [word.replace("{installed}", self.installed) for word in command]
        program = shutil.which(words[0]) or words[0]
        env = {"PATH": "/usr/bin:/bin", "HOME": place, "LC_ALL": "C.UTF-8", "STATE_TEST": "set", **(environment or {})}
        if preload:
            env["LD_PRELOAD"] = shim or self.shim

        def before():
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            if plain:
                os.setgroups([])
                os.setresgid(PLAIN_ID, PLAIN_ID, PLAIN_ID)
                os.setresuid(PLAIN_ID, PLAIN_ID, PLAIN_ID)

        done = subprocess.run([words[0], *words[1:]], executable=program, cwd=place, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIME_LIMIT, preexec_fn=before, check=False)
        return done.stdout, done.stderr, done.returncode


def expect(good, what, seen):
    if not good:
        raise Failure(f"{what}; seen: {seen}")


def compare(bed, name, times, plain):
    outside = bed.run(CASES[name], False, plain)
    for index in range(times):
        inside = bed.run(CASES[name], True, plain)
        expect(inside == outside, f"run {index + 1} of {times} differs\n  outside: {outside}\n  inside", inside)


def trace(bed):
    """OSP_TRACE names a file; the program that is executed in place is traced on, and loads no second core."""
    out = os.path.join(bed.base, "trace")
    done = bed.run(["sh", "-c", "exec echo text"], True, environment={"OSP_TRACE": out})
    expect(done == (b"text\n", b"", 0), "stdout, no stderr, 0", done)
    with open(out, encoding="utf-8") as file:
        lines = file.read()
    expect("execve(" in lines and 'write(1, "text\\n", 5) = 5' in lines, "execve and write traced", lines[-2000:])


def alone(bed):
    """Without osp-core beside it the library says so and what to do."""
    lonely = os.path.join(bed.base, "alone")
    os.makedirs(lonely, exist_ok=True)
    shutil.copy(bed.shim, lonely)
    done = bed.run(["true"], True, shim=f"{lonely}/libosp-preload.so")
    expect(done[2] == 125 and done[1].count(b"\n") == 1 and b"alone/osp-core: no such file" in done[1], "one line, 125", done)


def name_space(bed):
    """OSP_NS names a name space file; a bad one is refused with the line."""
    there, file = os.path.join(bed.base, "there"), os.path.join(bed.base, "ns")
    os.makedirs(there, exist_ok=True)
    with open(os.path.join(there, "only-here"), "w", encoding="utf-8") as out:
        out.write("text\n")
    with open(file, "w", encoding="utf-8") as out:
        out.write(f"bind {there} /mnt\n")
    done = bed.run(["sh", "-c", "cat /mnt/only-here; cd /mnt && exec ls"], True, environment={"OSP_NS": file})
    expect(done == (b"text\nonly-here\n", b"", 0), "the bound directory", done)
    with open(file, "w", encoding="utf-8") as out:
        out.write("bind only-one\n")
    done = bed.run(["true"], True, environment={"OSP_NS": file})
    expect(done[2] == 125 and b"ns:1" in done[1], "refused with file and line", done)


OTHERS = {"trace": trace, "alone": alone, "name-space": name_space}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--times", type=int, default=1, help="runs of each case")
    parser.add_argument("--plain", action="store_true", help=f"as user {PLAIN_ID} (root only)")
    parser.add_argument("case", nargs="*", default=[*CASES, *OTHERS])
    options = parser.parse_args()
    bed, failed = Bed(options.build), []
    try:
        for name in options.case:
            try:
                if name in CASES:
                    compare(bed, name, options.times, options.plain)
                else:
                    OTHERS[name](bed)
                print(f"passed {name}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as failure:
                failed.append(name)
                print(f"FAILED {name}: {failure}", flush=True)
    finally:
        shutil.rmtree(bed.base, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
