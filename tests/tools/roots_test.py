#!/usr/bin/python3
"""osp-run --root: directories, πp trees, tars and images as the root, as each user, compared with chroot(8)."""

import sys

sys.dont_write_bytecode = True

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest

from root_trees import copy, digest_of, directory, docker_archive, make_root, member, oci_archive, put, tar_of

BUILD = os.path.abspath(sys.argv.pop())
PLAIN_ID = 61234
NEEDED = ("bin/osp-run", "bin/osp-unpack", "bin/osp-keeper", "bin/pipd", "lib/osp-core")
SYMLINK, HARDLINK = tarfile.SYMTYPE, tarfile.LNKTYPE
CONFIG = {"architecture": "amd64", "os": "linux",
          "config": {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "WorkingDir": "/made/here",
                     "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo $FROM_IMAGE $PWD; ls /data; exit 5"]}}
SAME_AS_CHROOT = (
    ["/bin/ls", "/"], ["/bin/bash", "-c", "cd /work/..; cd ../../..; pwd; cat etc/name"],
    ["/bin/cat", "/work/absolute", "/work/upwards", "/../work/../etc/name"], ["/bin/musl-dynamic", "a", "b"],
    ["/bin/musl-static"], ["/work/script", "x y"], ["/bin/sh", "-c", "cd /work && ./script z"], ["/lib/none"],
    ["/bin/bash", "-c", "mkdir /tmp/made && touch /tmp/made/file && ls /tmp && rm -r /tmp/made; ls -l /bin/sh | head -c 10"],
    ["/bin/env", "-i", "/bin/bash", "-c", "type ls; for i in 1 2 3; do /bin/musl-static $i; done | sort; exit 3"])


class World:
    """The commands, a root and a folder for each user, once for all tests."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="osp-roots.")
        os.chmod(self.folder, 0o755)
        for name in NEEDED:
            copy(self.folder, os.path.join(BUILD, name), "osprey/" + name)
        self.root = os.path.join(self.folder, "root")
        os.mkdir(self.root)
        make_root(self.root, self.folder)
        os.chmod(os.path.join(self.root, "tmp"), 0o1777)
        self.users = [os.geteuid()] if os.geteuid() != 0 else [0, PLAIN_ID]

    def close(self):
        shutil.rmtree(self.folder)


def setUpModule():
    global WORLD
    WORLD = World()


def tearDownModule():
    WORLD.close()


def as_user(uid):
    return {"user": uid, "group": uid, "extra_groups": []} if uid != os.geteuid() else {}


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="case.", dir=WORLD.folder)
        os.chmod(self.folder, 0o777)
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, data):
        put(self.folder, name, data)
        return os.path.join(self.folder, name)

    def environment(self, uid):
        return {"PATH": "/usr/bin:/bin", "HOME": self.folder, "XDG_CACHE_HOME": os.path.join(self.folder, f"cache-{uid}")}

    def run_in(self, root, command, *options, uid=None, **more):
        """osp-run's outcome: stdout, stderr, status."""
        uid = os.geteuid() if uid is None else uid
        argv = [os.path.join(WORLD.folder, "osprey/bin/osp-run"), "--root", root, *options, "--", *command]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd="/",
                              env=self.environment(uid), **as_user(uid), **more)
        return done.stdout, done.stderr, done.returncode

    def prints(self, expected, root, command, *options, uid=None, status=0):
        self.assertEqual(self.run_in(root, command, *options, uid=uid), (expected, "", status))



