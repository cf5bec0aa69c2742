"""A case: one file of cases/, with a header that says how it is run and compared."""

import fnmatch
import os
import re

INTERPRETERS = {
    ".sh": "bash {case}", ".py": "python3 {case}", ".pl": "perl {case}", ".js": "node {case}",
    ".c": "{exe}", ".go": "{exe}", ".tty": None,
}
HEADER = re.compile(r"^(?:#|//): ([a-z]+): *(.*)$")
DEFAULTS = {"doors": "run preload", "on": "host", "users": "root plain", "timeout": "60", "quick": "3"}
KNOWN = {"about", "needs", "run", "doors", "on", "users", "normalise", "ignore", "opaque", "timeout",
         "quick", "cflags", "libs", "link", "size", "reset", "uses"}
REPEATED = {"normalise", "ignore", "opaque"}


class CaseError(Exception):
    """A case file that says something the harness does not understand."""


class Case:
    """What a case file's header says; the fields are documented in the README."""

    def __init__(self, path, link="dynamic", suffix=""):
        self.path = path
        self.stem, self.suffix = os.path.splitext(os.path.basename(path))
        self.name, self.link = self.stem + suffix, link
        fields = read_header(path)
        words = lambda key: fields.get(key, DEFAULTS.get(key, "")).replace(",", " ").split()
        self.about = fields.get("about", "")
        self.needs = words("needs")
        self.uses = words("uses")
        self.command = fields.get("run") or INTERPRETERS[self.suffix]
        self.doors = ["run"] if link == "static" or self.suffix == ".go" else words("doors")
        self.places = words("on")
        self.users = words("users")
        self.timeout = float(fields.get("timeout", DEFAULTS["timeout"]))
        self.quick = int(fields.get("quick", DEFAULTS["quick"]))
        self.cflags, self.libs = words("cflags"), words("libs")
        self.size = tuple(int(n) for n in fields.get("size", "24x80").split("x"))
        self.substitutions = [substitution(path, text) for text in fields.get("normalise", [])]
        self.ignored = fields.get("ignore", [])
        self.opaque_globs = fields.get("opaque", [])

    def ignores(self, name):
        """Whether the file `name` (relative) is left out of the comparison."""
        return any(fnmatch.fnmatch(name, glob) for glob in self.ignored)

    def is_opaque(self, name):
        """Whether only the kind, mode and owner of the file `name` are compared."""
        return any(fnmatch.fnmatch(name, glob) for glob in self.opaque_globs)

    def normalise(self, output):
        """`output` (bytes) after the case's own substitutions, in their order."""
        for pattern, replacement in self.substitutions:
            output = pattern.sub(replacement, output)
        return output

    def argv(self, locations):
        """The command's words; `locations` gives the paths for {case}, {exe}, {dir}, {NAME}."""
        return [word.format_map(locations) for word in self.command.split()]


def substitution(path, text):
    """Parses s/PATTERN/REPLACEMENT/, with any delimiter, into a pair for re.sub on bytes."""
    parts = text[1:].split(text[1]) if len(text) > 3 and text[0] == "s" else []
    if len(parts) != 4 or parts[3]:
        raise CaseError(f"{path}: normalise: '{text}' is not s/PATTERN/REPLACEMENT/")
    return re.compile(parts[1].encode(), re.MULTILINE), parts[2].encode()


def read_header(path):
    """The header's fields; those in REPEATED are lists."""
    fields = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = HEADER.match(line)
            if not match:
                continue
            key, value = match.groups()
            if key not in KNOWN:
                raise CaseError(f"{path}: no field is called '{key}'")
            if key in REPEATED:
                fields.setdefault(key, []).append(value)
            else:
                fields[key] = value
    if "about" not in fields:
        raise CaseError(f"{path}: the header has no 'about'")
    return fields


def load(folder):
    """All cases of `folder`, by name; a C case with `link: both` gives two."""
    cases = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.splitext(name)[1] not in INTERPRETERS:
            continue
        link = read_header(path).get("link", "dynamic")
        cases.append(Case(path, "static" if link == "static" else "dynamic"))
        if link == "both":
            cases.append(Case(path, "static", "-static"))
    return cases
