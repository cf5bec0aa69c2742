"""A root archive for native boots: the files of Debian packages of this host, as a newc cpio by zstd."""

import hashlib
import os
import stat
import subprocess
import threading

PACKAGES = """
base-files base-passwd bash busybox-static coreutils dash diffutils findutils gawk grep gzip hostname libc-bin libc6
libgcc-s1 libstdc++6 libcrypt1 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10 libmpfr6 libmpc3 libisl23 libreadline8
libtinfo6 libsigsegv2 libzstd1 zstd liblz4-1 liblzma5 libbz2-1.0 zlib1g perl perl-base perl-modules-5.36 libperl5.36
libdb5.3 libgdbm6 libgdbm-compat4 python3.11 python3.11-minimal python3-minimal libpython3.11-minimal
libpython3.11-stdlib libexpat1 libffi8 libsqlite3-0 libssl3 libncursesw6 libuuid1 media-types sed sqlite3 tar procps
libproc2-0 libsystemd0 libgcrypt20 libgpg-error0 libcap2 util-linux ncurses-base psmisc debianutils
""".split()
# What cases with one of these words in their names have besides.
MORE = {"gcc": """
gcc-12 gcc cpp-12 cpp binutils binutils-x86-64-linux-gnu libbinutils libctf0 libctf-nobfd0 libgprofng0 libjansson4
libc6-dev linux-libc-dev libgcc-12-dev libcc1-0 libgomp1 libatomic1 libitm1 libasan8 libubsan1 libquadmath0 make
""".split(), "git": ["git"]}
making = threading.Lock()
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/i18n/",
            "/usr/lib/gcc/x86_64-linux-gnu/12/plugin/")


def files_of(packages):
    """What the packages have put on this host, directories of it included."""
    installed = [p for p in packages if subprocess.run(["dpkg", "-s", p], capture_output=True).returncode == 0]
    listed = subprocess.run(["dpkg", "-L", *installed], capture_output=True, text=True, check=True).stdout
    paths = {line for line in listed.splitlines() if line.startswith("/") and line != "/."}
    alternatives = [os.path.join("/etc/alternatives", name) for name in os.listdir("/etc/alternatives")]
    paths |= {"/bin", "/lib", "/lib64", "/sbin", "/tmp", "/dev", "/proc", "/root", "/etc/ld.so.cache", "/etc/passwd",
              "/etc/hostname", "/etc/group", "/etc/nsswitch.conf", "/etc/alternatives", "/usr/bin/awk", "/usr/bin/cc", *alternatives}
    places = {os.path.join(os.path.realpath(os.path.dirname(p)), os.path.basename(p)) for p in paths}  # /bin is a link
    return sorted(p for p in places if os.path.lexists(p) and not p.startswith(LEFT_OUT))


def entry(name, number, mode, data=b"", uid=0, gid=0, mtime=0, links=1):
    """One file of the archive."""
    text = name.encode() + b"\0"
    fields = [number, mode, uid, gid, links, mtime, len(data), 0, 0, 0, 0, len(text), 0]
    out = b"070701" + b"".join(b"%08x" % field for field in fields) + text
    out += bytes(-len(out) % 4) + data
    return out + bytes(-len(out) % 4)


def archive(sources):
    """The newc archive of {name in it: path on this host, or bytes}."""
    parts = []
    for number, (name, source) in enumerate(sorted(sources.items()), 1):
        name = name.lstrip("/")
        if isinstance(source, bytes):
            parts.append(entry(name, number, stat.S_IFREG | 0o755, source))
            continue
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            data = os.readlink(source).encode()
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as file:
                data = file.read()
        elif stat.S_ISDIR(info.st_mode):
            data = b""
        else:
            continue
        parts.append(entry(name, number, info.st_mode, data, info.st_uid, info.st_gid, int(info.st_mtime)))
    return b"".join(parts) + entry("TRAILER!!!", 0, 0)


def compressed(data):
    """One zstd frame."""
    return subprocess.run(["zstd", "-q", "-T0", "-3", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def base(folder, case_name):
    """The archive of the packages for a case, in `folder`; made unless it is there. One thread at a time."""
    more = [package for word in MORE if word in case_name for package in MORE[word]]
    names = files_of(PACKAGES + more)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    path = os.path.join(folder, f"root-{digest}.cpio.zst")
    with making:
        if not os.path.exists(path):
            with open(path + ".new", "wb") as out:
                out.write(compressed(archive({name: name for name in names})))
            os.replace(path + ".new", path)
    return path
