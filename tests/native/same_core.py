#!/usr/bin/python3
"""The core in a boot archive is, byte for byte, lib/osp-core, and bin/osp-run is the same but for what says where it lies."""

import argparse
import hashlib
import os
import shlex
import struct
import subprocess
import sys

ELF_HEADER, PT_LOAD = 64, 1


def files_of(archive):
    """{name: contents} of a newc cpio archive."""
    found, at = {}, 0
    while archive[at:at + 6] == b"070701":
        field = lambda n: int(archive[at + 6 + 8 * n:at + 14 + 8 * n], 16)
        size, name_size = field(6), field(11)
        name = archive[at + 110:at + 109 + name_size].decode()
        data = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            break
        found[name.strip("\0")] = archive[data:data + size]
        at = (data + size + 3) & ~3
    return found


def image_end(elf):
    """Where in an ELF file what is loaded of it ends."""
    start, = struct.unpack_from("<Q", elf, 32)
    count, = struct.unpack_from("<H", elf, 56)
    headers = [struct.unpack_from("<IIQQQQQQ", elf, start + 56 * i) for i in range(count)]
    return max(offset + size for kind, _, offset, _, _, size, _, _ in headers if kind == PT_LOAD)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    boot = os.path.join(options.build, "bin", "osp-boot")
    shown = subprocess.run([boot, "--print-command", "--", "/bin/true"], capture_output=True, text=True, check=True)
    words = shlex.split(shown.stdout)
    with open(words[words.index("-initrd") + 1], "rb") as file:
        packed = files_of(file.read())["task/core"]
    with open(os.path.join(options.build, "lib", "osp-core"), "rb") as file:
        hosted = file.read()
    with open(os.path.join(options.build, "bin", "osp-run"), "rb") as file:
        executed = file.read()
    end = image_end(hosted)
    same_image = executed[ELF_HEADER:end] == hosted[ELF_HEADER:end]
    print(f"osp-run: its image of {end} bytes is {'' if same_image else 'not '}the core's")
    hashes = [hashlib.sha256(data).hexdigest() for data in (packed, hosted)]
    print(f"osp-core: natively {hashes[0]}, hosted {hashes[1]}")
    sys.exit(0 if hashes[0] == hashes[1] and same_image else 1)


if __name__ == "__main__":
    main()
