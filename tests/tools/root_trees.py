"""Small roots from this machine's own files, and archives of roots and images, for roots_test.py."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"
MUSL_PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char here[256];
  printf("%s has %d words in %s\n", argv[0], argc, getcwd(here, sizeof here));
  fflush(stdout);
  return WEXITSTATUS(system("exit 7"));
}
"""


def libraries_of(program):
    """What the dynamic loader would load, and itself, by the names that they are asked for."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


def put(root, path, data=b"", mode=0o644):
    target = os.path.join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as out:
        out.write(data)
    os.chmod(target, mode)


def copy(root, source, path=None):
    target = os.path.join(root, (path or source).lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)


def make_root(root, scratch):
    """busybox (static), bash with its libraries, a program of musl's (dynamic and static), scripts and links."""
    for name in ("bin", "etc", "proc", "dev", "sys", "tmp", "root", "work", "usr/lib"):
        os.makedirs(os.path.join(root, name))
    os.symlink("usr/lib", os.path.join(root, "lib"))
    copy(root, shutil.which("busybox"), "bin/busybox")
    for name in ("sh", "ls", "cat", "readlink", "echo", "env", "head", "grep", "pwd", "sort", "mkdir", "rm", "touch", "id"):
        os.symlink("/bin/busybox", os.path.join(root, "bin", name))
    copy(root, "/bin/bash")
    for library in libraries_of("/bin/bash"):
        copy(root, library)
    put(root, "etc/name", b"the root's\n")
    os.symlink("/etc/name", os.path.join(root, "work/absolute"))
    os.symlink("../../../../etc/name", os.path.join(root, "work/upwards"))
    put(root, "work/script", b"#!/bin/bash\necho script $0 $1 in $PWD; exec /bin/musl-static last\n", 0o755)
    source = os.path.join(scratch, "program.c")
    with open(source, "w", encoding="ascii") as out:
        out.write(MUSL_PROGRAM)
    for kind, option in (("dynamic", []), ("static", ["-static"])):
        subprocess.run(["musl-gcc", "-O1", *option, source, "-o", os.path.join(root, "bin/musl-" + kind)], check=True)
    copy(root, os.path.realpath(MUSL_LOADER), MUSL_LOADER)


def member(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, len(data), link, 1700000000
    return info, data


def directory(name, mode=0o755):
    return member(name, tarfile.DIRTYPE, mode=mode)


def tar_of(members, compression=""):
    """A tar's bytes; `members` as member() makes them, or ("+", FOLDER) for a whole folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + compression, format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            if info == "+":
                tar.add(data, arcname=".")
            else:
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def oci_archive(layers, config, **damage):
    """An OCI image archive. `damage`: blobs by digest that are to hold something else."""
    blobs = {}

    def blob(data, kind):
        digest = digest_of(data)
        blobs[digest] = damage.get("blob_" + digest[:8], data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    described = {"schemaVersion": 2, "config": blob(json.dumps(config).encode(), "config.v1+json"),
                 "layers": [blob(layer, "layer.v1.tar") for layer in layers]}
    manifest = blob(json.dumps(described).encode(), "manifest.v1+json")
    other = {**manifest, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}
    index = {"schemaVersion": 2, "manifests": [other, {**manifest, "platform": {"os": "linux", "architecture": "amd64"}}]}
    return tar_of([directory("blobs/sha256")] + [member("blobs/sha256/" + name, data=data) for name, data in blobs.items()]
                  + [member("oci-layout", data=b'{"imageLayoutVersion":"1.0.0"}'),
                     member("index.json", data=json.dumps(index).encode())])


def docker_archive(layers, config):
    """What docker save wrote for many years; layers that are the same are links."""
    members, names, seen = [], [], {}
    for layer in layers:
        name = digest_of(layer + str(len(names)).encode())
        path = f"{name}/layer.tar"
        members.append(directory(name))
        if layer in seen:
            members.append(member(path, tarfile.SYMTYPE, link="../" + seen[layer]))
        else:
            members.append(member(path, data=layer))
            seen[layer] = path
        names.append(path)
    text = json.dumps(config).encode()
    manifest = [{"Config": digest_of(text) + ".json", "RepoTags": ["a:1"], "Layers": names}]
    return tar_of(members + [member(digest_of(text) + ".json", data=text),
                             member("manifest.json", data=json.dumps(manifest).encode())])
