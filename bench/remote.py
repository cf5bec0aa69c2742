#!/usr/bin/python3
"""Programs on a remote tree over a long line: osp-run and pipd, sealed, beside sshfs; seconds, and the design's goals.

    bench/remote.py [--rtt 50] [--mbit 300] [--build build] [--only SIDE...]

The line is cut-proxy, which delays all bytes; of osp-udp it is tests/tools/udp_proxy.py, which delays datagrams and has a
queue that may be full. sshfs needs root (its mount), and is left out otherwise.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
GOALS = {"open, read, close": 0.05, "open, read, close again": 0.0, "create, write, close": 0.05,
         "ls -lR of 1,000 files": 0.45, "ls -lR again": 0.1, "cat of 200 files": 0.6, "cat again": 0.1,
         "tar x of 210 entries": 0.7, "git status in 500 files": 1.5, "git status again": 0.3, "read 100 MB": 3.2}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def make_files(folder, count, size):
    os.makedirs(folder)
    for number in range(count):
        with open(f"{folder}/{number}", "wb") as file:
            file.write(os.urandom(size // 2) + b"y" * (size - size // 2))


def make_tree(root):
    make_files(f"{root}/ops", 100, 4096)
    for number in range(20):
        make_files(f"{root}/list/{number}", 50, 100)
    for number in range(10):
        make_files(f"{root}/cat/{number}", 20, 3000)
    for number in range(20):
        make_files(f"{root}/git/{number}", 25, 1000)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@a", "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", f"{root}/git", *words], check=True)
    with open(f"{root}/big", "wb") as file:
        for _ in range(100):
            file.write(os.urandom(1000 * 1000))


def make_tar(folder):
    make_files(f"{folder}/tar/a", 200, 3000)
    for number in range(8):
        os.makedirs(f"{folder}/tar/b/{number}")
    subprocess.run(["tar", "cf", f"{folder}/x.tar", "-C", f"{folder}/tar", "."], check=True)
    return f"{folder}/x.tar"


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.started = options, folder, []
        self.mount = f"{folder}/mount"
        os.mkdir(self.mount)
        self.env = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": f"{folder}/config", "REMOTE_TAR": make_tar(folder)}
        self.env.pop("OSP_AGENT", None)

    def start(self, *words):
        self.started.append(subprocess.Popen(words, env=self.env, stdout=subprocess.DEVNULL))

    def line_to(self, port):
        """A port that is the long line's near end."""
        wait_for(port)
        near = free_port()
        self.start(f"{self.options.build}/bin/cut-proxy", f"tcp:127.0.0.1:{near}", f"tcp:127.0.0.1:{port}",
                   str(self.options.rtt / 2), str(self.options.mbit))
        wait_for(near)
        return near

    def end(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            process.wait()
        self.started = []

    def tree(self, name):
        root = f"{self.folder}/{name}"
        make_tree(root)
        return root

    def rows(self, *enter):
        done = subprocess.run([*enter, "python3", "-B", f"{HERE}/remote_rows.py", self.mount], env=self.env, check=True,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def osp(self):
        port = free_port()
        self.start(f"{self.options.build}/bin/pipd", "--export", self.tree("osp"), "--listen", f"tcp:127.0.0.1:{port}",
                   "--state", f"{self.folder}/state")
        near = self.line_to(port)
        return self.rows(f"{self.options.build}/bin/osp-run", "-m", f"pip://127.0.0.1:{near}/={self.mount}", "--")

    def osp_udp(self):
        port, near = free_port(), free_port()
        self.start(f"{self.options.build}/bin/pipd", "--export", self.tree("osp"), "--listen", f"udp:127.0.0.1:{port}",
                   "--state", f"{self.folder}/state")
        self.started.append(subprocess.Popen(
            [sys.executable, f"{HERE}/../tests/tools/udp_proxy.py", str(near), str(port), str(self.options.rtt / 2),
             str(self.options.mbit)], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        self.started[-1].stdout.readline()
        return self.rows(f"{self.options.build}/bin/osp-run", "-m", f"pip+udp://127.0.0.1:{near}/={self.mount}", "--")

    def sshfs(self):
        port, key = free_port(), f"{self.folder}/ssh-key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", str(port), "-h", key, "-o", f"AuthorizedKeysFile={key}.pub", "-o",
                   "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no", "-o", "Subsystem=sftp internal-sftp")
        near = self.line_to(port)
        subprocess.run(["sshfs", "-p", str(near), "-o", f"IdentityFile={key},StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null",
                        f"root@127.0.0.1:{self.tree('sshfs')}", self.mount], check=True, env=self.env,
                       stderr=subprocess.DEVNULL)
        try:
            return self.rows()
        finally:
            subprocess.run(["fusermount3", "-u", self.mount], check=False)

    def local(self):
        shutil.rmtree(self.mount)
        os.rename(self.tree("local"), self.mount)
        return self.rows()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtt", type=float, default=50, metavar="MS", help="there and back (default: 50)")
    parser.add_argument("--mbit", type=float, default=300, help="of the line, a second (default: 300)")
    parser.add_argument("--build", default="build", help="the build folder (default: build)")
    parser.add_argument("--only", nargs="+", choices=("osp", "osp-udp", "sshfs", "local"), metavar="SIDE")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    able = os.geteuid() == 0 and shutil.which("sshfs") and os.path.exists("/usr/sbin/sshd")
    sides = options.only or ["osp", "osp-udp"] + ["sshfs"] * bool(able) + ["local"]
    found = {}
    for side in sides:
        with tempfile.TemporaryDirectory(prefix="osp-remote-") as folder:
            bench = Bench(options, folder)
            try:
                found[side] = getattr(bench, side.replace("-", "_"))()
            finally:
                bench.end()
    print(f"{'seconds, ' + str(options.rtt) + ' ms there and back':34}" + "".join(f"{side:>9}" for side in sides) + "     goal")
    for row, goal in GOALS.items():
        print(f"{row:34}" + "".join(f"{found[side][row]:9.3f}" for side in sides) + f"{goal:9.2f}")


if __name__ == "__main__":
    main()
