"""Where programs run: the doors into Osprey, and the directories that are served over πp.

This file alone knows how Osprey's commands are called."""

import os
import shutil
import subprocess
import time

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
# `proot` and `bwrap` are stand-ins: they show that the harness sees a difference where there is one.
DOORS = ("env", "run", "preload", "proot", "bwrap")
SERVER_START_SECONDS = 20.0


class WorldError(Exception):
    """Something that the harness needs is not there, or did not start."""


def pip_url(socket_path):
    """The URL of what a pipd serves on a unix socket (docs/pip.md)."""
    return f"pip+unix://{socket_path}!/"


def pip_tcp_url(port):
    """The URL of what a pipd serves on a port of the loopback interface."""
    return f"pip://127.0.0.1:{port}/"


class Build:
    """The commands that were built, at a place that any user can read."""

    def __init__(self, folder):
        self.folder = folder

    def tool(self, name):
        return os.path.join(self.folder, "bin", name)

    @property
    def preload(self):
        return os.path.join(self.folder, "lib", "libosp-preload.so")

    @classmethod
    def copied(cls, source, target, doors, tools=()):
        """Copies bin and the shared objects of lib from the build folder `source` to `target`;
        `tools` are commands that are needed besides what the doors need."""
        needed = ["bin/osp-run"] * ("run" in doors) + ["lib/libosp-preload.so"] * ("preload" in doors)
        needed += [f"bin/{tool}" for tool in tools]
        for name in needed:
            if not os.path.exists(os.path.join(source, name)):
                raise WorldError(f"there is no {os.path.join(source, name)}: build first (./check --build-only), "
                                 "name the build folder with --build, or try --door env")
        if needed:
            shutil.copytree(os.path.join(source, "bin"), os.path.join(target, "bin"), symlinks=True)
            shutil.copytree(os.path.join(source, "lib"), os.path.join(target, "lib"), symlinks=True,
                            ignore=shutil.ignore_patterns("*.a"))
        return cls(target)


def enter(door, argv, env, build, options=()):
    """The command and environment that run `argv` through `door`; `options` are osp-run's."""
    if door == "env":
        return ["/usr/bin/env", *argv], env
    if door == "run":
        return [build.tool("osp-run"), *options, "--", *argv], env
    if door == "preload":
        return argv, {**env, "LD_PRELOAD": build.preload}
    if door == "proot":
        return ["/usr/bin/proot", "-r", "/", *argv], env
    return ["/usr/bin/bwrap", "--dev-bind", "/", "/", *argv], env


def base_env(user, home):
    """The environment of every run: the same for all, and nothing of the harness's own."""
    workers = {name: os.environ[name] for name in ("OSP_WORKERS",) if name in os.environ}  # how many, for a trial
    return {"PATH": PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "TZ": "UTC", "TERM": "xterm",
            "SHELL": "/bin/bash", "USER": user.name, "LOGNAME": user.name, "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0", **workers}


def checkpoint_command(build, pid, image):
    """Writes the process `pid` to `image`, and ends it."""
    return [build.tool("osp"), "checkpoint", str(pid), "-o", image]


def restore_command(build, image):
    """Becomes the process that was written to `image`: it has the command's own pid."""
    return [build.tool("osp"), "restore", image]


def image_check_command(build, image):
    return [build.tool("osp"), "image", "check", image]


def store_commands(build, store, folder):
    """What sees that a store is whole, and copies its tree to `folder`."""
    return [[build.tool("pip"), "store", "check", store], [build.tool("pip"), "store", "export", store, folder]]


class Server:
    """A pipd that serves one directory, or a store in it, on a unix socket or a port, run as `user`."""

    def __init__(self, build, export, listen, user, log, state, kind="--export"):
        self.config = f"{state}-config"
        self.command = [build.tool("pipd"), kind, export, "--listen", listen, "--state", state,
                        "--keys", os.path.join(self.config, "osp")]
        self.user, self.log, self.listen = user, log, listen
        self.start()

    def start(self):
        """Starts it, and waits until it can be reached."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, **self.user.popen_options())
        deadline = time.monotonic() + SERVER_START_SECONDS
        while not reachable(self.listen):
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise WorldError(f"{' '.join(self.command)} did not start:\n{log.read()[-2000:]}")
            time.sleep(0.01)

    @property
    def client_env(self):
        """What lets a client in over a port: the server's own key."""
        return {"XDG_CONFIG_HOME": self.config}

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """Ends it as a crash would: SIGKILL."""
        self.process.kill()
        self.process.wait()


def reachable(listen):
    """Whether somebody accepts connections at `listen` (unix:PATH or tcp:ADDR:PORT).

    A look into the kernel's tables rather than a connection, which the server would see."""
    if listen.startswith("unix:"):
        with open("/proc/net/unix", encoding="utf-8") as file:
            return any(line.rstrip("\n").endswith(" " + listen[5:]) and " 00010000 " in line for line in file)
    port = int(listen.rpartition(":")[2])
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as file:
            rows = [line.split() for line in file]
        if any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows[1:]):
            return True
    return False
