"""Indexes the files of a tree into an sqlite3 database: an ordinary program that knows nothing of Osprey.

    index.py TREE DATABASE RESULT PROGRESS

Four threads read the files, hash them and count their words; the main thread stores what they find in DATABASE.
After each batch it writes the count of files done to PROGRESS; in the end it copies the database to RESULT. What
is in it depends on the tree alone.
"""

import collections
import hashlib
import os
import queue
import re
import sqlite3
import sys
import threading
import zlib

THREADS = 4
BATCH = 50
WORD = re.compile(rb"[A-Za-z_]{3,}")
SCHEMA = """
CREATE TABLE file (path TEXT PRIMARY KEY, size INTEGER, sha256 TEXT, packed INTEGER) WITHOUT ROWID;
CREATE TABLE word (word TEXT, path TEXT, count INTEGER, PRIMARY KEY (word, path)) WITHOUT ROWID;
"""


def examine(path):
    with open(path, "rb") as file:
        data = file.read()
    words = collections.Counter(WORD.findall(data)).most_common()
    top = sorted(words, key=lambda item: (-item[1], item[0]))[:20]
    return len(data), hashlib.sha256(data).hexdigest(), len(zlib.compress(data, 6)), top


def work(tree, names, results):
    while (name := names.get()) is not None:
        results.put((name, examine(os.path.join(tree, name))))


def list_files(tree):
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            yield os.path.relpath(os.path.join(folder, name), tree)


def store(database, name, found):
    size, digest, packed, top = found
    database.execute("INSERT INTO file VALUES (?, ?, ?, ?)", (name, size, digest, packed))
    database.executemany("INSERT INTO word VALUES (?, ?, ?)", [(word.decode(), name, count) for word, count in top])


def report(path, done):
    with open(path, "w") as file:
        file.write(f"{done}\n")


def start(tree):
    """Starts the threads; the count of files, and the queue to which what is found comes."""
    names, results = queue.Queue(), queue.Queue(maxsize=BATCH)
    total = 0
    for total, name in enumerate(list_files(tree), 1):
        names.put(name)
    for _ in range(THREADS):
        names.put(None)
        threading.Thread(target=work, args=(tree, names, results), daemon=True).start()
    return total, results


def main(tree, database_path, result_path, progress_path):
    total, results = start(tree)
    database = sqlite3.connect(database_path)
    database.executescript(SCHEMA)
    for done in range(1, total + 1):
        store(database, *results.get())
        if done % BATCH == 0 or done == total:
            database.commit()
            report(progress_path, done)
    with sqlite3.connect(result_path) as result:
        database.backup(result)
    words = database.execute("SELECT count(DISTINCT word) FROM word").fetchone()[0]
    print(f"{total} files, {words} words")


if __name__ == "__main__":
    main(*sys.argv[1:])
