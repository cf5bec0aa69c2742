"""What a run left in its directory, as text: one line a file, times left out."""

import hashlib
import os
import stat

KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
}


def digest(path):
    """The SHA-256 of a file's contents, or the reason why they cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        return f"unreadable: {error.strerror}"


def describe(path, name, contents):
    """One file's line: kind, mode, owner, name; what is in it only if `contents`."""
    status = os.lstat(path)
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "?")
    line = f"{kind} {stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid} {name!r}"
    if kind == "link":
        return f"{line} -> {os.readlink(path)!r}"
    if kind == "file" and contents:
        return f"{line} links={status.st_nlink} size={status.st_size} {digest(path)}"
    return line


def snapshot(root, case):
    """The lines for everything below `root`, sorted by name.

    Files that `case.ignores` are left out; those that `case.opaque` names are listed
    without size and contents."""
    lines = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            if not case.ignores(relative):
                lines.append(describe(path, relative, not case.is_opaque(relative)))
    lines.append(describe(root, ".", False))
    return sorted(lines, key=lambda line: line.split("'", 1)[-1])
