#!/usr/bin/python3
"""A bad line for datagrams: udp_proxy.py PORT TARGET_PORT [MS [MBIT [LOSS]]], each way, on 127.0.0.1.

MS milliseconds on their way, MBIT million bits a second behind a queue of QUEUE_BYTES, LOSS of 100 lost at random. Lines on
its input change it: `out` (nothing passes), `in`, `port` (the server sees the client come from another port), `loss N`.
"""

import heapq
import os
import random
import select
import socket
import sys
import time

QUEUE_BYTES = 1_000_000  # as a home router's or more: what does not fit is lost
BUFFER = 4 << 20
SO_RCVBUFFORCE = 33
LARGEST = 1500 - 28      # what an Ethernet takes


def make_socket(port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF, SO_RCVBUFFORCE):
        try:
            one.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        except PermissionError:
            pass
    one.bind(("127.0.0.1", port))
    one.setblocking(False)
    return one


class Flow:
    """One direction: (due, count, datagram) in a heap."""

    def __init__(self, delay, rate):
        self.delay, self.rate, self.free_at, self.waiting, self.count = delay, rate, 0.0, [], 0

    def take(self, datagram, now):
        self.free_at = max(self.free_at, now)
        if self.rate:
            if (self.free_at - now) * self.rate + len(datagram) > QUEUE_BYTES:
                return
            self.free_at += len(datagram) / self.rate
        self.count += 1
        heapq.heappush(self.waiting, (self.free_at + self.delay, self.count, datagram))


class Proxy:
    def __init__(self, port, target, delay, rate, loss):
        self.near, self.far = make_socket(port), make_socket(0)
        self.target, self.client, self.loss, self.is_out = ("127.0.0.1", target), None, loss, False
        self.up, self.down = Flow(delay, rate), Flow(delay, rate)
        self.random = random.Random(1)

    def receive(self, source, flow):
        while True:
            try:
                datagram, sender = source.recvfrom(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            if source is self.near:
                self.client = sender
            lost = self.is_out or len(datagram) > LARGEST or self.random.random() * 100 < self.loss
            if not lost:
                flow.take(datagram, time.monotonic())

    def send(self, flow, through, to):
        while flow.waiting and flow.waiting[0][0] <= time.monotonic():
            _, _, datagram = heapq.heappop(flow.waiting)
            if to and not self.is_out:
                try:
                    through.sendto(datagram, to)
                except (BlockingIOError, ConnectionRefusedError):
                    pass

    def command(self):
        """False: its input has ended."""
        words = os.read(0, 4096).decode().split("\n")
        for word in words[:-1]:
            if word == "port":
                self.far.close()
                self.far = make_socket(0)
            elif word.startswith("loss"):
                self.loss = float(word.split()[1])
            else:
                self.is_out = word == "out"
        return words != [""]

    def run(self):
        print("ready", flush=True)
        while True:
            due = min([flow.waiting[0][0] for flow in (self.up, self.down) if flow.waiting], default=None)
            wait = None if due is None else max(0.0, due - time.monotonic())
            ready, _, _ = select.select([0, self.near, self.far], [], [], wait)
            if 0 in ready and not self.command():
                return
            self.receive(self.near, self.up)
            self.receive(self.far, self.down)
            self.send(self.up, self.far, self.target)
            self.send(self.down, self.near, self.client)


def main():
    numbers = [float(word) for word in sys.argv[3:]] + [0.0] * 3
    Proxy(int(sys.argv[1]), int(sys.argv[2]), numbers[0] / 1000, numbers[1] * 1e6 / 8, numbers[2]).run()


if __name__ == "__main__":
    main()
