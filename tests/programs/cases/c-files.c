//: about: C: descriptors, flags, directories, links, offsets, locks across fork, *at calls, errors of every sort
//: link: both
//: cflags: -Wno-stringop-overflow -Wno-stringop-overread
//: on: host pip
#include "try.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char buffer[100000];

static void descriptors(void) {
  int fd = (int)NEED(open("file", O_CREAT | O_RDWR | O_EXCL, 0666)), other;
  int root = (int)NEED(open("/", O_PATH));
  TRY(root - fd);
  TRY(open("/", O_RDONLY | O_DIRECTORY) - root);
  TRY(dup2(fd, 50));
  TRY(dup3(fd, 51, O_CLOEXEC));
  TRY(fcntl(51, F_GETFD));
  TRY(fcntl(fd, F_DUPFD, 60));
  TRY(fcntl(fd, F_DUPFD_CLOEXEC, 60));
  TRY(dup2(fd, fd) == fd);
  TRY(dup3(fd, fd, 0));
  TRY(dup2(999, 5));
  TRY(dup2(fd, 1 << 30));
  TRY(write(50, "0123456789", 10));
  TRY(lseek(fd, 0, SEEK_CUR));
  TRY(pread(60, buffer, 4, 3));
  TRY(read(51, buffer, 4));
  TRY(lseek(fd, -4, SEEK_END));
  TRY(read(61, buffer, 10));
  TRY(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
  TRY(fcntl(50, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE));
  TRY(pwrite(fd, "end", 3, 0));
  other = (int)NEED(open("file", O_RDONLY));
  TRY(lseek(other, 0, SEEK_END));
  TRY(lseek(other, 3, SEEK_DATA));
  TRY(lseek(other, 3, SEEK_HOLE));
  TRY(lseek(other, 100, SEEK_DATA));
  TRY(write(other, "x", 1));
  TRY(ftruncate(other, 3));
  TRY(syscall(SYS_close_range, 50, 70, 0));
  TRY(fcntl(50, F_GETFD));
  TRY(close(50));
  struct iovec parts[3] = {{"one", 3}, {"", 0}, {"three", 5}};
  TRY(writev(fd, parts, 3));
  TRY(preadv(other, &(struct iovec){buffer, 8}, 1, 13));
  printf("%.8s\n", buffer);
  TRY(writev(fd, parts, -1));
  TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5));
  TRY(ftruncate(fd, 1 << 20));
  TRY(ftruncate(fd, -1));
  TRY(fsync(fd));
  TRY(fdatasync(fd));
  TRY(sendfile(fd, other, &(off_t){0}, 10));
}

static void names(void) {
  TRY(mkdir("d", 0777));
  TRY(mkdir("d/", 0777));
  TRY(mkdir("d/e/", 0700));
  int d = (int)NEED(open("d", O_RDONLY | O_DIRECTORY)), path = (int)NEED(open("file", O_PATH));
  TRY(read(path, buffer, 1));
  TRY(fchmod(path, 0600));
  TRY(openat(path, "x", O_RDONLY));
  TRY(faccessat(path, "", R_OK, AT_EMPTY_PATH));
  OK(openat(d, "f", O_CREAT | O_WRONLY, 0600));
  TRY(symlinkat("f", d, "link"));
  TRY(symlink("d/nothing", "dangling"));
  TRY(linkat(d, "link", d, "hardlink", 0));
  TRY(linkat(d, "link", d, "hardfile", AT_SYMLINK_FOLLOW));
  TRY(readlinkat(d, "link", buffer, 100));
  TRY(readlink("d", buffer, 100));
  OK(open("dangling", O_CREAT | O_RDWR, 0640));
  TRY(access("d/nothing", F_OK));
  TRY(open("d/link", O_NOFOLLOW));
  TRY(open("d/link/", O_RDONLY));
  TRY(open("file/", O_RDONLY));
  TRY(open("", O_RDONLY));
  TRY(open("d", O_WRONLY));
  TRY(open("d", O_CREAT, 0600));
  TRY(open("missing/x", O_CREAT, 0600));
  TRY(open("d/../d/./e/../link", O_PATH | O_NOFOLLOW) > 2);
  TRY(rename("d/f", "d/e/g"));
  TRY(renameat2(d, "e", d, "hardfile", RENAME_EXCHANGE));
  TRY(renameat2(d, "e", d, "hardfile", RENAME_NOREPLACE));
  TRY(rename("d", "d/x"));
  TRY(rename("d/hardfile", "d/e"));
  TRY(rename("d/hardfile", "file"));
  TRY(rmdir("d"));
  TRY(rmdir("d/."));
  TRY(rmdir("/"));
  TRY(unlink("d"));
  TRY(unlinkat(d, "hardfile", AT_REMOVEDIR));
  TRY(unlink("d/hardfile/g"));
  TRY(unlink("missing"));
  TRY(mkfifo("fifo", 0600));
  TRY(open("fifo", O_WRONLY | O_NONBLOCK));
  OK(open("fifo", O_RDONLY | O_NONBLOCK));
  TRY(mknod("regular", S_IFREG | 0644, 0));
  memset(buffer, 'n', 300);
  buffer[300] = 0;
  TRY(open(buffer, O_CREAT, 0600));
  memset(buffer, '/', 5000);
  buffer[5000] = 0;
  TRY(open(buffer, O_RDONLY));
  TRY(open(".", O_TMPFILE | O_RDWR, 0600) > 2);
}

