#: about: python3: threads, locks, conditions, queues, barriers, thread-local data, a pool, timers, exceptions
#: on: host pip
import collections
import concurrent.futures
import hashlib
import queue
import sys
import threading
import time

sys.setswitchinterval(0.0005)
jobs, results = queue.Queue(), queue.Queue()


def worker():
    while (item := jobs.get()) is not None:
        results.put((item, hashlib.sha256(str(item).encode() * 200).hexdigest()[:8]))


threads = [threading.Thread(target=worker) for _ in range(8)]
for t in threads:
    t.start()
for n in range(2000):
    jobs.put(n)
for t in threads:
    jobs.put(None)
for t in threads:
    t.join()
print(len(sorted(results.queue)), sorted(results.queue)[-1])

count, lock, barrier = collections.Counter(), threading.Lock(), threading.Barrier(4)
local = threading.local()


def counter(n):
    local.n = n
    for i in range(300):
        with lock:
            count[i % 3] += local.n
        if i % 50 == 0:
            barrier.wait()


threads = [threading.Thread(target=counter, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(count.items()))

condition, turn, order = threading.Condition(), [0], []


def taker(n):
    for _ in range(100):
        with condition:
            condition.wait_for(lambda: turn[0] % 3 == n)
            order.append(n)
            turn[0] += 1
            condition.notify_all()


threads = [threading.Thread(target=taker, args=(n,)) for n in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print(order == [0, 1, 2] * 100)
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(lambda n: n * n, range(500))))
    try:
        pool.submit(lambda: 1 / 0).result()
    except ZeroDivisionError as error:
        print("raised", error)
event = threading.Event()
threading.Timer(0.02, event.set).start()
print(event.wait(10), event.is_set(), threading.Event().wait(0.01))
start = time.monotonic()
time.sleep(0.05)
print(time.monotonic() - start >= 0.05, time.thread_time() < 60, lock.acquire(timeout=1), lock.acquire(timeout=0.01))
big = [bytes([n % 256]) * 100000 for n in range(200)]
print(hashlib.sha256(b"".join(big)).hexdigest()[:16], threading.active_count())
sys.exit(3)
