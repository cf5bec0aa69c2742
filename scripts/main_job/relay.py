"""A TCP relay on the loopback that can be cut, in place of a network that breaks."""

import socket
import threading

CHUNK = 1 << 16


class Relay:
    """Passes connections to its port on to `target_port`."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.open = True
        self.bytes = 0
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target_port))
            self.sockets |= {client, server}
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=ends, daemon=True).start()

    def copy(self, source, target):
        try:
            while data := source.recv(CHUNK):
                target.sendall(data)
                self.bytes += len(data)
        except OSError:
            pass
        self.close(source)
        self.close(target)

    def close(self, end):
        self.sockets.discard(end)
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def cut(self):
        """Breaks every connection and refuses new ones until restore(); how many broke."""
        self.open = False
        ends = list(self.sockets)
        for end in ends:
            self.close(end)
        return len(ends) // 2

    def restore(self):
        self.open = True
