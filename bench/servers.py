#!/usr/bin/python3
"""Starts a server, loads it from outside, and prints the microseconds that a request took.

    servers.py redis|redis-threads|memcached|nginx REQUESTS [WORD...]

The WORDs come before the server's command (a way of running it); $BENCH_PRELOAD is LD_PRELOAD for the server alone. The load
is redis-benchmark's, memcslap's or wrk's. Run by bench/run.py.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 120
NGINX = """daemon off; worker_processes 2; pid {0}/pid; error_log {0}/log; {1}
events {{ worker_connections 200; }}
http {{ access_log off; keepalive_requests 1000000;
  client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
  server {{ listen unix:{0}/sock; listen 127.0.0.1:{2}; location / {{ return 200 "hello\\n"; }} }} }}
"""


def output(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True).stdout


def microseconds(text, pattern):
    """The mean of the figures that the load generator printed, as microseconds a request."""
    figures = [float(figure) for figure in re.findall(pattern, text)]
    return sum(1e6 / figure for figure in figures) / len(figures)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def redis(folder, threads):
    sock = os.path.join(folder, "sock")
    server = ["redis-server", "--port", "0", "--unixsocket", sock, "--dir", folder, "--save", "", "--logfile",
              os.path.join(folder, "log"), "--io-threads", threads, "--io-threads-do-reads", "yes"]
    return server, lambda: output(["redis-cli", "-s", sock, "ping"]) == "PONG\n", lambda requests: microseconds(
        output(["redis-benchmark", "-s", sock, "-q", "--threads", threads, "-c", "20", "-P", "4", "-n", requests, "-d", "100",
                "-t", "set,get"]), r"([\d.]+) requests per second")


def memcached(folder):
    sock = os.path.join(folder, "sock")
    server = ["memcached", "-t", "2", "-s", sock, *(["-u", "root"] if os.geteuid() == 0 else [])]

    def load(requests):
        start = time.monotonic()
        output(["memcslap", "-s", sock, "--concurrency=8", f"--execute-number={int(requests) // 8}", "--test=get"])
        return (time.monotonic() - start) / int(requests) * 1e6
    return server, lambda: os.path.exists(sock), load


def nginx(folder):
    port, config = free_port(), os.path.join(folder, "conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(NGINX.format(folder, "user root;" if os.geteuid() == 0 else "", port))
    server = ["/usr/sbin/nginx", "-p", folder, "-c", config, "-e", os.path.join(folder, "log")]
    load = lambda requests: microseconds(output(["wrk", "-t", "2", "-c", "20", "-d", "2", f"http://127.0.0.1:{port}/"]),
                                       r"Requests/sec: *([\d.]+)")
    return server, lambda: os.path.exists(os.path.join(folder, "sock")), load


def await_start(server, is_there):
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if is_there():
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.02)
    sys.exit("bench/servers.py: the server did not start")


def main():
    kind, requests, prefix = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="osp-bench-server.", dir="/tmp") as folder:
        kinds = {"redis": lambda: redis(folder, "1"), "redis-threads": lambda: redis(folder, "2"),
                 "memcached": lambda: memcached(folder), "nginx": lambda: nginx(folder)}
        command, is_there, load = kinds[kind]()
        env = dict(os.environ)
        if preload := env.pop("BENCH_PRELOAD", None):
            env["LD_PRELOAD"] = preload
        server = subprocess.Popen([*prefix, *command], env=env, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            await_start(server, is_there)
            print(f"{load(requests):.3f}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # who was started to start it may end alone
            server.wait(LIMIT_SECONDS)


if __name__ == "__main__":
    main()
