#: about: python3: sqlite3, mmap, file locks, os.* on files, scandir, sendfile, copy_file_range, pread, xattrs, tempfile, zip
#: on: host pip
import fcntl
import gzip
import hashlib
import io
import json
import mmap
import os
import shutil
import sqlite3
import stat
import tempfile
import zipfile

db = sqlite3.connect("words.db")
db.execute("CREATE TABLE w(word TEXT, n INT)")
names = sorted(os.listdir("/usr/lib/python3.11"))
with db:
    db.executemany("INSERT INTO w VALUES(?, ?)", ((n, len(n)) for n in names))
print(db.execute("SELECT n, count(*) FROM w GROUP BY n ORDER BY n").fetchall()[:3], db.execute("PRAGMA integrity_check").fetchone())
db.close()
with open("mapped", "w+b") as f:
    f.truncate(100000)
    with mmap.mmap(f.fileno(), 0) as m:
        m[50000:50005] = b"hello"
        m.flush()
        print(m.find(b"hello"), os.pread(f.fileno(), 5, 50000))
        os.pwrite(f.fileno(), b"HELLO", 50000)
        print(m[50000:50005])
        m.resize(200000)
        m[199999] = 7
    with mmap.mmap(f.fileno(), 4096, access=mmap.ACCESS_COPY, offset=4096 * 12) as private:
        private[0:3] = b"xyz"
    print(os.stat("mapped").st_size, hashlib.sha256(open("mapped", "rb").read()).hexdigest()[:16])
shared = mmap.mmap(-1, 4096)
if os.fork() == 0:
    shared[0:5] = b"child"
    os._exit(0)
os.wait()
print(shared[0:5])
with open("lock", "w") as f:
    fcntl.lockf(f, fcntl.LOCK_EX)
    if os.fork() == 0:
        try:
            fcntl.lockf(open("lock", "w"), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    print("lock held:", os.waitstatus_to_exitcode(os.wait()[1]))
    fcntl.flock(f, fcntl.LOCK_SH)
os.makedirs("d/e/f")
fd = os.open("d", os.O_RDONLY)
os.mkdir("g", dir_fd=fd)
os.symlink("../mapped", "link", dir_fd=fd)
os.rename("g", "h", src_dir_fd=fd, dst_dir_fd=fd)
print(sorted(e.name for e in os.scandir(fd)), os.readlink("link", dir_fd=fd), os.stat("link", dir_fd=fd).st_size)
os.link("mapped", "d/hard")
print(os.stat("mapped").st_nlink, os.path.samefile("mapped", "d/hard"))
os.chmod("d/hard", 0o604)
os.utime("d/hard", ns=(10**18 + 1, 10**18 + 7))
print(oct(os.stat("mapped").st_mode), os.stat("mapped").st_mtime_ns)
for call, args in ((os.rmdir, ("d",)), (os.mkdir, ("d",)), (os.open, ("d", os.O_WRONLY)), (os.unlink, ("d/e",)),
                   (os.open, ("mapped/x", 0)), (os.open, ("d/link", os.O_RDONLY | os.O_NOFOLLOW)), (os.rename, ("d", "d/e/d")),
                   (os.open, ("x" * 300, 0)), (os.readlink, ("d",)), (os.open, ("mapped", os.O_CREAT | os.O_EXCL)),
                   (os.open, ("mapped", os.O_DIRECTORY)), (os.rename, ("mapped", "d")), (os.lseek, (0, -1, 7)), (os.close, (999,))):
    try:
        call(*args)
        print(call.__name__, "worked")
    except OSError as error:
        print(call.__name__, error.errno)
os.symlink("loop", "loop")
try:
    open("loop")
except OSError as error:
    print(error.errno)
with open("mapped", "rb") as a, open("copied", "wb") as b, open("sent", "wb") as c:
    print(os.copy_file_range(a.fileno(), b.fileno(), 150000), os.sendfile(c.fileno(), a.fileno(), 0, 123456))
    os.posix_fallocate(b.fileno(), 0, 300000)
    os.posix_fadvise(a.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    os.fsync(b.fileno())
    os.fdatasync(c.fileno())
    print(os.lseek(a.fileno(), 0, os.SEEK_END), os.lseek(a.fileno(), -5, os.SEEK_CUR))
with open("appended", "ab") as a, open("appended", "ab") as b:
    for n in range(50):
        (a if n % 2 else b).write(b"%d\n" % n)
        (a if n % 2 else b).flush()
    print(os.writev(a.fileno(), [b"one", b"two"]), os.preadv(os.open("appended", 0), [bytearray(3), bytearray(4)], 2))
with tempfile.TemporaryDirectory(dir=".") as t, tempfile.TemporaryFile(dir=".") as unlinked:
    shutil.copytree("/usr/lib/python3.11/json", t + "/json", ignore=shutil.ignore_patterns("__pycache__"))
    unlinked.write(b"nobody sees")
    unlinked.seek(0)
    print(sorted(os.listdir(t + "/json")), unlinked.read(), os.fstat(unlinked.fileno()).st_nlink)
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("a"), b"a" * 100000)
    print(zipfile.ZipFile("z.zip").testzip(), len(zipfile.ZipFile("z.zip").read("a")))
with gzip.GzipFile("g.gz", "wb", mtime=0) as g:
    g.write(json.dumps(list(range(20000))).encode())
print(sum(json.load(gzip.open("g.gz"))), io.open("g.gz", "rb").read(2))
try:
    os.setxattr("mapped", "user.test", b"value")
    print(os.getxattr("mapped", "user.test"), os.listxattr("mapped"))
except OSError as error:
    print("xattr", error.errno)
print(stat.filemode(os.lstat("d/link").st_mode), os.access("mapped", os.X_OK), os.path.realpath("d/link") == os.getcwd() + "/mapped")
os.chdir("d/e")
print(os.path.relpath(os.getcwd(), os.path.dirname(os.path.dirname(os.getcwd()))))
os.fchdir(fd)
print(sorted(os.listdir(".")), os.statvfs(".").f_namemax, os.umask(0o77), os.umask(0o22))
os.truncate("../appended", 10)
root = os.walk("/usr/share/doc/bash")
print(hashlib.sha256(repr([(a, sorted(b), sorted(c)) for a, b, c in root]).encode()).hexdigest()[:16])
memory = os.memfd_create("m")
os.write(memory, b"in memory")
print(open(f"/proc/self/fd/{memory}").read(), fcntl.fcntl(memory, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
