"""Builds the programs of C and Go cases, once, into a folder that outlives the harness's run."""

import glob
import hashlib
import os
import shutil
import subprocess

from .world import PATH

C_FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]


class CompileError(Exception):
    """A case that does not compile, with the compiler's words."""


def command_for(case, output):
    if case.suffix == ".go":
        return ["go", "build", "-o", output, case.path]
    static = ["-static"] if case.link == "static" else []
    return ["gcc", *C_FLAGS, *static, *case.cflags, "-o", output, case.path, *case.libs]


def environment(cache):
    return {"PATH": PATH, "HOME": cache, "LANG": "C.UTF-8", "CGO_ENABLED": "0", "GO111MODULE": "off",
            "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": os.path.abspath(os.path.join(cache, "go")),
            "GOPATH": os.path.abspath(os.path.join(cache, "gopath"))}


def key_of(case):
    """Names a program by all that it is made of."""
    source = b""
    for path in [case.path, *sorted(glob.glob(os.path.join(os.path.dirname(case.path), "*.h")))]:
        with open(path, "rb") as file:
            source += file.read()
    return hashlib.sha256(repr(command_for(case, "")).encode() + source).hexdigest()[:16]


def program(case, cache):
    """The path of the case's program in `cache`; builds it if it is not there."""
    os.makedirs(cache, exist_ok=True)
    output = os.path.join(cache, f"{case.name}-{key_of(case)}")
    if not os.path.exists(output):
        unfinished = f"{output}.{os.getpid()}"
        result = subprocess.run(command_for(case, unfinished), env=environment(cache), stdin=subprocess.DEVNULL,
                                capture_output=True, check=False)
        if result.returncode != 0:
            raise CompileError(f"{case.path} does not compile:\n{result.stderr.decode(errors='replace')}")
        os.replace(unfinished, output)
    return output


def guard(root, folder):
    """Builds guard/guard.cc of the repository at `root` into `folder`. Static: LD_PRELOAD is not for it."""
    output = os.path.join(folder, "guard")
    source = os.path.join(root, "tests/programs/guard/guard.cc")
    command = ["g++", "-std=c++23", "-O1", "-Wall", "-Wextra", "-Werror", "-static", f"-I{root}", source, "-o", output]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode != 0:
        raise CompileError(f"{source} does not compile:\n{result.stderr.decode(errors='replace')}")
    return output


def install(case, cache, folder):
    """Puts what the case runs into `folder`, where any user can read it; its {case} and {exe}."""
    source = os.path.join(folder, case.stem + case.suffix)
    shutil.copyfile(case.path, source)
    os.chmod(source, 0o755)
    for name in case.uses:
        shutil.copyfile(os.path.join(os.path.dirname(case.path), name), os.path.join(folder, name))
    if case.suffix not in (".c", ".go"):
        return {"case": source, "exe": "", "folder": folder}
    target = os.path.join(folder, case.name)
    shutil.copyfile(program(case, cache), target)
    os.chmod(target, 0o755)
    return {"case": source, "exe": target, "folder": folder}
