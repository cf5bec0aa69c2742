#: about: python3: subprocess, posix_spawn, fork, multiprocessing by fork, pipes, pty, exec failures, process groups
#: on: host pip
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import termios

print(subprocess.check_output(["sh", "-c", "echo $0 $1", "a", "b"]))
print(subprocess.run(["tr", "a-z", "A-Z"], input=b"x" * 300000, capture_output=True).stdout[:3])
pipeline = subprocess.Popen(["seq", "100000"], stdout=subprocess.PIPE)
print(subprocess.run(["wc", "-l"], stdin=pipeline.stdout, capture_output=True, text=True).stdout.strip(), pipeline.wait() in (0, -13))
for bad in ("/nonexistent", "/etc/passwd", "/etc"):
    try:
        subprocess.run([bad])
    except OSError as error:
        print(type(error).__name__, error.errno, error.filename)
    try:
        os.posix_spawn(bad, [bad], {})
    except OSError as error:
        print("spawn", error.errno)
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "echo spawned $X; exit 4"], {"X": "1", "PATH": "/bin"},
                     file_actions=[(os.POSIX_SPAWN_OPEN, 1, "spawned.txt", os.O_WRONLY | os.O_CREAT, 0o640)],
                     setsigmask=[signal.SIGUSR1], setpgroup=0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), open("spawned.txt").read())
try:
    subprocess.run(["sleep", "100"], timeout=0.05)
except subprocess.TimeoutExpired as late:
    print(type(late).__name__)
child = subprocess.Popen(["sh", "-c", "sleep 100 & wait"], start_new_session=True)
os.killpg(child.pid, signal.SIGTERM)
print("group", child.wait())
print("cwd", subprocess.check_output(["pwd"], cwd="/usr", env={}).decode().strip())
r, w = os.pipe()
print("inherit", subprocess.run(["sh", "-c", f"echo through >&{w}"], pass_fds=[w]).returncode, os.read(r, 100))
print("closed", subprocess.run(["sh", "-c", f"echo through >&{w}"], stderr=subprocess.DEVNULL).returncode)

sys.stdout.flush()
for n in range(20):
    if os.fork() == 0:
        os._exit(n)
print(sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(20)))
try:
    os.wait()
except ChildProcessError as error:
    print(error.errno)


def square(n):
    return n * n, os.getppid() == parent


parent = os.getpid()
context = multiprocessing.get_context("fork")
with context.Pool(3) as pool:
    print(pool.map(square, range(5)), pool.apply_async(square, (9,)).get())
value, lines = context.Value("i", 0), context.Queue()


def add(n):
    for _ in range(200):
        with value.get_lock():
            value.value += n
    lines.put(n)


children = [context.Process(target=add, args=(n,)) for n in (1, 2, 3)]
[c.start() for c in children]
print(sorted(lines.get() for _ in children))
[c.join() for c in children]
print(value.value, [c.exitcode for c in children])

master, slave = pty.openpty()
termios.tcsetwinsize(slave, (33, 99))
child = subprocess.Popen(["sh", "-c", "tty -s && stty size; read line; echo got $line"], stdin=slave, stdout=slave,
                         stderr=slave, start_new_session=True)
screen = b""
while not screen.endswith(b"33 99\r\n"):
    screen += os.read(master, 1000)
os.write(master, b"typed\n")
while not screen.endswith(b"got typed\r\n"):
    screen += os.read(master, 1000)
print("pty", child.wait(), screen)
killed = subprocess.run(["sh", "-c", "kill -9 $$"])
print(killed.returncode, subprocess.getstatusoutput("exit 5"), os.system("exit 6") >> 8, os.popen("echo popen").read())
sys.stdout.flush()
os.execv("/bin/sh", ["sh", "-c", "echo executed with $# $1; exit 8", "sh", "one"])
