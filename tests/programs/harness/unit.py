"""One unit of work: a case, a user, a place and a door; run outside once, and inside N times."""

import contextlib
import dataclasses
import difflib
import os
import shutil
import subprocess

from . import process, terminal, tree, world

DIFF_LINES = 60
USR_ON_MOUNT = "pip"      # /usr and the working directory are both on πp mounts
DIR_ON_MOUNT = "pip-dir"  # only the working directory is
DIR_ON_STORE = "store"    # it is on a mount of a versioned store


@dataclasses.dataclass
class Settings:
    """What all units of a harness's run share."""
    base: str
    build: world.Build
    users: dict
    options: list
    timeout_scale: float
    repeat: str
    keep_going: bool = False
    guard: str = ""  # a command that the runs inside are started by


@dataclasses.dataclass
class Unit:
    case: object
    door: str
    user: str
    place: str
    times: int
    locations: dict

    @property
    def name(self):
        return f"{self.case.name} door={self.door} user={self.user} on={self.place}"

    @property
    def label(self):
        return f"{self.case.name}.{self.door}.{self.user}.{self.place}"


@dataclasses.dataclass
class Report:
    """What became of a unit: how many runs were right, and what was wrong with the first that was not."""
    unit: Unit
    passed: int = 0
    failures: int = 0
    outside_seconds: float = 0.0
    inside_seconds: float = 0.0
    message: str = ""


@dataclasses.dataclass
class Seen:
    """What is compared of a run."""
    outcome: process.Outcome
    parts: dict