static void status(void) {
  struct stat s, t;
  struct statx x;
  NEED(stat("file", &s));
  NEED(lstat("dangling", &t));
  printf("%o %lu %ld | %o %ld\n", s.st_mode, (unsigned long)s.st_nlink, (long)s.st_size, t.st_mode, (long)t.st_size);
  TRY(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x));
  printf("%d %d\n", x.stx_ino == s.st_ino, (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  TRY(fstatat(AT_FDCWD, "dangling", &t, AT_SYMLINK_NOFOLLOW));
  TRY(fstatat(AT_FDCWD, "", &t, 0));
  TRY(chmod("file", 04751));
  umask(077);
  OK(open("masked", O_CREAT, 0777));
  TRY(stat("masked", &t));
  printf("%o, mask %o\n", t.st_mode, umask(022));
  struct timespec times[2] = {{1000000000, 123456789}, {0, UTIME_OMIT}};
  TRY(utimensat(AT_FDCWD, "file", times, 0));
  NEED(stat("file", &t));
  printf("%ld.%09ld %d\n", t.st_atim.tv_sec, t.st_atim.tv_nsec, t.st_mtim.tv_nsec == s.st_mtim.tv_nsec);
  TRY(chown("file", (uid_t)-1, getgid()));
  TRY(truncate("file", 5));
  TRY(truncate("d", 5));
  struct statfs fs;
  TRY(statfs(".", &fs));
  printf("names %ld\n", (long)fs.f_namelen);
}

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

static void directories(void) {
  char* found[1000];
  int count = 0;
  NEED(mkdir("many", 0755));
  for (int i = 0; i < 400; i++) {
    snprintf(buffer, 100, "many/%d-%0*d", i, i % 90, 0);
    close((int)NEED(open(buffer, O_CREAT | O_WRONLY, 0600)));
  }
  DIR* d = opendir("many");
  for (struct dirent* e; (e = readdir(d));) found[count++] = strdup(e->d_name);
  qsort(found, (size_t)count, sizeof *found, by_name);
  printf("%d %s %s %s\n", count, found[0], found[2], found[count - 1]);
  rewinddir(d);
  long half = 0;
  int before = 0, after = 0;
  while (readdir(d))
    if (++before == 200) half = telldir(d);
  seekdir(d, half);
  while (readdir(d)) after++;
  printf("from the middle %d\n", after);
  rewinddir(d);
  for (struct dirent* e; (e = readdir(d));)
    if (e->d_name[0] != '.') NEED(unlinkat(dirfd(d), e->d_name, 0));
  closedir(d);
  TRY(rmdir("many"));
  TRY(chdir("d"));
  int here = (int)NEED(open(".", O_RDONLY));
  TRY(chdir("/usr/share"));
  TRY(strcmp(getcwd(buffer, 1000), "/usr/share"));
  TRY(fchdir(here));
  TRY(strcmp(strrchr(getcwd(buffer, 1000), '/'), "/d"));
  TRY(getcwd(buffer, 2) != NULL);
  TRY(chdir("f"));
  TRY(chdir("missing"));
  NEED(mkdir("gone", 0700));
  NEED(chdir("gone"));
  TRY(rmdir("../gone"));
  TRY(getcwd(buffer, 1000) != NULL);
  TRY(open("x", O_CREAT, 0600));
  TRY(fchdir(here));
  TRY(chdir(".."));
}

static void locks(void) {
  int fd = (int)NEED(open("locked", O_CREAT | O_RDWR, 0600)), same = (int)NEED(open("locked", O_RDWR));
  struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  TRY(fcntl(fd, F_SETLK, &all));
  pid_t parent = getpid(), pid = split();
  if (pid == 0) {
    struct flock probe = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10};
    TRY(fcntl(fd, F_SETLK, &probe));
    TRY(fcntl(fd, F_GETLK, &probe));
    printf("held by the parent %d, %ld+%ld\n", probe.l_pid == parent, (long)probe.l_start, (long)probe.l_len);
    leave(0);
  }
  show_end("locker", pid);
  TRY(fcntl(same, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 50, .l_len = 1}));
  TRY(fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 50, .l_len = 1}));
  TRY(flock(fd, LOCK_EX));
  TRY(flock(same, LOCK_EX | LOCK_NB));
  pid = split();
  if (pid == 0) {
    TRY(flock(fd, LOCK_EX | LOCK_NB));
    TRY(lseek(fd, 77, SEEK_SET));
    leave(0);
  }
  show_end("flock", pid);
  TRY(lseek(fd, 0, SEEK_CUR));
  TRY(flock(fd, LOCK_UN));
  TRY(flock(same, LOCK_EX | LOCK_NB));
}

