#!/usr/bin/python3
"""Ten thousand sealed sessions on one pipd, two hundred of them busy: all are served, in little memory.
sessions_test.py BUILD"""

import sys

sys.dont_write_bytecode = True

import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import unittest

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
FDS_BESIDE = 2000     # of pipd, for all but connections
SESSIONS = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - FDS_BESIDE)
BUSY, BUSY_SECONDS = 200, 3
MOST_KB = 1 << 20


def memory_kb(pid):
    """The most that a process ever had in memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])


class Sessions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="osp-sessions-")
        self.addCleanup(folder.cleanup)
        self.env = {**os.environ, "XDG_CONFIG_HOME": f"{folder.name}/config"}
        os.mkdir(f"{folder.name}/export")
        with open(f"{folder.name}/export/busy", "wb") as file:
            file.write(os.urandom(100_000))
        self.server = self.start("pipd", "--export", f"{folder.name}/export", "--listen", "tcp:127.0.0.1:0", "--state",
                                 f"{folder.name}/state")
        self.address = re.search(r" on (tcp:\S+)", self.server.stdout.readline())[1]

    def start(self, name, *words):
        process = subprocess.Popen([os.path.join(BIN, name), *words], env=self.env, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGTERM)
        return process

    def test_all_are_served(self):
        self.assertGreater(SESSIONS, 1000, "the limit of open files (ulimit -Hn) leaves too few")
        clients = self.start("many-sessions", self.address, str(SESSIONS), str(BUSY), str(BUSY_SECONDS))
        told = json.loads(clients.stdout.readline())
        self.assertEqual((told["open"], told["answered"]), (SESSIONS, SESSIONS))
        self.assertGreater(told["groups"], BUSY)
        self.assertLess(memory_kb(self.server.pid), MOST_KB)
        print(f"{SESSIONS} sessions: {memory_kb(self.server.pid) // 1024} MB, open in {told['seconds_to_open']} s; "
              f"{told['groups'] / BUSY_SECONDS:.0f} groups a second for {BUSY} of them")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