class Directories(Case):
    @unittest.skipUnless(os.geteuid() == 0, "chroot is root's")
    def test_same_as_chroot(self):
        for uid in WORLD.users:
            for command in SAME_AS_CHROOT:
                outside = subprocess.run(["/usr/sbin/chroot", f"--userspec={uid}:{uid}", "--groups=", WORLD.root, *command],
                                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                         env=self.environment(uid))
                out, error, status = self.run_in(WORLD.root, command, "--bare-root", uid=uid)
                self.assertEqual((out, status), (outside.stdout, outside.returncode), (command, error, outside.stderr))

    def test_names(self):
        for uid in WORLD.users:
            script = "cd /work; for i in exe cwd root; do readlink /proc/self/$i; done; exec /bin/readlink /proc/self/exe"
            self.prints("/bin/busybox\n/work\n/\n/bin/busybox\n", WORLD.root, ["/bin/bash", "-c", script], uid=uid)
            out, _, status = self.run_in(WORLD.root, ["/bin/bash", "-c", "while read -r x; do echo $x; done < /proc/self/maps"], uid=uid)
            self.assertEqual(status, 0)
            self.assertIn(" /bin/bash\n", out)
            self.assertIn("/ld-linux-x86-64.so.2\n", out)
            self.assertNotIn(WORLD.root, out)

    def test_mounts(self):
        out, _, status = self.run_in(WORLD.root, ["/bin/cat", "/proc/self/mountinfo"])
        self.assertEqual(status, 0)
        lines = [line.split(" ") for line in out.splitlines()]
        self.assertEqual(lines[0][3:5], [os.path.realpath(WORLD.root), "/"])  # the host's own root being no part of it
        self.assertTrue({"/proc", "/dev", "/sys", "/tmp"} <= {line[4] for line in lines})
        with open("/proc/self/mountinfo", encoding="ascii") as host:
            points = {line.split(" ")[4] for line in host}
        below = {point for point in points if point.startswith(("/proc/", "/dev/", "/sys/", "/tmp/"))}
        self.assertEqual({line[4] for line in lines} - {"/", "/proc", "/dev", "/sys", "/tmp", "/etc/hosts", "/etc/resolv.conf"},
                         below)
        self.assertEqual(len({line[0] for line in lines}), len(lines))
        out, _, _ = self.run_in(WORLD.root, ["/bin/cat", "/proc/mounts"])
        self.assertEqual([line.split(" ")[1] for line in out.splitlines()], [line[4] for line in lines])
        out, _, _ = self.run_in(WORLD.root, ["/bin/cat", "/proc/self/mountinfo"], "--bare-root", "-b", "#U/proc=/proc")
        self.assertEqual(len([line for line in out.splitlines() if " / rw" in line]), 1)

    def test_open_files(self):
        script = "exec 3</etc/name 4</work; for i in 3 4; do readlink /proc/self/fd/$i; done; cd /proc/self/fd; readlink 3"
        self.prints("/etc/name\n/work\n/etc/name\n", WORLD.root, ["/bin/sh", "-c", script])

    def test_parts_of_the_host(self):
        marker = tempfile.NamedTemporaryFile(prefix="osp-roots-marker.")
        self.addCleanup(marker.close)
        os.chmod(marker.name, 0o644)
        for uid in WORLD.users:
            script = f"echo > /dev/null && ls -d {marker.name} /sys/kernel /proc/1"
            self.prints(f"/proc/1\n/sys/kernel\n{marker.name}\n", WORLD.root, ["/bin/sh", "-c", script], uid=uid)
            self.prints("absent\n", WORLD.root, ["/bin/sh", "-c", f"ls -A /proc /dev /sys | grep -v : | grep . || echo absent"],
                        "--bare-root", uid=uid)

    def test_options_after_it_are_of_the_root(self):
        host = self.file("host/file", b"of the host\n")
        self.prints("of the host\nthe root's\n", WORLD.root, ["/bin/cat", "/root/file", "/tmp/x"], "--bare-root",
                    "-b", "#U" + os.path.dirname(host) + "=/root", "-b", "-p /etc/name=/tmp/x")
        self.prints("/work\n", WORLD.root, ["/bin/pwd"], "--chdir", "/work")
        self.prints("/work\n", WORLD.root, ["/bin/pwd"], "--chdir", "work")

    def test_a_served_tree(self):
        socket = os.path.join(self.folder, "socket")
        server = subprocess.Popen([os.path.join(WORLD.folder, "osprey/bin/pipd"), "--export", WORLD.root, "--listen",
                                   "unix:" + socket, "--state", os.path.join(self.folder, "state")],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not os.path.exists(socket):
                self.assertIsNone(server.poll())
                time.sleep(0.01)
            os.chmod(socket, 0o777)
            out, error, status = self.run_in(f"pip+unix://{socket}!/", ["/work/script", "a"])
            self.assertEqual((out, status), ("script /work/script a in /\n/bin/musl-static has 2 words in /\n", 7), error)
        finally:
            server.kill()
            server.wait()


class Archives(Case):
    def test_tars(self):
        for number, kind in enumerate(("", "gz", "xz", "bz2")):
            tar = self.file(f"root{number}.tar", tar_of([("+", WORLD.root)], kind))
            for uid in WORLD.users:
                self.prints("/bin/musl-dynamic has 1 words in /\n", tar, ["/bin/musl-dynamic"], uid=uid, status=7)
                self.prints("the root's\n", tar, ["/bin/bash", "-c", "cat /work/absolute"], uid=uid)

    def test_zstd(self):
        tar = self.file("root.tar", tar_of([("+", WORLD.root)]))
        subprocess.run(["zstd", "-q", tar, "-o", tar + ".zst"], check=True)
        self.prints("the root's\n", tar + ".zst", ["/bin/cat", "/etc/name"])

    def test_it_is_unpacked_once(self):
        tar = self.file("root.tar", tar_of([("+", WORLD.root)]))
        self.prints("", tar, ["/bin/touch", "/work/kept"])
        self.prints("/work/kept\n", tar, ["/bin/ls", "/work/kept"])
        os.rename(tar, tar + ".moved")  # it is known by what it holds
        self.prints("/work/kept\n", tar + ".moved", ["/bin/ls", "/work/kept"])

    def test_many_at_once(self):
        tar = self.file("root.tar", tar_of([("+", WORLD.root)]))
        argv = [os.path.join(WORLD.folder, "osprey/bin/osp-run"), "--root", tar, "/bin/cat", "/etc/name"]
        runs = [subprocess.Popen(argv, stdout=subprocess.PIPE, env=self.environment(os.geteuid())) for _ in range(4)]
        for run in runs:
            self.assertEqual((run.communicate(timeout=60)[0], run.returncode), (b"the root's\n", 0))

    def test_interrupted(self):
        whole = tar_of([("+", WORLD.root)])
        tar = self.file("root.tar", whole)
        images = os.path.join(self.environment(os.geteuid())["XDG_CACHE_HOME"], "osprey/images")
        partial = f"sha256-{digest_of(whole)}.partial"
        put(images, partial + "/root/etc/name", b"half\n")
        os.chmod(os.path.join(images, partial, "root/etc"), 0)
        self.prints("the root's\n", tar, ["/bin/cat", "/etc/name"])
        self.assertFalse(os.path.exists(os.path.join(images, partial)))
        other = self.file("other.tar", tar_of([("+", WORLD.root), member("end")]))
        child = subprocess.Popen([os.path.join(WORLD.folder, "osprey/bin/osp-unpack"), other], stdout=subprocess.PIPE,
                                 env=self.environment(os.geteuid()))
        while child.poll() is None and not any(name.endswith(".partial") for name in os.listdir(images)):
            pass
        child.send_signal(signal.SIGKILL)
        child.communicate()
        self.prints("the root's\n", other, ["/bin/cat", "/etc/name"])


class Images(Case):
    def layers(self):
        lower = tar_of([("+", WORLD.root), directory("data"), member("data/gone", data=b"1"), member("data/kept", data=b"2"),
                        directory("data/opaque"), member("data/opaque/old"), directory("tree"), member("tree/below"),
                        member("data/first", data=b"first\n"), member("data/replaced", SYMLINK, link="/etc")])
        middle = tar_of([member("data/.wh.gone"), member("data/.wh.absent"), member("data/opaque/new"),
                         member("data/opaque/.wh..wh..opq"), member(".wh.tree"), member("tree", data=b"a file\n"),
                         member("data/second", HARDLINK, link="data/first"), member("data/.wh..wh.plnk"),
                         directory("data/replaced"), member("data/replaced/in", data=b"in\n")])
        upper = tar_of([member("lib/through-a-link", data=b"x\n"), member("data/link", SYMLINK, link="opaque/new"),
                        member("data/.wh.first"), directory("data/closed", 0o500), member("data/closed/in")], "gz")
        return [lower, middle, upper]

    def check(self, archive, uid):
        status = self.run_in(archive, [], uid=uid)
        self.assertEqual(status, ("yes /made/here\nclosed\nkept\nlink\nopaque\nreplaced\nsecond\n", "", 5))
        script = "ls /data/opaque /data/replaced; cat /tree /data/second /usr/lib/through-a-link; ls /etc/in; readlink /data/link"
        out, _, _ = self.run_in(archive, ["/bin/sh", "-c", script], uid=uid)
        self.assertEqual(out, "/data/opaque:\nnew\n\n/data/replaced:\nin\na file\nfirst\nx\nopaque/new\n")
        self.prints("no\n", archive, ["/bin/sh", "-c", "echo $FROM_IMAGE"], "-e", "FROM_IMAGE=no", uid=uid)

    def test_oci(self):
        archive = self.file("oci.tar", oci_archive(self.layers(), CONFIG))
        for uid in WORLD.users:
            self.check(archive, uid)

    def test_docker(self):
        empty = tar_of([directory("data")])
        archive = self.file("docker.tar", docker_archive(self.layers() + [empty, empty], CONFIG))
        for uid in WORLD.users:
            self.check(archive, uid)

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_owners(self):
        info, data = member("bin/owned", data=b"x", mode=0o4755)
        info.uid, info.gid = 1234, 5678
        archive = self.file("owned.tar", tar_of([("+", WORLD.root), (info, data)]))
        self.prints("-rwsr-xr-x 1 1234 5678", archive, ["/bin/sh", "-c", "ls -ln /bin/owned | { read a b c d e; echo -n $a $b $c $d; }"])
        self.prints("-rwxr-xr-x", archive, ["/bin/sh", "-c", "ls -ln /bin/owned | head -c 10"], uid=PLAIN_ID)


class Refusals(Case):
    def refused(self, root, *words, command=("/bin/true",), options=()):
        out, error, status = self.run_in(root, list(command), *options)
        self.assertEqual((out, status, error.count("\n")), ("", 125, 1), error)
        for word in ("osp-run: ", root, *words):
            self.assertIn(word, error)

    def hostile(self, *members):
        return self.file("hostile.tar", tar_of(members))

    def test_names_that_lead_out(self):
        self.refused(self.hostile(member("../evil")), "'../evil'", "leads out")
        self.refused(self.hostile(member("a/../../evil")), "'a/../../evil'")
        self.refused(self.hostile(member("/etc/evil")), "'/etc/evil'", "absolute")
        self.refused(self.hostile(member("x", HARDLINK, link="../../etc/passwd")), "'x'", "leads out")
        self.refused(self.hostile(member("x", HARDLINK, link="/etc/passwd")), "'x'", "absolute")
        self.refused(self.hostile(member("x", HARDLINK, link="absent")), "'x'", "'absent'")

    def test_links_that_lead_out(self):
        outside = os.path.join(self.folder, "outside")
        os.mkdir(outside)
        put(outside, "secret", b"secret")
        deep = "/".join([".."] * 40) + outside
        for target in (outside, deep):
            archive = self.hostile(("+", WORLD.root), member("way", SYMLINK, link=target), member("way/evil", data=b"x"))
            self.refused(archive, "way")  # there is no such directory in the root
            archive = self.hostile(("+", WORLD.root), member("way", SYMLINK, link=target + "/secret"),
                                   member("stolen", HARDLINK, link="way"), member("way", data=b"overwritten"))
            self.prints("overwritten", archive, ["/bin/cat", "/way"])
            layers = [tar_of([("+", WORLD.root), member("way", SYMLINK, link=target)]),
                      tar_of([member("way/.wh.secret"), member("way/.wh..wh..opq")])]
            self.prints("", self.file("image.tar", oci_archive(layers, CONFIG)), ["/bin/sh", "-c", ":"])
        self.assertEqual(os.listdir(outside), ["secret"])
        with open(os.path.join(outside, "secret"), encoding="ascii") as kept:
            self.assertEqual(kept.read(), "secret")

    def test_damage(self):
        whole = tar_of([("+", WORLD.root)])
        self.refused(self.file("short.tar", whole[:len(whole) // 2]), "member", "whole?")
        self.refused(self.file("text", b"no archive, but a text of some length\n" * 50), "tar")
        self.refused(self.file("empty", b""))
        layer = tar_of([member("x", data=b"x")])
        name = "blob_" + digest_of(layer)[:8]
        self.refused(self.file("blob.tar", oci_archive([layer], CONFIG, **{name: layer + b"x"})), digest_of(layer), "damaged")
        self.refused(self.file("arm.tar", oci_archive([layer], {**CONFIG, "architecture": "arm64"})), "arm64")
        self.refused(self.file("mark.tar", oci_archive([layer, tar_of([member("a/.wh...")])], CONFIG)), "a/.wh...")
        self.refused(self.file("json.tar", tar_of([member("manifest.json", data=b"[1]")])), "not as it should be")

    def test_nothing_stays_of_a_failure(self):
        self.refused(self.hostile(member("fine"), member("../evil")))
        images = os.path.join(self.environment(os.geteuid())["XDG_CACHE_HOME"], "osprey/images")
        self.assertEqual([name for name in os.listdir(images) if not name.endswith(".lock")], [])

    def test_options(self):
        self.refused("/no/such/root", "No such file", "give a directory")
        self.refused("/dev/null", "neither a directory nor an archive")
        self.refused("pip+unix:///no/such/socket!/", "No such file", "start pipd")
        self.refused(WORLD.root, "there is one root", options=("--root", WORLD.root))
        tar = self.file("root.tar", tar_of([("+", WORLD.root)]))
        out, error, status = self.run_in(tar, [])
        self.assertEqual((out, status), ("", 125))
        self.assertIn("no program is given", error)


if __name__ == "__main__":
    unittest.main()
