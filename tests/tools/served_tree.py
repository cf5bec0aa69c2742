"""A folder with a directory that pipd exports on a unix socket, for a test."""

import os
import subprocess
import tempfile
import unittest


class ServedTree(unittest.TestCase):
    """export/ is served at url(); mount/ is there to be mounted on. A class that inherits says where the programs are."""
    BIN = ""

    def make_tree(self, prefix, *directories):
        """Not served yet. The names are below the folder."""
        self.folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.addCleanup(self.folder.cleanup)
        for name in ("export", "mount", *directories):
            os.makedirs(self.path(name))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def url(self, socket="socket"):
        return f"pip+unix://{self.path(socket)}!/"

    def serve(self):
        self.server = subprocess.Popen([os.path.join(self.BIN, "pipd"), "--export", self.path("export"), "--listen",
                                        f"unix:{self.path('socket')}", "--state", self.path("state")],
                                       stdout=subprocess.PIPE, text=True)
        while not self.server.stdout.readline().startswith("pipd: the key"):
            self.assertIsNone(self.server.poll())

    def stop(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
