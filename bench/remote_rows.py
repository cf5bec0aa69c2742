"""What programs do on a remote tree: run inside a mount by remote.py, with the mount's path. Prints JSON: seconds by row."""

import json
import os
import subprocess
import sys
import time

ROOT = sys.argv[1]
FEW = 20


def timed(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def command(*words):
    return lambda: subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def read_files(first):
    for number in range(first, first + FEW):
        with open(f"{ROOT}/ops/{number}", "rb", buffering=0) as file:
            file.read(8192)


def make_files():
    for number in range(FEW):
        with open(f"{ROOT}/ops/new{number}", "wb", buffering=0) as file:
            file.write(b"x" * 4096)


def cat_files():
    for folder in sorted(os.listdir(f"{ROOT}/cat")):
        subprocess.run(["cat", *sorted(os.path.join(ROOT, "cat", folder, name)
                                       for name in os.listdir(f"{ROOT}/cat/{folder}"))],
                       stdout=subprocess.DEVNULL, check=True)


def read_big():
    with open(f"{ROOT}/big", "rb", buffering=0) as file:
        while file.read(1 << 17):
            pass


def rows():
    yield "open, read, close", timed(lambda: read_files(0)) / FEW
    yield "open, read, close again", timed(lambda: read_files(0)) / FEW
    yield "create, write, close", timed(make_files) / FEW
    yield "ls -lR of 1,000 files", timed(command("ls", "-lR", "list"))
    yield "ls -lR again", timed(command("ls", "-lR", "list"))
    yield "cat of 200 files", timed(cat_files)
    yield "cat again", timed(cat_files)
    os.mkdir(f"{ROOT}/tar-out")
    yield "tar x of 210 entries", timed(command("tar", "xf", os.environ["REMOTE_TAR"], "-C", "tar-out"))
    yield "git status in 500 files", timed(command("git", "-C", "git", "-c", "safe.directory=*", "status", "--porcelain"))
    yield "git status again", timed(command("git", "-C", "git", "-c", "safe.directory=*", "status", "--porcelain"))
    yield "read 100 MB", timed(read_big)


if __name__ == "__main__":
    done = {}
    for row, seconds in rows():
        done[row] = seconds
        print(f"{row}: {seconds:.3f}", file=sys.stderr, flush=True)
    print(json.dumps(done))
