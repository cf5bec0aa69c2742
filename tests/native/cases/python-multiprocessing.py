#: about: python3: multiprocessing by fork and spawn, shared memory, semaphores, managers; sqlite3 by WAL between processes
import mmap
import multiprocessing
import os
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def add(counter, barrier, semaphore, times):
    barrier.wait()
    for _ in range(times):
        with semaphore, counter.get_lock():
            counter.value += 1


def fill(name, start):
    memory = shared_memory.SharedMemory(name)
    for at in range(start, memory.size, 4):
        memory.buf[at] = start + 1
    memory.close()


def insert(path, who):
    base = sqlite3.connect(path, timeout=30)
    for number in range(20):
        with base:
            base.execute("insert into t values(?, ?)", (who, number))
    base.close()


def reader(path, ready, done, results):
    base = sqlite3.connect(path)
    before = base.execute("select count(*) from t").fetchone()[0]
    base.execute("begin")
    base.execute("select count(*) from t").fetchone()
    ready.set()
    done.wait()
    during = base.execute("select count(*) from t").fetchone()[0]
    base.execute("commit")
    results.put((before, during, base.execute("select count(*) from t").fetchone()[0]))


def counters(context):
    counter, barrier, semaphore = context.Value("i", 0), context.Barrier(3), context.BoundedSemaphore(2)
    workers = [context.Process(target=add, args=(counter, barrier, semaphore, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    print(context.get_start_method(), counter.value, [worker.exitcode for worker in workers])


def memory(context):
    shared = shared_memory.SharedMemory(create=True, size=100_000)
    workers = [context.Process(target=fill, args=(shared.name, start)) for start in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    print(bytes(shared.buf[:8]), bytes(shared.buf[99_996:100_000]), os.path.exists("/dev/shm/" + shared.name))
    shared.close()
    shared.unlink()
    print(os.path.exists("/dev/shm/" + shared.name))


def write_ahead(context):
    base = sqlite3.connect("wal.db")
    print(base.execute("pragma journal_mode=wal").fetchone(), os.path.exists("wal.db-shm"))
    base.execute("create table t(who, number)")
    base.commit()
    ready, done, results = context.Event(), context.Event(), context.Queue()
    watching = context.Process(target=reader, args=("wal.db", ready, done, results))
    watching.start()
    ready.wait()
    writers = [context.Process(target=insert, args=("wal.db", who)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    done.set()
    print(results.get(), [writer.exitcode for writer in writers])
    watching.join()
    print(base.execute("select who, count(*), sum(number) from t group by who").fetchall())
    print(base.execute("pragma integrity_check").fetchone(), base.execute("pragma wal_checkpoint(truncate)").fetchone())
    base.close()
    print(os.path.exists("wal.db-shm"), os.path.exists("wal.db-wal"))


def mapped():
    with open("big", "w+b") as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 0) as pages:
            pages[12345:12350] = b"hello"
            if os.fork() == 0:
                pages[1 << 19] = 1
                os._exit(0)
            os.wait()
            file.seek(12345)
            print(file.read(5), pages[1 << 19], pages.find(b"\1"))
            pages.resize(2 << 20)
            pages[-1] = 9
            pages.flush()
        print(os.stat("big").st_size, open("big", "rb").read()[-1])


if __name__ == "__main__":
    for method in ("fork", "spawn"):
        counters(multiprocessing.get_context(method))
    fork = multiprocessing.get_context("fork")
    memory(fork)
    mapped()
    write_ahead(fork)
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        print(list(pool.map(abs, range(-5, 5))))
    with fork.Manager() as manager:
        shared = manager.dict(a=1)
        child = fork.Process(target=shared.update, args=({"b": 2},))
        child.start()
        child.join()
        print(sorted(shared.items()))
