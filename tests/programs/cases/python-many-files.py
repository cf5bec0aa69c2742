#: about: python3: many files open and mapped at a time, under a soft limit on fds that is common
#: on: host pip
import mmap, os, resource

resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for i in range(400):
    with open(f"f{i}", "w") as out:
        out.write(f"{i} " * 2000)
files = [open(f"f{i}", "rb") for i in range(400)]
maps = [mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) for f in files]
print(sum(m[1] for m in maps), sum(len(m) for m in maps), len(os.listdir("/proc/self/fd")))
os.dup2(0, 1023)
try:
    os.dup2(0, 1024)
except OSError as error:
    print(error)
