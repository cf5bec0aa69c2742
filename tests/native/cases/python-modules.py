#: about: python3: sqlite3, json, re, os, threads and processes together
import json
import os
import re
import sqlite3
import subprocess
import threading

numbers = []
threads = [threading.Thread(target=lambda i=i: numbers.extend([i] * 1000)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(numbers), sum(numbers))
print(subprocess.run(["sort"], input=b"b\na\n", stdout=subprocess.PIPE, check=True).stdout)
print(subprocess.check_output("echo hi | cat; exit 0", shell=True))
base = sqlite3.connect("numbers.db")
base.execute("create table t(a)")
base.executemany("insert into t values(?)", [(i,) for i in range(1000)])
base.commit()
print(base.execute("select sum(a) from t").fetchone(), os.path.getsize("numbers.db"))
print(json.dumps({"a": [1, 2]}, indent=1), re.sub("a+", "b", "caaat"), sorted(os.listdir(".")))
event = threading.Event()
threading.Timer(0.05, event.set).start()
print(event.wait(5))
child = os.fork()
if child == 0:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