class Runner:
    """Runs units in this process, which must be a reaper (process.become_reaper)."""

    def __init__(self, settings, unit):
        self.settings, self.unit, self.case = settings, unit, unit.case
        self.user = settings.users[unit.user]
        work = os.path.join(settings.base, "work", f"{unit.label}")
        os.makedirs(work)
        self.folder = os.path.join(work, "dir")      # what the program sees, by every door
        self.export = os.path.join(work, "export")   # what a mount there is made of
        self.store = os.path.join(work, "store")     # or this
        self.socket = os.path.join(work, "s")
        self.log = os.path.join(work, "pipd.log")
        self.work = work
        if self.user.uid is not None:
            os.chown(work, self.user.uid, self.user.gid)

    def argv(self):
        return self.case.argv({**self.unit.locations, "dir": self.folder})

    def fresh(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder, 0o755)
        if self.user.uid is not None:
            os.chown(folder, self.user.uid, self.user.gid)

    def execute(self, argv, env, keep):
        common = {"env": env, "cwd": self.folder, "user": self.user, "keep": keep,
                  "timeout": self.case.timeout * self.settings.timeout_scale}
        if self.case.suffix == ".tty":
            return terminal.run(argv, self.case.path, size=self.case.size, **common)
        return process.run(argv, **common)

    def seen(self, outcome, folder):
        case = self.case
        return Seen(outcome, {
            "stdout": case.normalise(outcome.stdout).decode(errors="backslashreplace"),
            "stderr": case.normalise(outcome.stderr).decode(errors="backslashreplace"),
            "exit status": f"{outcome.status}\n",
            "left processes": "".join(line + "\n" for line in outcome.leftovers),
            "files": "".join(line + "\n" for line in tree.snapshot(folder, case)),
        })

    def outside(self):
        self.fresh(self.folder)
        env = world.base_env(self.user, self.folder)
        return self.seen(self.execute(self.argv(), env, ()), self.folder)

    def export_store(self):
        """After the server's end by SIGKILL, the store must be whole; its tree is then what was made."""
        for command in world.store_commands(self.settings.build, self.store, self.export):
            done = subprocess.run(command, capture_output=True, text=True, check=False, **self.user.popen_options())
            if done.returncode != 0:
                raise world.WorldError(f"{self.unit.name}: {' '.join(command)}: {done.stdout}{done.stderr}")

    def inside_store(self, env):
        self.fresh(self.export)
        self.fresh(self.store)
        mounts = ["-m", f"{world.pip_url(self.socket)}={self.folder}"]
        with self.served([(self.store, self.socket)], "--store") as servers:
            argv, env = world.enter(self.unit.door, self.argv(), env, self.settings.build,
                                    [*mounts, *self.settings.options])
            outcome = self.execute(argv, env, servers)
        self.export_store()
        return self.seen(outcome, self.export)

    @contextlib.contextmanager
    def served(self, exports, kind="--export"):
        """Serves each (directory, socket) for the time of the block; yields the servers' pids."""
        servers = []
        try:
            for folder, socket in exports:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(socket)
                servers.append(world.Server(self.settings.build, folder, f"unix:{socket}", self.user, self.log,
                                            f"{socket}.state", kind))
            yield {server.pid for server in servers}
        finally:
            for server in servers:
                server.kill()

    def inside(self):
        env = world.base_env(self.user, self.folder)
        self.fresh(self.folder)
        if self.unit.place == "host":
            argv, env = world.enter(self.unit.door, self.argv(), env, self.settings.build, self.settings.options)
            argv = [self.settings.guard, *argv] if self.settings.guard else argv
            return self.seen(self.execute(argv, env, ()), self.folder)
        if self.unit.place == DIR_ON_STORE:
            return self.inside_store(env)
        self.fresh(self.export)
        exports, mounts = [(self.export, self.socket)], ["-m", f"{world.pip_url(self.socket)}={self.folder}"]
        if self.unit.place == USR_ON_MOUNT:
            exports.append(("/usr", self.socket + "usr"))
            mounts = ["-m", f"{world.pip_url(self.socket + 'usr')}=/usr", *mounts]
        with self.served(exports) as servers:
            argv, env = world.enter(self.unit.door, self.argv(), env, self.settings.build,
                                    [*mounts, *self.settings.options])
            return self.seen(self.execute(argv, env, servers), self.export)

    def keep(self, expected, found):
        """Keeps the run's directory, and both runs' outputs, for a person to look at; where."""
        kept = os.path.join(self.settings.base, "failed", self.unit.label)
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        produced = self.folder if self.unit.place == "host" else self.export
        shutil.copytree(produced, os.path.join(kept, "dir"), symlinks=True, ignore=special_files)
        for side, run in (("outside", expected), ("inside", found)):
            for part, text in run.parts.items():
                with open(os.path.join(kept, f"{side}.{part.replace(' ', '-')}"), "w", encoding="utf-8") as file:
                    file.write(text)
        return kept

    def explain(self, number, expected, found):
        kept = self.keep(expected, found)
        lines = [f"FAILED {self.unit.name}, run {number} of {self.unit.times}"]
        if found.outcome.timed_out:
            lines.append(f"timed out after {found.outcome.seconds:.1f} s (outside: {expected.outcome.seconds:.1f} s)")
            lines.append(found.outcome.stacks)
        lines += differences(expected.parts, found.parts)
        argv, env = world.enter(self.unit.door, self.argv(), {}, self.settings.build, self.settings.options)
        lines.append(f"kept: {kept}")
        lines.append(f"command: {' '.join([f'{k}={v}' for k, v in env.items()] + argv)}")
        lines.append(f"repeat: {self.settings.repeat} --case {self.case.name} --door {self.unit.door} "
                     f"--user {self.unit.user} --on {self.unit.place} --times {self.unit.times}")
        return "\n".join(lines)

    def run(self):
        """Runs the unit; stops at its first failure unless told to keep going."""
        report = Report(self.unit)
        expected = self.outside()
        report.outside_seconds = expected.outcome.seconds
        if expected.outcome.timed_out:
            report.failures = 1
            report.message = f"FAILED {self.unit.name}: timed out outside\n{expected.outcome.stacks}\n{expected.parts['stdout'][-2000:]!r}"
        for number in range(1, self.unit.times + 1):
            if report.failures and not self.settings.keep_going:
                break
            found = self.inside()
            report.inside_seconds += found.outcome.seconds
            if found.parts == expected.parts and not found.outcome.timed_out:
                report.passed += 1
                continue
            report.failures += 1
            report.message = report.message or self.explain(number, expected, found)
        shutil.rmtree(self.work, ignore_errors=True)
        return report


def special_files(folder, names):
    """Those of `names` that cannot be copied: sockets, fifos, devices."""
    paths = ((name, os.path.join(folder, name)) for name in names)
    return [name for name, path in paths if not (os.path.isfile(path) or os.path.isdir(path) or os.path.islink(path))]


def differences(expected, found):
    """A unified diff of each part that differs."""
    lines = []
    for part, text in expected.items():
        diff = list(difflib.unified_diff(text.splitlines(), found[part].splitlines(),
                                         f"{part} outside", f"{part} inside", lineterm="", n=2))
        lines += diff[:DIFF_LINES]
        if len(diff) > DIFF_LINES:
            lines.append(f"… {len(diff) - DIFF_LINES} more lines")
    return lines
