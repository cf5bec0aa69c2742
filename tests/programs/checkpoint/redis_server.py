"""redis-server with 100,000 keys, stopped and restored under a client that writes all the while."""

import os
import signal
import socket
import subprocess
import threading
import time

from harness import process

import attempt

KEYS, BATCH, ROUNDS = 100000, 1000, 400
GIVE_UP_SECONDS = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def command(*words):
    """A command in redis's protocol."""
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Client:
    """Writes batches of commands that may be sent twice without harm, until each is answered."""

    def __init__(self, port):
        self.port, self.reconnects, self.connection, self.replies = port, -1, None, None

    def connect(self):
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=GIVE_UP_SECONDS)
                self.replies = self.connection.makefile("rb")
                self.reconnects += 1
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise attempt.Failed("redis-server cannot be reached") from None
                time.sleep(0.01)

    def read_reply(self):
        line = self.replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError
        if line.startswith(b"-") and not line.startswith(b"-LOADING"):
            raise attempt.Failed(f"redis-server answered {line.decode().strip()}")
        if line.startswith(b"$"):
            line = self.replies.read(int(line[1:]) + 2)
        return line.strip()

    def batch(self, commands):
        """Sends the commands, and again over a new connection if the old one breaks; the replies."""
        while True:
            try:
                if self.connection is None:
                    self.connect()
                self.connection.sendall(b"".join(commands))
                return [self.read_reply() for _ in commands]
            except OSError:
                self.connection = None


def work(client):
    """All that the client does; the dataset's digest and size at the end."""
    for start in range(0, KEYS, BATCH):
        client.batch([command("SET", f"key:{n}", f"value:{n * 7919}") for n in range(start, start + BATCH)])
    for n in range(ROUNDS):
        client.batch([command("HSET", f"hash:{n % 10}", f"field:{i}", n * i) for i in range(100)] +
                     [command("SET", f"key:{(n * 31 + i) % KEYS}", f"again:{n}") for i in range(100)] +
                     [command("ZADD", "scores", n * i % 977, f"member:{i}") for i in range(100)])
    digest, size = client.batch([command("DEBUG", "DIGEST"), command("DBSIZE")])
    return f"{digest.decode()} {size.decode()}"


class Server(attempt.Program):
    """redis-server as a program that can be stopped; its client runs in a thread of the harness."""

    def __init__(self, case, locations, folder, build, door, user):
        super().__init__(case, locations, folder, build, door, user)
        self.client = Client(free_port())
        self.argv = ["redis-server", "--port", str(self.client.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder,
                     "--enable-debug-command", "yes"]
        self.answer = None

    def drive(self):
        try:
            self.answer = work(self.client)
        except (attempt.Failed, OSError) as error:
            self.answer = str(error)

    def await_begun(self):
        self.thread = threading.Thread(target=self.drive)
        self.thread.start()
        return time.monotonic()

    def finish(self):
        self.thread.join()
        self.client.batch([command("PING")])  # a restore that is under way would end by the signal
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            stacks = process.stacks_of(process.descendants())
            self.kill()
            raise attempt.Failed(f"redis-server did not end at SIGTERM\n{stacks}") from None
        process.leftovers()
        return {"answer": f"{self.answer}\n", "exit status": f"{status}\n", "files": "\n".join(sorted(os.listdir(self.folder)))}
