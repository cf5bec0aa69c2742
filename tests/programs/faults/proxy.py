"""A TCP proxy on the loopback interface that cuts, or swallows, what goes through it."""

import selectors
import socket
import threading
import time

CHUNK = 65536


class Proxy:
    """Forwards connections to `target`, and acts once so many bytes have passed, both ways counted.

    close(): every connection is reset, new ones are taken at once.
    drop(seconds): for that time nothing is forwarded, nothing is accepted, nothing is closed:
    what a broken link looks like."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers = {}
        self.passed = 0
        self.connections = 0
        self.triggers = []  # (bytes, action), in order
        self.running = True
        self.thread = threading.Thread(target=self.forward, daemon=True)
        self.thread.start()

    def at(self, count, action):
        """Has `action` called, in the proxy's thread, when `count` bytes have passed."""
        self.triggers = sorted([*self.triggers, (count, action)], key=lambda pair: pair[0])

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:  # the server is gone for now: the client sees a reset, as it would without the proxy
            reset(client)
            return
        self.connections += 1
        for one, other in ((client, server), (server, client)):
            one.settimeout(30)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def pass_on(self, side):
        try:
            data = side.recv(CHUNK)
            if data:
                self.peers[side].sendall(data)
        except OSError:
            data = b""
        if not data:
            self.forget(side)
        self.passed += len(data)
        while self.triggers and self.passed >= self.triggers[0][0]:
            self.triggers.pop(0)[1]()

    def forget(self, side):
        for one in (side, self.peers.get(side)):
            if one in self.peers:
                del self.peers[one]
                self.selector.unregister(one)
                reset(one)

    def close(self):
        for side in list(self.peers):
            self.forget(side)

    def drop(self, seconds):
        time.sleep(seconds)

    def forward(self):
        while self.running:
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.peers:
                    self.pass_on(key.fileobj)

    def stop(self):
        self.running = False
        self.thread.join()
        self.close()
        self.listener.close()


def reset(connection):
    """Closes with a reset rather than in order, as a cut does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
