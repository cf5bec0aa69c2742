"""Keeps tests of the whole machine from changing it: the harness runs in name spaces of its own, without
the capabilities to set the clock, restart, load modules or read the kernel's log."""

import ctypes
import fcntl
import glob
import os
import shutil
import sys

PR_CAPBSET_DROP = 24
MNT_DETACH = 2
LOOP_CLR_FD = 0x4C01
CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_SYSLOG = 16, 22, 25, 34
MARK = "OSP_LTP_APART"


def enter():
    """Executes this command again, apart from the machine; as a plain user there is nothing to do."""
    if os.geteuid() != 0 or os.environ.get(MARK):
        return
    unshare = shutil.which("unshare")
    if not unshare:
        sys.exit("unshare(1) is not there: Debian's package util-linux has it")
    os.environ[MARK] = "1"
    os.execv(unshare, [unshare, "--pid", "--mount", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
                       "--", sys.executable, *sys.argv])


def drop_capabilities():
    """Takes the capabilities from all that this process will execute; for preexec_fn."""
    for capability in (CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_SYSLOG):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def release(folder):
    """Takes down what a test that was killed left mounted, or attached to a loop device, below `folder`."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounted = [line.split()[1] for line in file]
    for place in reversed([place for place in mounted if place.startswith(folder + "/")]):
        LIBC.umount2(os.fsencode(place), MNT_DETACH)
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(path, encoding="utf-8") as file:
                if not file.read().startswith(folder + "/"):
                    continue
            with open("/dev/" + path.split("/")[3], "rb") as device:
                fcntl.ioctl(device, LOOP_CLR_FD)
        except OSError:
            pass


LIBC = ctypes.CDLL(None)
