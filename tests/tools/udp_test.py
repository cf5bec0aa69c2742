#!/usr/bin/python3
"""Programs on a tree that pipd serves over UDP: a bad line, outages, another port, a killed server: udp_test.py BUILD."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 100
PLAIN_USER = 61234


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Udp(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="osp-udp-")
        self.addCleanup(self.folder.cleanup)
        os.chmod(self.folder.name, 0o755)
        for name in ("export", "mount", "home"):
            os.mkdir(self.path(name))
        self.port = free_port()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def env(self):
        return {"PATH": "/usr/bin:/bin", "HOME": self.path("home"), "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}

    def start(self, words, **more):
        process = subprocess.Popen(words, env=self.env(), **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def serve(self):
        server = self.start([f"{BIN}/pipd", "--export", self.path("export"), "--listen", f"udp:127.0.0.1:{self.port}", "--state",
                             self.path("state")], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        while not server.stdout.readline().startswith("pipd: the key"):
            self.assertIsNone(server.poll())
        return server

    def line(self, *numbers):
        """A proxy to the server, which is bad as `numbers` say; its input takes commands. Its port is self.near."""
        self.near = free_port()
        proxy = self.start([sys.executable, f"{HERE}/udp_proxy.py", str(self.near), str(self.port), *map(str, numbers)],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.addCleanup(proxy.stdout.close)
        self.addCleanup(proxy.stdin.close)
        self.assertEqual(proxy.stdout.readline(), "ready\n")
        return proxy

    def tell(self, proxy, word):
        proxy.stdin.write(word + "\n")
        proxy.stdin.flush()

    def url(self, port=None):
        return f"pip+udp://127.0.0.1:{port or self.port}"

    def inside(self, command, port=None):
        return [f"{BIN}/osp-run", "-m", f"{self.url(port)}/={self.path('mount')}", "--", "sh", "-ec",
                f"cd {self.path('mount')}; {command}"]

    def run_all(self, words, status=0, user=None):
        drop = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        done = subprocess.run(words, env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=DEADLINE_SECONDS, check=False, **drop)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    WORK = ("mkdir a && cd a && git init -q . && seq 1 20000 >numbers && git add . && "
            "git -c user.name=a -c user.email=a@a commit -qm one && git status --short && git log --oneline | wc -l && "
            "tar cf ../a.tar . && mkdir ../b && tar xf ../a.tar -C ../b && cmp numbers ../b/numbers && wc -c <../b/numbers")

    def test_git_tar_and_cmp(self):
        self.serve()
        self.assertEqual(self.run_all(self.inside(self.WORK)).split(), ["1", "108894"])

    def test_the_same_on_a_bad_line(self):
        self.serve()
        self.line(5, 100, 3)
        self.assertEqual(self.run_all(self.inside(self.WORK, self.near)).split(), ["1", "108894"])

    @unittest.skipIf(os.geteuid() != 0, "who is not root is a plain user already")
    def test_as_a_plain_user(self):
        self.run_all(["chown", "-R", str(PLAIN_USER), self.folder.name])
        base = {"user": PLAIN_USER, "group": PLAIN_USER, "extra_groups": []}
        self.start = lambda words, **more: Udp.start(self, words, **base, **more)
        self.serve()
        self.assertEqual(self.run_all(self.inside(self.WORK), user=PLAIN_USER).split(), ["1", "108894"])

    def test_another_servers_key_and_another_clients(self):
        server = self.serve()
        with open(self.path("export/file"), "w", encoding="utf-8") as file:
            file.write("contents")
        self.assertEqual(self.run_all([f"{BIN}/pip", "cat", self.url() + "/file"]), "contents")
        server.kill()
        server.wait()
        os.rename(self.path("home/.config/osp/key"), self.path("home/.config/osp/old"))
        self.serve()
        os.rename(self.path("home/.config/osp/old"), self.path("home/.config/osp/key"))
        self.assertIn("osp key trust --server", self.run_all([f"{BIN}/pip", "cat", self.url() + "/file"], 1))
        with open(self.path("home/.config/osp/known_servers"), "w", encoding="utf-8"):
            pass
        self.assertIn("there: osp key trust", self.run_all([f"{BIN}/pip", "cat", self.url() + "/file"], 1))

    def test_nobody_is_there(self):
        begun = time.monotonic()
        self.assertIn("refused", self.run_all([f"{BIN}/pip", "cat", self.url() + "/file"], 1))
        self.assertLess(time.monotonic() - begun, 3)

    WRITER = ("import itertools, os, select\nfile = open(\"log\", \"a\")\nfor i in itertools.count():\n"
              "    file.write(f\"{i}\\n\"); file.flush(); os.fsync(file.fileno()); print(i, flush=True)\n"
              "    if select.select([0], [], [], 0.002)[0]: break\n")

    def writer(self, port):
        """A program that appends numbered lines, and prints each number when it is durable, until its input ends."""
        process = self.start(self.inside(f"exec python3 -c '{self.WRITER}'", port), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        self.addCleanup(process.stdin.close)
        return process

    def numbers(self, process):
        """When each number came: a growing list, filled by a thread."""
        times = []

        def read():
            for _ in iter(process.stdout.readline, ""):
                times.append(time.monotonic())
        thread = threading.Thread(target=read)
        thread.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(thread.join)
        return times, thread

    def await_more(self, times, count=100):
        before, deadline = len(times), time.monotonic() + DEADLINE_SECONDS
        while len(times) < before + count:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def expect_all(self, process, times, thread):
        """Ends it: each line is there once and in order."""
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE_SECONDS), 0)
        thread.join()
        with open(self.path("export/log"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "".join(f"{i}\n" for i in range(len(times))))

    def longest_pause(self, times, since):
        return max(after - max(before, since) for before, after in zip(times, times[1:]) if after > since)

    def test_outages_and_other_ports_in_the_midst_of_writing(self):
        self.serve()
        proxy = self.line(10, 0, 0)
        process = self.writer(self.near)
        times, thread = self.numbers(process)
        for seconds in (0.2, 2, 5):
            self.await_more(times, 20)
            self.tell(proxy, "out")
            time.sleep(seconds)
            before = len(times)
            self.tell(proxy, "in")
            back = time.monotonic()
            self.await_more(times, 1)
            print(f"after {seconds} s of outage: {times[before] - back:.3f} s", file=sys.stderr)
        for _ in range(3):
            self.await_more(times, 20)
            self.tell(proxy, "port")
            moved = time.monotonic()
            self.await_more(times, 10)
            print(f"after another port: {self.longest_pause(times, moved):.3f} s", file=sys.stderr)
        self.tell(proxy, "loss 5")
        self.await_more(times, 100)
        self.expect_all(process, times, thread)

    def test_the_server_is_killed_in_the_midst_of_writing(self):
        server = self.serve()
        process = self.writer(self.port)
        times, thread = self.numbers(process)
        for _ in range(3):
            self.await_more(times)
            server.kill()
            server.wait()
            time.sleep(0.3)
            before = len(times)
            server = self.serve()
            back = time.monotonic()
            self.await_more(times, 1)
            print(f"after the server's return: {times[before] - back:.3f} s", file=sys.stderr)
        self.expect_all(process, times, thread)

    def test_strangers_get_nothing_and_do_no_harm(self):
        server = self.serve()
        process = self.writer(self.port)
        times, thread = self.numbers(process)
        self.await_more(times)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(0.3)
            for kind in (0xd1, 0xd2, 0xd3, 0x00):
                for size in (0, 1, 17, 33, 1200, 9000):
                    stranger.sendto((bytes([kind]) + os.urandom(size))[:size], ("127.0.0.1", self.port))
            answered = 0
            try:
                while True:
                    self.assertLessEqual(len(stranger.recv(65536)), 25)
                    answered += 1
            except TimeoutError:
                pass
        self.assertLessEqual(answered, 3)  # to what could have been somebody's from before a restart
        self.expect_all(process, times, thread)
        self.assertIsNone(server.poll())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"] if "-v" in sys.argv else [sys.argv[0]] + sys.argv[2:])
