"""Runs one program to its end or its time limit, and leaves none of its children behind."""

import ctypes
import dataclasses
import os
import resource
import shutil
import signal
import subprocess
import time

WINDOW = b"680000000000-"    # where the core lies (libosp/host/window.h: image), as maps have it
PR_SET_CHILD_SUBREAPER = 36
LEAVING_SECONDS = 5.0     # how long children may outlive the program before they are called left over
STACK_LIMIT = 6           # of how many processes the stacks are shown on a timeout
STACK_BYTES = 6000


@dataclasses.dataclass
class Outcome:
    """How a run ended. `status` is the exit status, or minus the signal's number."""
    stdout: bytes
    stderr: bytes
    status: int
    seconds: float
    timed_out: bool = False
    leftovers: tuple = ()
    stacks: str = ""


@dataclasses.dataclass
class User:
    """Whom a program runs as; ids of None mean: as the harness."""
    name: str
    uid: int | None = None
    gid: int | None = None

    def popen_options(self):
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def become_reaper():
    """Makes this process the parent of every orphan below it, and what it starts independent of how
    it was started itself: no signal is ignored (nohup, `&` in a script) or blocked; no cores are written.

    SIGPIPE and SIGXFSZ stay as python has them, ignored, or a peer that resets would end the harness
    in silence; subprocess gives programs their defaults back."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def parents():
    """The parent of each process on this machine, zombies left out."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in b"ZX":
            found[int(name)] = int(parent)
    return found


def descendants(keep=()):
    """The living processes below this one, without those in `keep` and what is below them."""
    found, parent_of = [], parents()
    for pid in parent_of:
        chain, above = [pid], parent_of[pid]
        while above in parent_of and above != os.getpid():
            chain.append(above)
            above = parent_of[above]
        if above == os.getpid() and not set(chain) & set(keep):
            found.append(pid)
    return found


def has_core(pid):
    """Whether the core is in a process that the caller may look at."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as maps:
            return any(line.startswith(WINDOW) for line in maps)
    except OSError:
        return False


def name_of(pid):
    """What a person would call the process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"{pid} {words[:100]}"
    except OSError:
        return str(pid)


def reap(keep=()):
    """Collects orphans that have ended; children in `keep` are left to their owner."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in keep:
            continue
        try:
            os.waitpid(int(pid), os.WNOHANG)
        except ChildProcessError:
            pass


def kill_all(keep=()):
    """Kills what is below this process, again and again until nothing is; reaps nothing."""
    while living := descendants(keep):
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.005)


def leftovers(keep=()):
    """Waits for the program's children to end; returns the names of those that do not, and kills them."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while (living := descendants(keep)) and time.monotonic() < deadline:
        time.sleep(0.002)
        reap(keep)
    names = tuple(name_of(pid) for pid in living)
    kill_all(keep)
    reap(keep)
    return names


def stacks_of(pids):
    """Each process's state and, with gdb on the machine, its stacks."""
    text = []
    for pid in pids[:STACK_LIMIT]:
        text.append(f"--- process {name_of(pid)}")
        for name in ("wchan", "syscall"):
            try:
                with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
                    text.append(f"{name}: {file.read().strip()}")
            except OSError:
                pass
        if shutil.which("gdb"):
            text.append(backtrace(pid))
    return "\n".join(text)


def backtrace(pid):
    """gdb's stacks of all threads, or why there are none."""
    # Without libthread_db, which would look for libc's threads by fs: the core's go by gs.
    command = ["gdb", "-nx", "-batch", "-iex", "set auto-load libthread-db off", "-p", str(pid), "-ex", "thread apply all bt 20"]
    try:
        result = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return "gdb: timed out"
    return result.stdout.decode(errors="replace")[-STACK_BYTES:]


def run(argv, *, env, cwd, user, timeout, keep=()):
    """Runs `argv` in a session of its own; stdin is empty, stdout and stderr are pipes.

    The run ends when the program has ended and both pipes are closed. Past `timeout` seconds
    everything below this process is killed, also what has left the session."""
    start = time.monotonic()
    program = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, umask=0o022, **user.popen_options())
    timed_out, stacks = False, ""
    try:
        stdout, stderr = program.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out, stacks = True, stacks_of(descendants(keep))
        kill_all(keep)
        stdout, stderr = program.communicate()
    seconds = time.monotonic() - start
    return Outcome(stdout, stderr, program.returncode, seconds, timed_out, leftovers(keep), stacks)
