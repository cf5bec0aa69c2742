#: about: python3: 4 threads with queues, hashing, sleeps, a heap of objects, an open file
import hashlib
import queue
import sys
import threading
import time

print("begun", flush=True)
jobs, results = queue.Queue(20), queue.Queue()
journal = open("journal", "w+")


def worker(n):
    while (item := jobs.get()) is not None:
        digest = hashlib.sha256(b"%d" % item).digest()
        for _ in range(1200):
            digest = hashlib.sha256(digest).digest()
        results.put((item, digest.hex()))
        if item % 100 == n:
            time.sleep(0.02)


threads = [threading.Thread(target=worker, args=(n,)) for n in range(4)]
[t.start() for t in threads]
kept = {}
for n in range(4000):
    jobs.put(n)
    kept[n] = [n] * (n % 50)
    if n % 10 == 0:
        journal.write(f"{n}\n")
        journal.flush()
[jobs.put(None) for _ in threads]
[t.join() for t in threads]
found = sorted(results.queue)
print(len(found), hashlib.sha256(repr(found).encode()).hexdigest())
print(sum(sum(v) for v in kept.values()))
journal.seek(0)
print(hashlib.sha256(journal.read().encode()).hexdigest())
sys.exit(4)
