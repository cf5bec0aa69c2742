#!/usr/bin/python3
"""Keys from the command line: who is let in by pipd over TCP, by which right, and until when: keys_test.py BUILD."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="osp-keys-")
        self.addCleanup(self.folder.cleanup)
        os.makedirs(self.path("export/pub"))
        os.mkdir(self.path("mount"))
        for name in ("export/pub/file", "export/private"):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write("contents")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_as(self, who, *command, status=0, stdin=None, **more_env):
        """Runs a command of ours with `who`'s keys; what it printed. Anything but `status` is a failure."""
        env = {"PATH": "/usr/bin:/bin", "HOME": self.path(who), **more_env}
        os.makedirs(env["HOME"], exist_ok=True)
        done = subprocess.run([os.path.join(BIN, command[0]), *command[1:]], env=env, input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def key_of(self, who):
        if not os.path.exists(self.path(f"{who}/.config/osp/key")):
            self.run_as(who, "osp", "key", "make")
        return self.run_as(who, "osp", "key", "show").strip()

    def serve(self, *options):
        """A pipd with the keys of `server`; its URL."""
        port = free_port()
        os.makedirs(self.path("server"), exist_ok=True)
        server = subprocess.Popen([os.path.join(BIN, "pipd"), "--export", self.path("export"), "--listen",
                                   f"tcp:127.0.0.1:{port}", "--state", self.path("state"), *options],
                                  env={"HOME": self.path("server")}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        while not server.stdout.readline().startswith("pipd: the key"):
            self.assertIsNone(server.poll())
        self.server = server
        return f"pip://127.0.0.1:{port}"

    def test_the_same_user_is_let_in_without_more(self):
        url = self.serve()
        self.assertEqual(self.run_as("server", "pip", "cat", url + "/private"), "contents")
        self.assertEqual(self.run_as("server", "osp-run", "-m", f"{url}/={self.path('mount')}", "--", "cat",
                                     self.path("mount") + "/private"), "contents")

    def test_others_are_told_what_to_do(self):
        key = self.key_of("anna")
        url = self.serve()
        for command in (("pip", "cat", url + "/private"), ("osp-run", "-m", f"{url}/=/mnt", "true")):
            told = self.run_as("anna", *command, status=1 if command[0] == "pip" else 125)
            self.assertIn("osp key trust " + key, told)

    def test_a_key_is_trusted_and_revoked(self):
        key = self.key_of("anna")
        self.run_as("server", "osp", "key", "trust", key, "--rights", "r", "--path", "/pub")
        url = self.serve()
        self.assertEqual(self.run_as("anna", "pip", "cat", url + "/pub/file"), "contents")
        self.assertIn("denied", self.run_as("anna", "pip", "cat", url + "/private", status=1))
        self.assertIn("denied", self.run_as("anna", "pip", "write", url + "/pub/file", status=1, stdin="x"))
        self.run_as("server", "osp", "key", "revoke", key)
        self.server.send_signal(1)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            done = subprocess.run([os.path.join(BIN, "pip"), "cat", url + "/pub/file"], env={"HOME": self.path("anna")},
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False)
            self.assertIsNone(self.server.poll())
            if done.returncode == 1:
                self.assertIn(b"osp key trust", done.stderr)
                break
            self.assertLess(time.monotonic(), deadline)

    def test_revoked_while_it_works(self):
        key = self.key_of("anna")
        self.run_as("server", "osp", "key", "trust", key, "--rights", "rw")
        url = self.serve()
        writer = subprocess.Popen([os.path.join(BIN, "pip"), "write", url + "/private"], env={"HOME": self.path("anna")},
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(writer.stderr.close)
        self.addCleanup(writer.stdin.close)
        self.addCleanup(writer.kill)
        writer.stdin.write(b"x" * (1 << 21))
        writer.stdin.flush()
        self.run_as("server", "osp", "key", "revoke", key)
        self.server.send_signal(1)
        time.sleep(0.5)
        try:
            writer.stdin.write(b"x" * (1 << 21))
            writer.stdin.close()
        except BrokenPipeError:
            pass
        self.assertEqual(writer.wait(DEADLINE_SECONDS), 1)
        self.assertIn(b"osp key trust", writer.stderr.read())

    def test_keys_that_would_be_served(self):
        self.key_of("server")
        told = self.run_as("server", "pipd", "--export", self.path("server"), "--listen", "tcp:127.0.0.1:0", "--state",
                           self.path("state"), status=1)
        self.assertIn("would be served", told)

    def test_rules_that_make_no_sense(self):
        self.key_of("server")
        with open(self.path("server/.config/osp/access"), "w", encoding="utf-8") as rules:
            rules.write("# who\nanna rw /\n")
        told = self.run_as("server", "pipd", "--export", self.path("export"), "--listen", "tcp:127.0.0.1:0", "--state",
                           self.path("state"), status=1)
        self.assertIn("access': line 2: 'anna' is no key", told)

    def test_another_server_at_the_same_address(self):
        url = self.serve()
        self.run_as("server", "pip", "cat", url + "/private")
        other = self.key_of("anna")
        self.run_as("server", "osp", "key", "trust", "--server", url.removeprefix("pip://"), other)
        self.assertIn("has not the key", self.run_as("server", "pip", "cat", url + "/private", status=1))

    def test_in_clear_only_if_asked_for(self):
        url = self.serve().replace("pip:", "pip+clear:")
        self.assertIn("use pip://", self.run_as("server", "pip", "cat", url + "/private", status=1))
        self.server.kill()
        self.server.wait()
        url = self.serve("--in-clear").replace("pip:", "pip+clear:")
        self.assertEqual(self.run_as("anna", "pip", "cat", url + "/private"), "contents")

    def test_delegation(self):
        anna, bert = self.key_of("anna"), self.key_of("bert")
        self.run_as("server", "osp", "key", "trust", anna, "--rights", "rw")
        url = self.serve()
        given = self.run_as("anna", "osp", "delegate", "--to", bert, "--path", "/pub", "--until", "1h")
        self.assertIn("osp key trust", self.run_as("bert", "pip", "cat", url + "/pub/file", status=1))
        self.run_as("bert", "osp", "key", "accept", "-", stdin=given)
        self.assertEqual(self.run_as("bert", "pip", "cat", url + "/pub/file"), "contents")
        self.assertIn("denied", self.run_as("bert", "pip", "write", url + "/pub/file", status=1, stdin="x"))
        link, = json.loads(self.run_as("bert", "osp", "key", "inspect", "--json", "-", stdin=given))
        self.assertEqual((link["from"], link["to"], link["path"], link["rights"]), (anna, bert, "/pub", "r"))
        told = self.run_as("bert", "osp", "delegate", "--to", anna, "--from", "-", status=1, stdin=given)
        self.assertIn("does not allow that much", told)
        self.assertIn("is for " + bert, self.run_as("anna", "osp", "key", "accept", "-", status=1, stdin=given))
        self.assertIn("damaged", self.run_as("bert", "osp", "key", "accept", "-", status=1, stdin=given[:-5]))

    def test_agent(self):
        self.run_as("server", "osp", "key", "trust", self.key_of("anna"), "--rights", "rw")
        url = self.serve()
        script = f"{BIN}/pip cat {url}/private && {BIN}/osp-run -m {url}/=/mnt cat /mnt/pub/file; exit 7"
        agent = ("osp", "agent", "--socket", self.path("agent"), "--rights", "r", "sh", "-c")
        self.run_as("anna", *agent, script, status=7)
        self.assertEqual(self.run_as("anna", *agent, script.replace("exit 7", "exit 0")), "contents" * 2)
        self.assertIn("denied", self.run_as("anna", *agent, f"echo x | {BIN}/pip write {url}/private", status=1))
        self.assertFalse(os.path.exists(self.path("agent")))
        told = self.run_as("anna", "pip", "cat", url + "/private", status=1, OSP_AGENT=self.path("agent"))
        self.assertIn("$OSP_AGENT", told)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
