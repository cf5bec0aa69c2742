"""Lives as long as the environment, and leaves nothing behind of what it does again and again: threads, children,
files, sockets, mappings. Writes a line to the file in argv[1] after each round."""

import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time


def threads():
    """Starts some, which wait for each other, and joins them."""
    barrier = threading.Barrier(8)
    started = [threading.Thread(target=barrier.wait) for _ in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def children():
    """By vfork and by fork."""
    subprocess.run(["/bin/true"], check=True)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def files():
    """A file, a mapping of it, and a pair of sockets."""
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 1 << 20) as area:
            area[:4] = b"some"
    a, b = socket.socketpair()
    with a, b:
        a.sendall(b"x")
        assert b.recv(1) == b"x"


def main():
    """Until it is killed."""
    rounds = 0
    while True:
        threads()
        children()
        files()
        rounds += 1
        with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
            file.write(f"{rounds}\n")
        os.replace(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(0.02)


main()
