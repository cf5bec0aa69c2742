#!/usr/bin/python3
"""Ordinary programs on a tree that osp mount shows, as root and as a plain user: mount_test.py BUILD."""

import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIN = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"), "bin")
DEADLINE_SECONDS = 100
# fusermount3 wants a user with a name.
PLAIN_USER = pwd.getpwnam("nobody").pw_uid


class Relay:
    """Passes what comes to one unix socket on to another, until it is cut."""

    def __init__(self, path, server):
        self.server = server
        self.pairs = []
        self.is_cut = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # it is closed
                return
            if self.is_cut:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.server)
            except OSError:  # it is being restarted
                client.close()
                continue
            self.pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    @staticmethod
    def pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut = True
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.cut()
        self.listener.close()


class Case(unittest.TestCase):
    """A server, and a mount of it, of one user."""

    user = 0

    def setUp(self):
        if not os.path.exists("/dev/fuse"):
            self.skipTest("there is no /dev/fuse here")
        if self.user != 0 and os.stat("/dev/fuse").st_mode & 0o6 != 0o6:
            self.skipTest("/dev/fuse is root's alone: chmod 666 /dev/fuse")
        if os.geteuid() != 0 and self.user == 0:
            self.skipTest("needs root")
        self.folder = tempfile.mkdtemp(prefix="osp-mount-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        for name in ("export", "m", "home", "local"):
            os.mkdir(self.path(name))
            os.chown(self.path(name), self.user, self.user)
        os.chmod(self.path("home"), 0o777)
        self.server = None
        self.relay = None
        self.serve()
        self.addCleanup(self.end)

    def path(self, name):
        return os.path.join(self.folder, name)

    def prefix(self):
        if self.user == os.geteuid():
            return ["env", f"HOME={self.path('home')}", f"OSP_M={self.path('m')}"]
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "env",
                f"HOME={self.path('home')}", f"OSP_M={self.path('m')}"]

    def serve(self):
        self.server = subprocess.Popen([*self.prefix(), os.path.join(BIN, "pipd"), "--export", self.path("export"),
                                        "--listen", f"unix:{self.path('home')}/socket", "--state",
                                        self.path("home/state")], stdout=subprocess.PIPE, text=True)
        while not self.server.stdout.readline().startswith("pipd: the key"):
            self.assertIsNone(self.server.poll())

    def kill_server(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def end(self):
        subprocess.run([*self.prefix(), os.path.join(BIN, "osp"), "unmount", "--lazy", self.path("m")],
                       stderr=subprocess.DEVNULL, check=False)
        if self.relay is not None:
            self.relay.close()
        self.kill_server()

    def url(self, path="", name="home/socket"):
        return f"pip+unix://{self.path(name)}!/{path}"

    def osp(self, *words):
        return subprocess.run([*self.prefix(), os.path.join(BIN, "osp"), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_SECONDS, check=False)

    def mount(self, *options, url=None):
        done = self.osp("mount", *options, url or self.url(), self.path("m"))
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def unmount(self):
        done = self.osp("unmount", self.path("m"))
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def start(self, *command):
        return subprocess.Popen([*self.prefix(), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                cwd=self.folder, text=True)

    def run_there(self, *command):
        done = subprocess.run([*self.prefix(), *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.folder, text=True, errors="surrogateescape", timeout=DEADLINE_SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def sh(self, script):
        return self.run_there("bash", "-ec", script)

    def python(self, script):
        return self.run_there("python3", "-c", "import os, sys, stat, errno, fcntl, mmap\nos.chdir(os.environ['OSP_M'])\n"
                              + script)


class Programs(Case):
    """What programs do on it, as root."""

    def setUp(self):
        super().setUp()
        self.mount()

    def make_tree(self):
        self.sh("mkdir -p local/t/a/b local/t/empty; cd local/t; seq 100000 > a/numbers; echo x > a/b/x; ln -s ../a/b/x a/link; "
                "ln -s nowhere dangling; ln a/numbers a/b/numbers; mkfifo a/fifo; chmod 640 a/b/x; chmod 2750 a/b; "
                "touch -d '2001-02-03 04:05:06.789' a/b/x; printf 'z' > $'a/odd\\nname \\xff\\xfe'; "
                "for i in $(seq 300); do echo $i > empty/.f$i; done; rm empty/.f1*; truncate -s 5M a/holes; "
                "head -c 3000000 /dev/urandom > a/random")

    def test_trees_are_copied_and_compared(self):
        self.make_tree()
        self.sh("cp -a local/t m/t; diff -r --no-dereference local/t m/t 2>&1 | grep -v fifo | cmp - /dev/null; "
                "mkdir local/back; cp -a m/t/. local/back")
        times = "%Ty%Tm%Td%TT"
        listing = f"find . '(' -type d -printf '%p %m %n {times}\\n' -o -printf '%p %y %m %n %s %l {times}\\n' ')' | sort"
        local = self.sh(f"cd local/t; {listing}")
        self.assertEqual(local, self.sh(f"cd m/t; {listing}"))
        self.assertEqual(local, self.sh(f"cd local/back; {listing}"))
        self.sh("tar -C m -cf local/t.tar t; mkdir m/out; tar -C m/out -xf local/t.tar; diff -r --no-dereference m/t m/out/t "
                "2>&1 | grep -v fifo | cmp - /dev/null")
        self.assertEqual(self.sh("ls -lR m"), self.sh("ls -lR m"))
        self.sh("rm -r m/t m/out; test -z \"$(ls -A m)\"")

    def test_git_works(self):
        said = self.sh("cd m; git init -q r; cd r; git config user.email a@b; git config user.name n; "
                       "for i in $(seq 60); do mkdir -p d$((i % 7)); seq $i > d$((i % 7))/f$i; done; git add .; "
                       "git commit -qm one; git mv d1 e1; rm d2/*; git add -A; git commit -qm two; git gc -q; git fsck --full; "
                       "git checkout -q HEAD~1; git checkout -q -; git status --porcelain; git log --oneline | wc -l")
        self.assertEqual(said.splitlines()[-1], "2")
        self.sh("git clone -q m/r local/clone; diff -r -x .git m/r local/clone")

    def test_sqlite_keeps_its_word(self):
        said = self.sh("cd m; for mode in delete wal; do sqlite3 $mode.db \"pragma journal_mode=$mode; create table t(a,b); "
                       "with recursive n(i) as (select 1 union all select i+1 from n where i<2000) insert into t select i, "
                       "hex(randomblob(50)) from n; create index x on t(b); delete from t where a%3=0; vacuum; "
                       "pragma integrity_check; select count(*) from t\"; done")
        self.assertEqual(said.split(), ["delete", "ok", "1334", "wal", "ok", "1334"])

    def test_files_outlive_their_names(self):
        self.python("""
f = open('f', 'w+b', buffering=0); f.write(b'one')
os.unlink('f'); f.write(b'two'); f.seek(0)
assert f.read() == b'onetwo'
assert os.fstat(f.fileno()).st_nlink == 0 and os.fstat(f.fileno()).st_size == 6
os.fchmod(f.fileno(), 0o600); os.ftruncate(f.fileno(), 2)
assert os.fstat(f.fileno()).st_size == 2 and stat.S_IMODE(os.fstat(f.fileno()).st_mode) == 0o600
again = open(f'/proc/self/fd/{f.fileno()}', 'rb'); assert again.read() == b'on'
f.close()
g = open('g', 'w+b', buffering=0); g.write(b'old')
open('h', 'wb').write(b'new')
os.rename('h', 'g'); g.write(b'er'); g.seek(0)
assert g.read() == b'older' and open('g', 'rb').read() == b'new'
d = os.open('.', os.O_RDONLY); os.mkdir('dir'); os.chdir('dir'); open('x', 'w').write('x')
os.rename('x', '../y'); os.rename('../dir', '../dir2'); open('z', 'w').write('z')
assert sorted(os.listdir('.')) == ['z'] and open('../dir2/z').read() == 'z'
os.unlink('z'); os.rmdir('../dir2')
try: open('w', 'w'); assert False
except FileNotFoundError: pass
""")

    def test_what_is_open_is_changed_whatever_has_its_name(self):
        self.sh("echo old > m/f; mkdir m/a m/b; echo 1 > m/a/g; chmod 644 m/f m/a/g")
        holder = self.start("python3", "-c", "import os, sys\nf = os.open('m/f', os.O_RDWR); g = os.open('m/a/g', os.O_RDWR)\n"
                            "print('ready', flush=True)\nsys.stdin.read(1)\nos.fchmod(f, 0o600); os.fchmod(g, 0o600)\n"
                            "os.utime(f, (1, 1))\nprint(oct(os.fstat(f).st_mode & 0o777), oct(os.fstat(g).st_mode & 0o777))")
        self.addCleanup(holder.stdout.close)
        self.assertEqual(holder.stdout.readline(), "ready\n")
        # The host's own programs, behind the mount's back.
        self.sh("echo new > export/new; chmod 644 export/new; mv export/f export/gone; mv export/new export/f; "
                "mv export/a export/was; mv export/b export/a; echo 2 > export/a/g; chmod 644 export/a/g")
        said, _ = holder.communicate("\n", timeout=DEADLINE_SECONDS)
        self.assertEqual((holder.returncode, said), (0, "0o600 0o600\n"))
        self.assertEqual(self.sh("stat -c %a export/f export/gone export/a/g export/was/g"), "644\n600\n644\n600\n")

    def test_hard_links_are_one_file(self):
        self.python("""
open('a', 'w').write('1'); os.link('a', 'b'); os.mkdir('d'); os.link('b', 'd/c')
assert {os.stat(n).st_ino for n in ('a', 'b', 'd/c')} == {os.stat('a').st_ino} and os.stat('a').st_nlink == 3
a = open('a'); m = mmap.mmap(a.fileno(), 1, prot=mmap.PROT_READ)
with open('d/c', 'w') as c: c.write('2')
assert open('b').read() == '2' and m[0:1] == b'2'
os.unlink('a'); os.rename('b', 'd/b'); assert os.stat('d/b').st_nlink == 2
os.rename('d/b', 'd/c'); assert os.stat('d/c').st_nlink == 2 and os.path.exists('d/b')
os.unlink('d/b'); assert os.fstat(a.fileno()).st_nlink == 1 and open('d/c').read() == '2'
""")

    def test_attributes_by_name(self):
        self.python("""
open('f', 'w').close()
os.setxattr('f', 'user.one', b'1'); os.setxattr('f', 'user.two', b'x' * 3000)
assert sorted(os.listxattr('f')) == ['user.one', 'user.two'] and os.getxattr('f', 'user.two') == b'x' * 3000
def fails(code, call, *words):
    try: call(*words)
    except OSError as error: assert error.errno == code, error
    else: assert False, words
fails(errno.EEXIST, os.setxattr, 'f', 'user.one', b'', os.XATTR_CREATE)
fails(errno.ENODATA, os.setxattr, 'f', 'user.new', b'', os.XATTR_REPLACE)
fails(errno.ENODATA, os.getxattr, 'f', 'user.none')
os.removexattr('f', 'user.one'); fails(errno.ENODATA, os.removexattr, 'f', 'user.one')
assert os.listxattr('f') == ['user.two']
""")

    def test_modes_of_opening(self):
        self.python("""
def fails(code, call, *words, **more):
    try: call(*words, **more)
    except OSError as error: assert error.errno == code, error
    else: assert False, words
fd = os.open('f', os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644); os.write(fd, b'abc')
fails(errno.EEXIST, os.open, 'f', os.O_CREAT | os.O_EXCL | os.O_RDWR)
os.close(os.open('f', os.O_TRUNC | os.O_WRONLY)); assert os.fstat(fd).st_size == 0
fails(errno.ENOTDIR, os.open, 'f', os.O_RDONLY | os.O_DIRECTORY); fails(errno.EISDIR, os.open, '.', os.O_WRONLY)
fails(errno.EBADF, os.read, os.open('f', os.O_WRONLY), 1); fails(errno.EBADF, os.write, os.open('f', os.O_RDONLY), b'1')
os.symlink('f', 's'); fails(errno.ELOOP, os.open, 's', os.O_RDONLY | os.O_NOFOLLOW); assert os.readlink('s') == 'f'
os.mkfifo('p', 0o600); assert stat.S_ISFIFO(os.stat('p').st_mode)
r = os.open('p', os.O_RDONLY | os.O_NONBLOCK); w = os.open('p', os.O_WRONLY); os.write(w, b'through'); assert os.read(r, 9) == b'through'
import socket; s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('socket')
fails(errno.EOPNOTSUPP, os.posix_fallocate, fd, 0, 1) if False else os.posix_fallocate(fd, 0, 9000)
assert os.fstat(fd).st_size == 9000
os.lseek(fd, 0, 0); os.write(fd, b'x' * 9000); out = os.open('copy', os.O_CREAT | os.O_RDWR)
os.lseek(fd, 0, 0); assert os.copy_file_range(fd, out, 9000) == 9000 and os.fstat(out).st_size == 9000
os.mkdir('full'); open('full/x', 'w').close(); fails(errno.ENOTEMPTY, os.rmdir, 'full'); fails(errno.ENOENT, os.unlink, 'nothing')
fails(errno.ENAMETOOLONG, open, 'n' * 256, 'w'); name = 'n' * 255; open(name, 'w').close(); assert name in os.listdir('.')
fails(errno.EXDEV, os.link, 'f', os.environ['HOME'] + '/f')
fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.fsync(fd); os.fsync(os.open('.', os.O_RDONLY)); os.statvfs('.').f_bavail
big = os.open('big', os.O_CREAT | os.O_RDWR); os.pwrite(big, b'end', 5 << 30); assert os.stat('big').st_size == (5 << 30) + 3
assert os.pread(big, 3, 5 << 30) == b'end' and os.pread(big, 2, 1 << 30) == bytes(2)
""")

    def test_mappings_are_the_file(self):
        self.python("""
open('f', 'wb').write(bytes(20000)); f = open('f', 'r+b'); m = mmap.mmap(f.fileno(), 20000)
m[5:8] = b'abc'; m[19990:19995] = b'12345'; m.flush()
assert open('f', 'rb').read()[5:8] == b'abc'
os.pwrite(f.fileno(), b'by a write', 100); assert m[100:110] == b'by a write'
m[200:203] = b'end'; m.close(); f.close()
""")
        self.unmount()
        with open(self.path("export/f"), "rb") as file:
            contents = file.read()
        self.assertEqual((contents[5:8], contents[200:203], contents[19990:19995]), (b"abc", b"end", b"12345"))

    def test_two_append(self):
        self.sh("for p in 1 2; do (for i in $(seq 300); do echo \"$p line $i\" >> m/log; done) & done; wait; "
                "test $(wc -l < m/log) = 600; grep -c '^1 line' m/log; test $(sort m/log | uniq | wc -l) = 600")

    def test_what_others_do_is_seen(self):
        self.sh("echo one > m/f; cat m/f > /dev/null")
        with open(self.path("export/f"), "w", encoding="ascii") as file:
            file.write("from the host\n")
        os.rename(self.path("export/f"), self.path("export/g"))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.sh("ls m") != "g\n" and time.monotonic() < deadline:
            pass
        self.assertEqual(self.sh("cat m/g; ls m"), "from the host\ng\n")


class ProgramsOfAUser(Programs):
    """The same as a plain user, by fusermount3."""

    user = PLAIN_USER if os.geteuid() == 0 else os.geteuid()


class Trouble(Case):
    """Links that break, servers that die, signals, and what is asked for wrongly."""

    def await_mount(self):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not os.path.ismount(self.path("m")) and time.monotonic() < deadline:
            time.sleep(0.05)

    def mount_by_relay(self):
        self.relay = Relay(self.path("home/relay"), self.path("home/socket"))
        self.mount(url=self.url(name="home/relay"))

    def read_file(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def test_a_cut_link_only_takes_time(self):
        self.mount_by_relay()
        writer = self.start("bash", "-ec", "for i in $(seq 40); do echo $i > m/f$i; cat m/f$i; mv m/f$i m/g$i; done")
        for _ in range(3):
            time.sleep(0.4)
            self.relay.cut()
            time.sleep(0.6)
            self.relay.mend()
        said, _ = writer.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((writer.returncode, said.split()), (0, [str(i) for i in range(1, 41)]))
        self.unmount()
        self.assertEqual(sorted(os.listdir(self.path("export"))), sorted(f"g{i}" for i in range(1, 41)))
        self.assertEqual(self.read_file("export/g33"), "33\n")

    def test_a_server_killed_in_mid_write_loses_nothing(self):
        self.mount()
        writer = self.start("python3", "-c", "import os\nf = os.open('m/f', os.O_CREAT | os.O_WRONLY | os.O_APPEND)\n"
                            "for i in range(400):\n  os.write(f, b'%d\\n' % i)\n  if i % 50 == 0: os.fsync(f)\n"
                            "g = open('m/g', 'wb')\nfor i in range(100): g.write(b'x' * 50000)\ng.close()")
        for _ in range(3):
            time.sleep(0.5)
            self.kill_server()
            self.serve()
        said, _ = writer.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((writer.returncode, said), (0, ""))
        self.unmount()
        self.assertEqual(self.read_file("export/f"), "".join(f"{i}\n" for i in range(400)))
        self.assertEqual(self.read_file("export/g"), "x" * 5000000)

    def test_who_waits_holds_up_no_other_and_ends_by_a_signal(self):
        self.sh("head -c 5000000 /dev/zero > export/big")
        self.mount_by_relay()
        self.sh("stat m; ls -l m")
        self.relay.cut()
        waiter = self.start("cat", "m/big")
        time.sleep(0.5)
        self.assertIsNone(waiter.poll())
        self.assertIn("directory", self.run_there("timeout", "5", "stat", "m"))
        waiter.send_signal(signal.SIGINT)
        self.assertEqual(waiter.wait(DEADLINE_SECONDS), -signal.SIGINT)
        waiter.stdout.close()
        catcher = self.start("perl", "-e", "$| = 1; $SIG{TERM} = sub { }; print \"ready\\n\"; "
                             "print open(F, '>', 'm/other') ? 'made' : $!+0")
        catcher.stdout.readline()
        time.sleep(0.5)
        catcher.send_signal(signal.SIGTERM)
        said, _ = catcher.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual(said, "4")  # EINTR
        self.relay.mend()

    def test_a_timer_interrupts_nothing(self):
        self.mount_by_relay()
        self.relay.cut()
        waiter = self.start("perl", "-MTime::HiRes=setitimer,ITIMER_REAL", "-e",
                            "$SIG{ALRM} = sub { }; setitimer(ITIMER_REAL, 0.1, 0.1); print open(F, '>', 'm/f') ? 'made' : $!+0")
        time.sleep(1.5)
        self.assertIsNone(waiter.poll())
        self.relay.mend()
        said, _ = waiter.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual(said, "made")

    def test_a_server_that_has_forgotten_us(self):
        self.mount()
        holder = self.start("bash", "-c", "exec 3> m/open; echo ready; exec sleep 600")
        holder.stdout.readline()
        self.kill_server()
        shutil.rmtree(self.path("home/state"))
        self.serve()
        self.sh("stat m; ls m; echo new > m/new; cat m/new")
        holder.kill()
        holder.wait()
        holder.stdout.close()

    def test_unmount_waits_for_the_server(self):
        self.mount_by_relay()
        self.sh("echo old > m/f; cat m/f")
        self.python("f = open('f', 'r+b', buffering=0); f.write(b'new')")
        self.unmount()
        self.assertEqual(self.read_file("export/f"), "new\n")

    def fill_soon(self):
        """What is exported has room for little from now on."""
        self.sh("mount -t tmpfs -o size=256k,mode=777 full export")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.path("export")], check=False)
        self.kill_server()
        self.serve()

    def test_a_server_without_room_is_heard_at_the_close(self):
        self.fill_soon()
        self.sh("echo old > export/f")
        self.mount()
        self.python("""
f = os.open('f', os.O_WRONLY)
try:
    os.write(f, bytes(1 << 20)); os.close(f)
except OSError as error: assert error.errno == errno.ENOSPC, error
else: assert False, 'nothing was said'
""")

    def test_unmount_tells_what_is_lost(self):
        """Unless the server was so quick that the writer has heard it: one of the two is told."""
        self.fill_soon()
        self.mount()
        self.sh("dd if=/dev/zero of=m/f bs=400k count=1 2> /dev/null && touch unheard || true")
        done = self.osp("unmount", self.path("m"))
        if os.path.exists(self.path("unheard")):
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, "^osp: not all that was written is on the server: 'f': No space left on device")
        else:
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_unmount_tells_when_the_server_is_away(self):
        self.mount_by_relay()
        self.sh("mkdir m/d")
        holder = self.start("python3", "-c", "import mmap, os, sys\nf = os.open('m/d/f', os.O_CREAT | os.O_RDWR)\n"
                            "os.ftruncate(f, 9)\npages = mmap.mmap(f, 9)\npages[0:3] = b'old'\npages.flush()\n"
                            "print('ready', flush=True)\nsys.stdin.read(1)\npages[0:3] = b'new'\nos._exit(0)")
        self.addCleanup(holder.stdout.close)
        self.assertEqual(holder.stdout.readline(), "ready\n")
        self.relay.cut()
        holder.stdin.write("\n")
        holder.stdin.close()
        self.assertEqual(holder.wait(10), 0)
        done = self.osp("unmount", self.path("m"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "the server does not answer, and may not have what was written last to 'd/f'")

    def test_unmount_tells_when_the_process_was_killed(self):
        mount = self.start(os.path.join(BIN, "osp"), "mount", "-f", self.url(), self.path("m"))
        self.await_mount()
        mount.send_signal(signal.SIGSTOP)
        unmount = self.start(os.path.join(BIN, "osp"), "unmount", self.path("m"))
        time.sleep(0.5)
        mount.kill()
        mount.wait()
        mount.stdout.close()
        said, _ = unmount.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual(unmount.returncode, 1)
        self.assertRegex(said, "whether the server has all that was written is not known")

    def test_a_signal_does_not_take_away_what_lies_over_it(self):
        mount = self.start(os.path.join(BIN, "osp"), "mount", "-f", self.url(), self.path("m"))
        self.await_mount()
        self.sh("mount -t tmpfs over m; echo x > m/over")
        mount.send_signal(signal.SIGTERM)
        self.assertIn("another mount lies over it", mount.stdout.readline())
        self.assertEqual(self.sh("cat m/over; umount m"), "x\n")
        mount.send_signal(signal.SIGTERM)
        said, _ = mount.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((mount.returncode, said), (0, ""))

    def test_a_mount_in_use_is_not_taken_away(self):
        self.mount()
        user = self.start("bash", "-c", "cd m; echo in; exec sleep 600")
        user.stdout.readline()
        done = self.osp("unmount", self.path("m"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("--lazy", done.stdout)
        self.assertEqual(self.osp("unmount", "--lazy", self.path("m")).returncode, 0)
        self.assertEqual(os.listdir(self.path("m")), [])
        user.kill()
        user.wait()
        user.stdout.close()

    def test_in_the_foreground_a_signal_ends_it(self):
        mount = self.start(os.path.join(BIN, "osp"), "mount", "-f", self.url(), self.path("m"))
        self.await_mount()
        self.sh("echo x > m/f; cat m/f")
        mount.send_signal(signal.SIGTERM)
        said, _ = mount.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((mount.returncode, said), (0, ""))
        self.assertFalse(os.path.ismount(self.path("m")))

    def test_without_standard_streams(self):
        self.sh(f"'{os.path.join(BIN, 'osp')}' mount '{self.url()}' m <&- >&- 2>&-; echo x > m/f; cat m/f")
        self.unmount()
        self.assertEqual(self.read_file("export/f"), "x\n")

    def test_who_ends_the_command_gets_no_mount(self):
        silent = socket.socket(socket.AF_UNIX)
        self.addCleanup(silent.close)
        silent.bind(self.path("local/silent"))
        silent.listen()
        for options in ((), ("-f",)):
            mount = self.start(os.path.join(BIN, "osp"), "mount", *options, self.url(name="local/silent"), self.path("m"))
            silent.accept()[0].recv(1)
            mount.send_signal(signal.SIGINT)
            self.assertNotEqual(mount.wait(DEADLINE_SECONDS), 0)
            mount.communicate(timeout=2)  # whoever else holds its streams has ended, too
            self.assertFalse(os.path.ismount(self.path("m")))

    def test_what_is_left_by_a_dead_process_is_unmounted(self):
        mount = self.start(os.path.join(BIN, "osp"), "mount", "-f", self.url(), self.path("m"))
        self.await_mount()
        mount.kill()
        mount.wait()
        mount.stdout.close()
        done = self.osp("mount", self.url(), self.path("m"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("osp unmount it first", done.stdout)
        self.unmount()

    def test_read_only(self):
        self.sh("echo x > export/f")
        self.mount("-o", "ro")
        self.assertEqual(self.sh("cat m/f; touch m/f 2>&1 | grep -c Read-only; test -e m/g || true"), "x\n1\n")

    def test_others_are_let_in_if_so_wanted(self):
        os.chmod(self.path("export"), 0o777)
        other = ["setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups"]
        self.mount()
        self.assertNotEqual(subprocess.run([*other, "ls", self.path("m")], stderr=subprocess.DEVNULL, check=False).returncode, 0)
        self.unmount()
        self.mount("--allow-other")
        self.sh("echo secret > m/secret; chmod 600 m/secret")
        self.assertEqual(self.run_there(*other, "sh", "-c", "echo x > m/f; mkdir m/d; ln -s f m/l; cat m/secret || stat -c %u m/f m/d m/l"),
                         f"cat: m/secret: Permission denied\n{PLAIN_USER}\n{PLAIN_USER}\n{PLAIN_USER}\n")

    def test_access_control_lists_hold_for_others(self):
        self.sh("chmod 755 export; echo secret > export/f; echo open > export/g; chmod 600 export/g; chmod 644 export/f")
        no_id = 0xffffffff
        for name, user, others in (("f", 0, 4), ("g", 4, 0)):
            # acl(5) as an attribute: owner, PLAIN_USER, group, mask, others.
            entries = ((1, 6, no_id), (2, user, PLAIN_USER), (4, others, no_id), (16, 4, no_id), (32, others, no_id))
            packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
            os.setxattr(self.path(f"export/{name}"), "system.posix_acl_access", packed)
        self.mount("--allow-other")
        other = ["setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups"]
        self.assertEqual(self.run_there(*other, "sh", "-c", "cat m/g; cat m/f || true"),
                         "open\ncat: m/f: Permission denied\n")

    def test_a_directory_below_and_one_that_is_not_empty(self):
        self.sh("mkdir -p export/a/b; echo deep > export/a/b/f; ln -s a/b export/link; echo hidden > m/hidden")
        for path in ("a/b", "link", "a/b/"):
            self.mount(url=self.url(path))
            self.assertEqual(self.sh("ls m; cat m/f"), "f\ndeep\n")
            self.unmount()
        self.assertEqual(self.sh("ls m"), "hidden\n")

    def test_what_is_wrong_is_said(self):
        self.sh("echo x > export/file")
        for words, said in (
                ((self.url(name="nowhere"), "m"), "cannot reach .*nowhere.*: No such file or directory"),
                (("pip://localhost:1", "m"), "cannot reach 'pip://localhost:1.*: Connection refused"),
                ((self.url("nothing"), "m"), "cannot mount '.*nothing': No such file or directory"),
                ((self.url("file"), "m"), "cannot mount '.*file': Not a directory"),
                ((self.url(), "export/file"), "cannot mount on '.*file': Not a directory"),
                ((self.url(), "nowhere"), "cannot mount on '.*nowhere': No such file or directory"),
                ((self.url(), "home"), "cannot mount on '.*home': the server's socket would be hidden below it, '.*socket'"),
                (("pip://localhost:1", "home"), "cannot mount on '.*home': the keys would be hidden below it, '.*osp'"),
                (("not a url", "m"), "'not a url' is not the name of a tree; forms: pip://"),
                (("-o", "ro,bogus", self.url(), "m"), "unknown option '-o bogus'; there are")):
            done = self.osp("mount", *words[:-1], self.path(words[-1]))
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, "^osp: " + said)
        self.assertRegex(self.osp("unmount", self.path("m")).stdout, "is not a mount of osp's")
        self.assertFalse(os.path.ismount(self.path("m")))

    def test_a_key_that_is_not_let_in(self):
        server = subprocess.Popen([os.path.join(BIN, "pipd"), "--export", self.path("export"), "--listen", "tcp:127.0.0.1:0",
                                   "--state", self.path("local/state"), "--keys", self.path("local/keys")],
                                  stdout=subprocess.PIPE, text=True)
        port = re.search(r"tcp:127.0.0.1:(\d+)", server.stdout.readline()).group(1)
        done = self.osp("mount", f"pip://127.0.0.1:{port}/", self.path("m"))
        server.kill()
        server.wait()
        server.stdout.close()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "osp: cannot reach 'pip://127.0.0.1:.*lets nobody in.*osp key trust")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
