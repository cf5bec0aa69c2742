#: about: python3: sockets, select, poll, epoll, asyncio with streams and subprocesses, socketpair, SCM_RIGHTS, http
import array
import asyncio
import http.server
import os
import select
import selectors
import socket
import struct
import threading
import urllib.request

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]


def echo(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data[::-1])


def serve(n):
    for _ in range(n):
        threading.Thread(target=echo, args=(listener.accept()[0],)).start()


server = threading.Thread(target=serve, args=(10,))
server.start()
total = 0
for n in range(10):
    with socket.create_connection(("127.0.0.1", port)) as c:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in (1, 100, 30000):
            c.sendall(bytes([n]) * size)
            while size:
                size -= len(c.recv(size))
                total += 1 if size == 0 else 0
server.join()
print("echoed", total, listener.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
a, b = socket.socketpair()
a.setblocking(False)
try:
    a.recv(1)
except BlockingIOError as error:
    print("would block", error.errno)
print(select.select([a], [a], [], 0.01)[0], select.select([b], [b], [], 0)[1] == [b])
poll = select.poll()
poll.register(b, select.POLLIN | select.POLLHUP)
print(poll.poll(5))
a.send(b"x")
print([event for _, event in poll.poll(1000)])
epoll = select.epoll()
epoll.register(b, select.EPOLLIN | select.EPOLLET)
print(len(epoll.poll(1)), len(epoll.poll(0.01)))
a.send(b"y")
print(len(epoll.poll(1)), b.recv(10))
with open("passed", "w+") as file:
    socket.send_fds(a, [b"fd"], [file.fileno()])
    data, fds, flags, _ = socket.recv_fds(b, 10, 2)
    os.write(fds[0], b"written by another fd")
    print(data, len(fds), flags, file.read())
cred = struct.unpack("3i", a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print("peer is me", cred == (os.getpid(), os.getuid(), os.getgid()))
a.shutdown(socket.SHUT_WR)
print(b.recv(10), poll.poll(100)[0][1])
u1, u2 = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
u1.bind("dgram.sock")
u2.sendto(b"datagram", "dgram.sock")
u2.sendto(b"", "dgram.sock")
print(u1.recvfrom(100), u1.recvfrom(100), os.stat("dgram.sock").st_mode & 0o170000 == 0o140000)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.sendto(b"u" * 5000, udp.getsockname())
print(len(udp.recv(9000, socket.MSG_PEEK)), len(udp.recvmsg_into([bytearray(10), bytearray(4990)])), udp.getsockname()[0])
try:
    socket.create_connection(("127.0.0.1", 1), timeout=2)
except ConnectionRefusedError as error:
    print("refused", error.errno)
listener.settimeout(0.01)
try:
    listener.accept()
except TimeoutError:
    print("timed out")
six = socket.create_server(("::1", 0), family=socket.AF_INET6) if socket.has_dualstack_ipv6() else None
print("interfaces", any(name == "lo" for _, name in socket.if_nameindex()), socket.inet_ntop(socket.AF_INET6, b"\0" * 15 + b"\1"))


async def talk(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(20):
        writer.write(b"line %d of %d\n" % (i, n))
    writer.write_eof()
    text = await reader.read()
    writer.close()
    return len(text)


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(client(port, n) for n in range(20))))
    child = await asyncio.create_subprocess_exec("sh", "-c", "read x; echo got $x; exit 3", stdin=-1, stdout=-1)
    print(await child.communicate(b"hello\n"), child.returncode)
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.02)
    except asyncio.TimeoutError:
        print("late")
    loop = asyncio.get_running_loop()
    print(await loop.run_in_executor(None, sum, range(1000)))
    got = asyncio.Event()
    loop.add_signal_handler(10, got.set)
    os.kill(os.getpid(), 10)
    await got.wait()
    print("signal in the loop")
    server.close()
    await server.wait_closed()


asyncio.run(main())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode() * 1000)

    def log_message(self, *_):
        pass


web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=web.serve_forever).start()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print([len(opener.open(f"http://127.0.0.1:{web.server_port}/{n}").read()) for n in range(5)])
web.shutdown()