// The ways by which /proc names open files.
static void links_of_proc(void) {
  char name[64];
  struct stat s, t;
  int kept = dup(0), ends[2], memory = (int)NEED(memfd_create("memory", 0)), here = (int)NEED(open(".", O_RDONLY));
  NEED(dup2((int)NEED(open("locked", O_RDWR | O_TRUNC)), 0));
  TRY(write(0, "by another name", 15));
  int again = (int)NEED(open("/dev/stdin", O_RDONLY));
  TRY(read(again, buffer, 100));
  printf("%.15s\n", buffer);
  TRY(open("/dev/fd/0", O_RDONLY | O_DIRECTORY));
  TRY(stat("/dev/stdin", &s) == 0 && fstat(0, &t) == 0 && s.st_ino == t.st_ino);
  TRY(truncate("/proc/thread-self/fd/0", 2));
  TRY(lseek(0, 0, SEEK_END));
  TRY(chdir("/proc/self"));
  TRY(read((int)NEED(open("fd/0", O_RDONLY)), buffer, 100));
  TRY(read((int)NEED(open("comm", O_RDONLY)), buffer, 7));
  printf("%.7s\n", buffer);
  TRY(fchdir(here));
  NEED(pipe(ends));
  TRY(write(ends[1], "through", 7));
  snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
  TRY(read((int)NEED(open(name, O_RDONLY)), buffer, 100));
  TRY(stat(name, &s));
  TRY(S_ISFIFO(s.st_mode));
  TRY(lstat(name, &s));
  TRY(S_ISLNK(s.st_mode));
  TRY(open(name, O_RDONLY | O_NOFOLLOW));
  TRY(access(name, W_OK));
  snprintf(name, sizeof name, "/proc/%d/fd/%d", getpid(), memory);
  TRY(write(memory, "memory", 6));
  TRY(truncate(name, 3));
  TRY(chmod(name, 0600));
  TRY(stat(name, &s));
  printf("%o %ld\n", s.st_mode, (long)s.st_size);
  snprintf(name, sizeof name, "/proc/self/fd/%d/d/../file", here);
  TRY(access(name, F_OK));
  NEED(dup2(kept, 0));
}

static int opened(const char* name, int flags) {
  int fd = open(name, flags);
  if (fd >= 0) close(fd);
  return fd >= 0 ? 0 : -1;
}

