"""The two sides of bench/native.py: the microkernel by osp-boot, and a Linux guest, each in QEMU."""

import os
import re
import shlex
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "kernel"))

import boot  # noqa: E402  the cpio archives and the boots of the kernel's tests

LIMIT_SECONDS = 60
COUNTED = ["-icount", "shift=0"]
BUSYBOX = "/usr/bin/busybox"
PACKAGE = "linux-image-cloud-amd64"
# The same devices and processor as osp-boot's microvm has; the guest does nothing against attacks on its processor.
LINUX = ["qemu-system-x86_64", "-M", "microvm,rtc=on,pit=on,pic=on,isa-serial=on,auto-kernel-cmdline=off", "-accel", "tcg",
         "-cpu", "max", "-smp", "1", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
COMMAND_LINE = "console=ttyS0 quiet mitigations=off panic=-1"
COUNTED_KHZ = 1000000


class BenchError(Exception):
    """Something that keeps the benchmark from being taken."""


class Machine:
    """A QEMU that runs, and what it has said."""

    def __init__(self, command, limit=LIMIT_SECONDS):
        self.start = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.lines = []
        self.limit = threading.Timer(limit, self.process.kill)
        self.limit.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.limit.cancel()
        self.process.kill()
        self.process.communicate()

    def read_until(self, *wanted):
        """The seconds until one of these lines was said, or an error with what was said instead."""
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if self.lines[-1] in wanted:
                return time.monotonic() - self.start
        raise BenchError("\n".join(["the machine ended early:", *self.lines[-10:], self.process.stderr.read()[-1500:]]))

    def figures(self):
        """NAME VALUE of each line of that form."""
        found = (re.fullmatch(r"([a-z-]+) ([0-9.]+)", line) for line in self.lines)
        return {match[1]: float(match[2]) for match in found if match}


class Native:
    """The microkernel, by osp-boot."""

    name = "native"

    def __init__(self, build):
        self.boot = os.path.join(build, "bin", "osp-boot")
        self.program = os.path.join(build, "bench", "bench-native")
        self.parts = {name: os.path.join(build, path) for name, path in
                      {"kernel": "lib/osp-kernel.elf", "core": "lib/osp-core", "uart": "lib/osp-uart",
                       "kernel-cost": "tests/kernel-cost"}.items()}
        for file in (self.boot, self.program, *self.parts.values()):
            if not os.path.exists(file):
                raise BenchError(f"there is no {file}: build first (./check --build-only), or name the folder with --build")

    def command(self, names, qemu=()):
        more = [f"--qemu-arg={word}" for word in qemu]
        return [self.boot, "--machine", "microvm", "--smp", "1", "--memory", "64M", *more, "--", self.program, *names]

    def boot_seconds(self, count):
        """From the start of QEMU to the program's first words, so often."""
        printed = subprocess.run([*self.command(())[:-2], "--print-command", "--", self.program], capture_output=True,
                                 text=True, check=True)
        words = shlex.split(printed.stdout)
        try:
            return [seconds_to_begin(words) for _ in range(count)]
        finally:
            os.unlink(words[words.index("-initrd") + 1])

    def runs_in(self, mebibytes):
        """Whether busybox's echo does."""
        done = subprocess.run([self.boot, "--memory", f"{mebibytes}M", "--timeout", "20", "--", BUSYBOX, "echo", "enough"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode == 0 and done.stdout == "enough\n"

    def kernel_costs(self):
        """What the kernel's own test of costs counts, by its words."""
        options = boot.parse(["--qemu=-icount", "--qemu=shift=0", self.parts["kernel"],
                              f"task/core={self.parts['kernel-cost']}"])
        output, status = boot.boot(options)
        if status != 0:
            raise BenchError(f"kernel-cost ended with {status}:\n{output.decode(errors='replace')}")
        found = re.findall(r"^(\S.*?) {2,}(\d+)  \(mark \d+\)$", output.decode(), re.MULTILINE)
        return {what: float(value) for what, value in found}


class Linux:
    """Debian's kernel for virtual machines, with the program as its first process; fetched into the build folder once."""

    name = "linux"

    def __init__(self, build, scratch):
        self.folder = os.path.join(os.path.abspath(build), "bench", "linux")
        self.kernel = self.find_kernel() or self.fetch_kernel()
        programs = (os.path.join(build, "bench", "bench-native"), BUSYBOX)
        self.archives = {os.path.basename(program): self.initramfs(scratch, program) for program in programs}
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            self.khz = int(float(re.search(r"cpu MHz\s*: ([0-9.]+)", file.read())[1]) * 1000)

    def find_kernel(self):
        folder = os.path.join(self.folder, "boot")
        found = [name for name in (os.listdir(folder) if os.path.isdir(folder) else ()) if name.startswith("vmlinuz-")]
        return os.path.join(folder, found[0]) if found else None

    def fetch_kernel(self):
        os.makedirs(self.folder, exist_ok=True)
        depends = subprocess.run(["apt-cache", "depends", PACKAGE], capture_output=True, text=True, check=False).stdout
        named = re.search(r"Depends: (linux-image-\S+)", depends)
        if not named:
            raise BenchError(f"apt knows no package {PACKAGE}; run apt-get update, or take --no-linux")
        print(f"fetching {named[1]} into {self.folder}", flush=True)
        subprocess.run(["apt-get", "download", "-q", named[1]], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        package = next(name for name in os.listdir(self.folder) if name.endswith(".deb"))
        subprocess.run(["dpkg", "-x", package, "."], cwd=self.folder, check=True)
        os.unlink(os.path.join(self.folder, package))
        return self.find_kernel()

    @staticmethod
    def initramfs(scratch, program):
        path = os.path.join(scratch, os.path.basename(program) + ".cpio")
        with open(program, "rb") as file, open(path, "wb") as archive:
            archive.write(boot.cpio({os.path.basename(program): file.read()}, mode=0o100755))
        return path

    def command(self, names, qemu=(), memory=256, program="bench-native"):
        clock = clock_rate(COUNTED_KHZ if qemu else self.khz)
        line = " ".join([COMMAND_LINE, f"rdinit=/{program}", *clock, "--", *names])
        return [*LINUX, "-m", f"{memory}M", "-kernel", self.kernel, "-initrd", self.archives[program], "-append", line, *qemu]

    def boot_seconds(self, count):
        return [seconds_to_begin(self.command(())) for _ in range(count)]

    def runs_in(self, mebibytes):
        try:
            done = subprocess.run(self.command(("echo", "enough"), memory=mebibytes, program="busybox"), check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20)
        except subprocess.TimeoutExpired:
            return False
        return "enough" in done.stdout


def clock_rate(khz):
    """Linux's options that tell it what it measures at its start, and often cannot on a busy host."""
    ticks_a_second = 250
    return [f"tsc_early_khz={khz}", f"lpj={khz * 1000 // ticks_a_second}"]


def seconds_to_begin(command):
    with Machine(command) as machine:
        return machine.read_until("begin")


def figures(side, names, qemu=()):
    """What the program prints for these measures on that side."""
    with Machine(side.command(names, qemu)) as machine:
        machine.read_until("end")
        found = machine.figures()
    if missing := [name for name in names if name not in found]:
        raise BenchError(f"{side.name}: no figure for {', '.join(missing)}")
    return found


def least_memory(side, most):
    """The least MiB in which busybox runs, where it runs in all above, up to `most`."""
    if not side.runs_in(most):
        raise BenchError(f"{side.name}: busybox does not run in {most} MiB")
    fails, runs = 0, most
    while runs - fails > 1:
        middle = (fails + runs) // 2
        fails, runs = (fails, middle) if side.runs_in(middle) else (middle, runs)
    return runs
