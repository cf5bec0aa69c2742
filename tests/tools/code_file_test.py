#!/usr/bin/python3
"""The file in /dev/shm by which a user's environments know call sites: what is wrong with it harms no program, and
nobody else's is used.

Each test has a /dev/shm of its own, in a mount namespace; without the privilege for that, nothing is tested."""

import sys

sys.dont_write_bytecode = True

import ctypes
import os
import pathlib
import subprocess
import unittest

BUILD = os.path.abspath(sys.argv.pop())
RUN = os.path.join(BUILD, "bin", "osp-run")
USER = 61234
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
WORDS = "import os; print(sum(os.getppid() > 0 for i in range(100)), len(os.listdir('/usr')) > 3)"
libc = ctypes.CDLL(None, use_errno=True)


def path_of(user):
    return f"/dev/shm/osprey-code-{user}"


def become(user):
    return {"user": user, "group": user, "extra_groups": []}


class CodeFile(unittest.TestCase):
    def mount(self, options="mode=1777"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", "/dev/shm"], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", "/dev/shm"], check=True))

    def run_programs(self, user=USER, times=8):
        """All of it goes well, and says what it says outside."""
        command = ["sh", "-c", "for i in 1 2 3; do /bin/true || exit; done; exec python3 -c \"$0\"", WORDS]
        for _ in range(times):
            done = subprocess.run([RUN, "--"] + command, capture_output=True, text=True, timeout=60, cwd="/", **become(user))
            self.assertEqual((done.stdout, done.stderr, done.returncode), ("100 True\n", "", 0))

    def maps_of_a_program(self):
        program = subprocess.Popen([RUN, "--", "sleep", "60"], stdin=subprocess.DEVNULL, cwd="/", **become(USER))
        try:
            process = pathlib.Path(f"/proc/{program.pid}")
            while process.joinpath("comm").read_bytes() != b"sleep\n":
                pass
            return process.joinpath("maps").read_text(encoding="utf-8")
        finally:
            program.kill()
            program.wait()

    def file(self, contents, mode):
        with open(path_of(USER), "wb") as file:
            file.write(contents)
        os.chmod(path_of(USER), mode)
        os.chown(path_of(USER), USER, USER)

    def test_is_made_for_the_user_alone(self):
        self.mount()
        self.run_programs()
        status = os.stat(path_of(USER))
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (USER, 0o600))
        self.assertLess(status.st_blocks * 512, 32 << 20)
        self.assertIn(path_of(USER), self.maps_of_a_program())

    def test_root_has_none(self):
        self.mount()
        self.run_programs(0)
        self.assertEqual(os.listdir("/dev/shm"), [])

    def test_a_second_name_is_none_of_its_own(self):
        self.mount()
        self.file(b"kept", 0o600)
        os.link(path_of(USER), "/dev/shm/other")
        self.run_programs()
        with open("/dev/shm/other", "rb") as other:
            self.assertEqual(other.read(), b"kept")

    def test_another_users_file_is_not_used(self):
        self.mount()
        with open(path_of(USER), "wb"):
            pass
        os.chmod(path_of(USER), 0o666)
        self.run_programs()
        self.assertEqual(os.path.getsize(path_of(USER)), 0)

    def test_a_file_that_others_may_write_is_not_used(self):
        self.mount()
        self.file(b"", 0o602)
        self.run_programs()
        self.assertEqual(os.path.getsize(path_of(USER)), 0)

    def test_a_link_is_not_followed(self):
        self.mount()
        with open("/dev/shm/other", "wb"):
            pass
        os.symlink("/dev/shm/other", path_of(USER))
        self.run_programs()
        self.assertEqual(os.path.getsize("/dev/shm/other"), 0)

    def test_a_fifo_does_not_hold_it_up(self):
        self.mount()
        os.mkfifo(path_of(USER), 0o600)
        os.chown(path_of(USER), USER, USER)
        self.run_programs()

    def test_another_builds_file_is_replaced(self):
        self.mount()
        self.run_programs(times=1)
        before = os.stat(path_of(USER)).st_ino
        with open(path_of(USER), "r+b") as file:
            file.write(b"\x01" * 8)
        self.run_programs()
        self.assertNotEqual(os.stat(path_of(USER)).st_ino, before)

    def test_what_was_left_half_made_is_finished(self):
        self.mount()
        self.file(bytes(4096), 0o600)
        self.run_programs()
        self.assertGreater(os.path.getsize(path_of(USER)), 1 << 20)

    def test_without_room(self):
        self.mount("mode=1777,size=64k")
        self.run_programs()
        self.assertNotIn(path_of(USER), self.maps_of_a_program())

    def test_without_room_for_copies(self):
        self.mount("mode=1777,size=400k")
        self.run_programs()
        self.assertIn(path_of(USER), self.maps_of_a_program())

    def test_without_execution(self):
        self.mount("mode=1777,noexec")
        self.run_programs()
        self.assertNotIn(path_of(USER), self.maps_of_a_program())

    def test_without_dev_shm(self):
        self.mount("mode=0700")
        self.run_programs()
        self.assertFalse(os.path.exists(path_of(USER)))


if __name__ == "__main__":
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNS) != 0:
        print("skipped: a mount namespace needs privilege")
        sys.exit(0)
    libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    unittest.main()