// A fifo, and a file that is appended to by whom it was not opened for that.
static void shared(void) {
  NEED(mkfifo("meeting", 0600));
  pid_t pid = split();
  if (pid == 0) {
    int out = (int)NEED(open("meeting", O_WRONLY));
    NEED(write(out, "hello", 5));
    _exit(0);
  }
  int in = (int)NEED(open("meeting", O_RDONLY));
  TRY(read(in, buffer, 5));
  TRY(read(in, buffer, 5));
  show_end("writer", pid);
  close(in);
  int fd = (int)NEED(open("shared", O_CREAT | O_RDWR | O_APPEND, 0600));
  TRY(write(fd, "ab", 2));
  TRY(fcntl(fd, F_SETFL, 0));
  TRY(pwrite(fd, "x", 1, 0));
  TRY(pread(fd, buffer, 10, 0));
  printf("%.2s\n", buffer);
  TRY(symlink("d", "to-d"));
  TRY(opened("to-d", O_RDONLY | O_DIRECTORY));
  TRY(opened("to-d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(mkdir("to-d/made", 0700));
  TRY(fallocate(fd, 0, 0, 100));
  TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 1));
  TRY(pread(fd, buffer, 2, 0));
  printf("%d %c\n", buffer[0], buffer[1]);
}

static void nothing(int signo) { (void)signo; }

// Signals with SA_RESTART that come all the time must not be seen in calls that name files.
static void interrupted(void) {
  struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
  int failed = 0, ends[2];
  char name[32];
  NEED(pipe(ends));
  snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
  NEED(sigaction(SIGALRM, &action, NULL));
  NEED(setitimer(ITIMER_REAL, &often, NULL));
  for (int i = 0; i < 3000; i++) {
    struct stat s;
    failed += opened("/dev/null", O_RDWR) + opened(name, O_WRONLY) + stat("/dev/null", &s);
    if (i % 100 == 0) failed += opened("file", O_RDONLY) + stat("file", &s) + access("d", R_OK);
  }
  NEED(setitimer(ITIMER_REAL, &never, NULL));
  printf("interrupted: %d failed\n", failed);
}

static void errors(void) {
  void *bad = (void*)8, *far = (void*)0x7fffffffe000;
  int zero = open("/dev/zero", O_RDWR);
  TRY(open(bad, O_RDONLY));
  TRY(stat("/", bad));
  TRY(stat(far, (struct stat*)buffer));
  TRY(read(zero, bad, 10));
  TRY(write(open("file", O_WRONLY), bad, 10));
  TRY(pipe(bad));
  TRY(syscall(SYS_getcwd, bad, 100));
  TRY(readlink("dangling", bad, 100));
  TRY(syscall(SYS_clock_gettime, 0, bad));
  TRY(syscall(SYS_clock_gettime, 99, buffer));
  TRY(syscall(SYS_uname, bad));
  TRY(syscall(SYS_rt_sigaction, 10, bad, NULL, 8));
  TRY(syscall(SYS_rt_sigaction, 10, NULL, NULL, 4));
  TRY(syscall(SYS_execve, "/bin/true", bad, NULL));
  TRY(syscall(SYS_futex, bad, 0, 0, NULL));
  TRY(syscall(SYS_futex, buffer, 0, 1, NULL));
  TRY(syscall(SYS_nanosleep, bad, NULL));
  TRY(syscall(SYS_poll, bad, 1, 0));
  TRY(syscall(SYS_wait4, -1, bad, 0, NULL));
  TRY(syscall(SYS_getdents64, open("d", O_RDONLY), bad, 1000));
  TRY(syscall(SYS_getdents64, open("d", O_RDONLY), buffer, 1));
  TRY(syscall(SYS_getdents64, zero, buffer, 1000));
  TRY(read(-1, buffer, 1));
  TRY(write(999, buffer, 1));
  TRY(fstat(999, (struct stat*)buffer));
  TRY(lseek(zero, 0, 9));
  TRY(read(open("d", O_RDONLY), buffer, 1));
  TRY(syscall(5000));
  TRY(syscall(-5));
  TRY(syscall(SYS_mount, "a", "d", "nofs", 0, NULL) == -1);
  TRY(munmap(NULL, 0));
  TRY(syscall(SYS_ioctl, zero, 0x5401, buffer));
}

int main(void) {
  umask(022);
  descriptors();
  names();
  status();
  directories();
  locks();
  links_of_proc();
  shared();
  interrupted();
  errors();
}
