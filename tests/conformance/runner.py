"""Runs one test to its end, in a fresh empty directory and a session of its own."""

import dataclasses
import os
import shutil
import signal
import subprocess
import tempfile
import time

import apart
from harness import process, world


@dataclasses.dataclass
class Ended:
    """How a test's process ended. `status` is the exit status, or minus the signal's number."""
    status: int
    seconds: float
    timed_out: bool
    output: bytes


class Runner:
    """Runs a suite's tests by one door as one user. `base` is a folder that the user can search.

    The suite says argv(test, home), environment(env), and result(test, ended, home), which judges a run."""

    def __init__(self, suite, base, build, user, timeout):
        self.suite, self.base, self.build, self.user, self.timeout = suite, base, build, user, timeout

    def run(self, test, door):
        """One run of `test` through `door` ("env" is outside)."""
        home = tempfile.mkdtemp(prefix=f"{test.name.replace('/', '-')}.", dir=self.base)
        os.chmod(home, 0o777)
        if self.user.uid is not None:
            os.chown(home, self.user.uid, self.user.gid)
        env = self.suite.environment(world.base_env(self.user, home))
        argv, env = world.enter(door, self.suite.argv(test, home), env, self.build)
        try:
            return self.suite.result(test, self.watch(argv, env, home), home)
        finally:
            if os.geteuid() == 0:
                apart.release(home)
            shutil.rmtree(home, ignore_errors=True)

    def watch(self, argv, env, home):
        """Starts the command, waits for it, and kills what it leaves behind."""
        start = time.monotonic()
        with tempfile.TemporaryFile() as output:
            program = subprocess.Popen(argv, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True, umask=0o022,
                                       preexec_fn=apart.drop_capabilities if os.geteuid() == 0 else None,
                                       **self.user.popen_options())
            timed_out = False
            try:
                program.wait(self.timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
            process.kill_all()
            program.wait()
            process.reap()
            seconds = time.monotonic() - start
            output.seek(0)
            return Ended(program.returncode, seconds, timed_out, output.read())


def become_worker():
    """For each process that runs tests: orphans come to it, and ^C leaves the test that runs to its end."""
    process.become_reaper()
    signal.signal(signal.SIGINT, lambda *_: None)
