"""One program, stopped at random moments, killed, restored, and compared with an undisturbed run."""

import os
import shutil
import subprocess
import time

from harness import process, tree, unit, world

POLL_SECONDS = 0.005
TOOL_SECONDS = 60


class Failed(Exception):
    """What went wrong, for a person to read."""


class Program:
    """A workload that runs in `folder`, its output appended to a file that outlives its processes."""

    def __init__(self, case, locations, folder, build, door, user):
        self.case, self.folder, self.build, self.door, self.user = case, folder, build, door, user
        self.output = folder + ".out"
        self.argv = case.argv({**locations, "dir": folder})
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with open(self.output, "wb"):
            pass
        self.process = None

    def launch(self, command, env):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(command, env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True, umask=0o022)

    def start(self):
        command, env = world.enter(self.door, self.argv, world.base_env(self.user, self.folder), self.build)
        self.launch(command, env)

    def restore(self, image):
        self.launch(world.restore_command(self.build, image), world.base_env(self.user, self.folder))

    def text(self):
        with open(self.output, "rb") as file:
            return file.read()

    def await_begun(self):
        """Waits until the workload has said that it has begun; the time of that."""
        deadline = time.monotonic() + self.case.timeout
        while b"begun" not in self.text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"it did not begin: status {self.process.poll()}\n{self.text().decode(errors='replace')}")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def await_core(self):
        """Waits until the core is in the process, which the command that starts or restores it may not have come to."""
        deadline = time.monotonic() + TOOL_SECONDS
        while self.process.poll() is None and not process.has_core(self.process.pid) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def checkpoint(self, image):
        """Writes the program to `image` and kills what is left of it; False if it had ended already."""
        self.await_core()
        result = tool(world.checkpoint_command(self.build, self.process.pid, image))
        if result.returncode != 0:
            if self.ended_by_itself():
                return False
            raise Failed(f"osp checkpoint: status {result.returncode}\n{result.stderr.decode(errors='replace')}")
        self.kill()
        result = tool(world.image_check_command(self.build, image))
        if result.returncode != 0:
            raise Failed(f"osp image check: status {result.returncode}\n{result.stderr.decode(errors='replace')}")
        return True

    def ended_by_itself(self):
        try:
            return self.process.wait(timeout=5) >= 0
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        process.kill_all()
        self.process.wait()
        process.reap()

    def finish(self):
        """Waits for the end; what is compared of it."""
        try:
            status = self.process.wait(timeout=self.case.timeout)
        except subprocess.TimeoutExpired:
            stacks = process.stacks_of(process.descendants())
            self.kill()
            raise Failed(f"timed out after {self.case.timeout:.0f} s\n{self.text().decode(errors='replace')}\n{stacks}") from None
        leftovers = process.leftovers()
        return {"output": self.text().decode(errors="replace"), "exit status": f"{status}\n",
                "left processes": "\n".join(leftovers), "files": "\n".join(tree.snapshot(self.folder, self.case))}


def tool(command):
    """Runs one of Osprey's commands to its end."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOOL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)}: timed out after {TOOL_SECONDS} s") from None


def disturbed(program, image, moments):
    """Runs the program; at each of the moments (seconds since it began or was restored) it is
    written to `image`, killed and restored. Returns what is compared, and how often it was stopped."""
    program.start()
    since, stops = program.await_begun(), 0
    for moment in moments:
        while (left := since + moment - time.monotonic()) > 0 and program.process.poll() is None:
            time.sleep(min(left, POLL_SECONDS))
        if program.process.poll() is not None or not program.checkpoint(image):
            break
        stops += 1
        program.restore(image)
        since = time.monotonic()
    return program.finish(), stops


def compare(expected, found):
    """Raises Failed with a diff if the parts differ."""
    if expected != found:
        raise Failed("\n".join(unit.differences(expected, found)))
