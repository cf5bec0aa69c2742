#: about: memcached with two threads, and eight connections that set, add to and compare what they share
#: needs: memcached
#: timeout: 120
#: quick: 1
import os
import random
import socket
import subprocess
import threading
import time

CLIENTS, ROUNDS = 8, 150


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def line(self, text):
        self.socket.sendall(text + b"\r\n")
        return self.file.readline().rstrip()

    def set(self, key, value):
        assert self.line(b"set %s 0 0 %d\r\n%s" % (key, len(value), value)) == b"STORED"

    def gets(self, key):
        words = self.line(b"gets " + key).split()
        value = self.file.read(int(words[3]) + 2)[:-2]
        assert self.file.readline() == b"END\r\n"
        return value, words[4]

    def stats(self):
        self.socket.sendall(b"stats\r\n")
        return dict(line.split()[1:3] for line in iter(self.file.readline, b"END\r\n"))


def load(port, number, failures):
    client, pick = Client(port), random.Random(number)
    for round in range(ROUNDS):
        key = b"own-%d-%d" % (number, round % 10)
        value = bytes([97 + number]) * pick.randrange(1, 20000)
        client.set(key, value)
        if client.gets(key)[0] != value:
            failures.append(key)
        client.line(b"incr sum %d" % (round + 1))
        while True:
            old, unique = client.gets(b"pair")
            new = b"%d" % (int(old) + 1)
            if client.line(b"cas pair 0 0 %d %s\r\n%s" % (len(new), unique, new)) == b"STORED":
                break


extra = ["-u", "root"] if os.geteuid() == 0 else []
server = subprocess.Popen(["memcached", "-t", "2", "-l", "127.0.0.1", "-p", "-1", "-U", "0", *extra],
                          env={**os.environ, "MEMCACHED_PORT_FILENAME": "port"})
while not os.path.exists("port") or not (told := open("port").read()).endswith("\n"):
    time.sleep(0.01)
port = int(told.split()[-1])
os.unlink("port")
first, failures = Client(port), []
first.set(b"sum", b"0")
first.set(b"pair", b"0")
threads = [threading.Thread(target=load, args=(port, n, failures)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("sum", first.gets(b"sum")[0], "pair", first.gets(b"pair")[0], "failures", failures)
stats = first.stats()
print({name: stats[name.encode()].decode() for name in ("threads", "incr_hits", "cas_hits", "curr_items", "get_misses")})
server.terminate()
print("server", server.wait())
