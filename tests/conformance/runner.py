"""Runs one test to its end, in a fresh empty directory and a session of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import apart
import suite
from harness import process, world


class Runner:
    """Runs tests by one door as one user. `base` is a folder that the user can search."""

    def __init__(self, root, base, build, user, timeout):
        self.root, self.base, self.build, self.user, self.timeout = root, base, build, user, timeout
        self.bin = os.path.join(root, "testcases", "bin")

    def environment(self, home):
        """As tests/programs has it, and what LTP asks for."""
        env = world.base_env(self.user, home)
        env.update({"PATH": f"{self.bin}:{env['PATH']}", "LTPROOT": self.root, "LTP_COLORIZE_OUTPUT": "n"})
        env.update({name: value for name, value in os.environ.items() if name.startswith("LTP_")})
        return env

    def run(self, test, door):
        """One run of `test` through `door` ("env" is outside)."""
        home = tempfile.mkdtemp(prefix=f"{test.name}.", dir=self.base)
        os.chmod(home, 0o777)
        if self.user.uid is not None:
            os.chown(home, self.user.uid, self.user.gid)
        argv, env = world.enter(door, test.argv(self.bin), self.environment(home), self.build)
        try:
            return self.watch(argv, env, home)
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
            return suite.Result.of(program.returncode, seconds, timed_out, output.read())


def become_worker():
    """For each process that runs tests: orphans come to it, and ^C leaves the test that runs to its end."""
    process.become_reaper()
    signal.signal(signal.SIGINT, lambda *_: None)
