#!/usr/bin/env python3
"""Boots the kernel with a boot archive: boot.py KERNEL [options] NAME=FILE...  (task/core=build/tests/host-conformance)

What tasks and the kernel write goes to stdout. Exits with task core's status; 124 when it took too long, 125 when the
machine ended without a status.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

MACHINES = {
    "microvm": ["-M", "microvm,rtc=on,isa-serial=off,auto-kernel-cmdline=off"],
    "q35": ["-M", "q35", "-vga", "none", "-net", "none"],
}


def cpio(files, mode=0o100644):
    """A newc archive of {name: bytes}, all of that mode; contents of a page or more begin at one, as osp-boot has it."""
    out, head, page = bytearray(), 110, 4096
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        text = name.encode() + b"\0"
        text += bytes(-(len(out) + head + len(text)) % page if len(data) >= page else 0)
        fields = [number + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(text), 0]
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + text
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def command(options, archive, status):
    return ["qemu-system-x86_64", *MACHINES[options.machine], "-accel", "tcg", "-cpu", "max", "-m", options.memory,
            "-smp", str(options.smp), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-chardev", "null,mux=on,id=serial", "-device", "isa-serial,index=0,chardev=serial",
            "-device", "isa-serial,index=1,chardev=serial", "-kernel", options.kernel, "-initrd", archive,
            "-chardev", "stdio,id=console", "-device", "isa-debugcon,iobase=0xe9,chardev=console",
            "-chardev", f"file,path={status},id=status", "-device", "isa-debugcon,iobase=0xea,chardev=status",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", *options.qemu]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", choices=MACHINES, default="microvm")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--memory", default="128M")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--qemu", action="append", default=[], help="one more argument for QEMU")
    parser.add_argument("--text", action="append", default=[], help="NAME=TEXT: a file of the archive with that text")
    parser.add_argument("--status", type=int, default=0, help="the status that is right")
    parser.add_argument("--expect", action="append", default=[], help="a text that the output must have")
    parser.add_argument("kernel")
    parser.add_argument("files", nargs="*", metavar="NAME=FILE")
    return parser.parse_args(arguments)


def boot(options):
    """Runs the machine to its end; its output and status."""
    pairs = [pair.split("=", 1) for pair in options.files]
    files = {name: pathlib.Path(path).read_bytes() for name, path in pairs}
    files |= {name: text.encode() for name, text in (pair.split("=", 1) for pair in options.text)}
    with tempfile.TemporaryDirectory() as folder:
        archive, status = pathlib.Path(folder, "boot.cpio"), pathlib.Path(folder, "status")
        archive.write_bytes(cpio(files))
        try:
            done = subprocess.run(command(options, str(archive), str(status)), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=options.timeout,
                                  check=False)
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b""), 124
        said = status.read_text() if status.exists() else ""
    return done.stdout, int(said.split()[1]) if said.startswith("exit ") else 125


def main():
    options = parse(sys.argv[1:])
    output, status = boot(options)
    sys.stdout.buffer.write(output)
    missing = [text for text in options.expect if text.encode() not in output]
    for text in missing:
        print(f"boot.py: the output does not have: {text}")
    if missing:
        return 1
    return 0 if status == options.status else status or 1


if __name__ == "__main__":
    sys.exit(main())
