"""Makes a tree of real files, from what every Debian machine has."""

import os
import shutil

SOURCES = ("/usr/share/doc", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share/perl", "/usr/include")
FILES_EACH = 1000
FILES_MOST = 3000
SIZE_MOST = 64 * 1024


def regular_files(source):
    """Some of the source's files, relative to /usr, always the same ones."""
    found = []
    for folder, folders, files in os.walk(source):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path) and 0 < os.path.getsize(path) <= SIZE_MOST:
                found.append(os.path.relpath(path, "/usr"))
        if len(found) >= FILES_EACH:
            break
    return found[:FILES_EACH]


def make(target):
    """Copies files to `target`; their count and size in all."""
    names = [name for source in SOURCES for name in regular_files(source)][:FILES_MOST]
    for name in names:
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(os.path.join("/usr", name), path)
    return len(names), sum(os.path.getsize(os.path.join(target, name)) for name in names)


def link(source, target):
    """Hard links of the files of `source`, at the same places below `target`."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
