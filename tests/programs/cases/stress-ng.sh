#: about: stress-ng --verify: each stressor of calls, memory, processes, threads and files, short; vm-rw is left out, which wants CLONE_VM of a process
#: needs: stress-ng
#: timeout: 600
#: quick: 0
while read -r name count ops options; do
  stress-ng -q --no-rand-seed --verify --timeout 2 --temp-path "$PWD" --"$name" "$count" --"$name"-ops "$ops" $options 2>&1 | grep -v rlimit
  echo "$name ${PIPESTATUS[0]}"
done <<'END'
access 1 20
affinity 1 200
alarm 1 20
bigheap 1 50
brk 1 500
chmod 1 50
clock 1 50
clone 1 50
close 1 200
context 1 500
cpu 2 20
daemon 1 20
dir 1 200
dirdeep 1 100 --dirdeep-dirs 2 --dirdeep-inodes 500
dup 1 20
env 1 10
epoll 1 500
eventfd 1 1000
exec 1 10
fallocate 1 20 --fallocate-bytes 2M
fault 1 100
fcntl 1 100
fifo 1 2000
filename 1 50
flock 1 500
fork 1 100
fp-error 1 50
fstat 1 100
full 1 50
funccall 1 50
futex 1 1000
get 1 20
getdent 1 20
hash 1 20
hdd 1 100 --hdd-bytes 2M
hrtimers 1 100
iomix 1 20 --iomix-bytes 2M
itimer 1 200
kcmp 1 20
kill 1 1000
link 1 4
locka 1 100
lockbus 1 100
lockf 1 200
lockofd 1 100
longjmp 1 1000
madvise 1 5
malloc 1 2000
mcontend 1 20
membarrier 1 100
memfd 1 10 --memfd-bytes 2M
memrate 1 2 --memrate-bytes 2M
mergesort 1 2
mincore 1 100
mknod 1 20
mlock 1 100
mmap 1 20 --mmap-bytes 2M
mmapaddr 1 50
mmapfixed 1 5
mmapmany 1 2
mprotect 1 500
mq 1 500
mremap 1 50 --mremap-bytes 2M
msg 1 500
msync 1 20 --msync-bytes 2M
mutex 1 1000
nanosleep 1 20
nice 1 20
null 1 100
open 1 100
pidfd 1 50
pipe 1 2000
pipeherd 1 500
poll 1 200
prctl 1 20
prefetch 1 2
procfs 1 5
pthread 1 100
ptrace 1 20
pty 1 1
qsort 1 2
readahead 1 20 --readahead-bytes 2M
remap 1 10
rename 1 200
resources 1 5
revio 1 50 --revio-bytes 2M
rlimit 1 50
schedpolicy 1 100
secretmem 1 1
seek 1 200 --seek-size 2M
sem 1 1000
sem-sysv 1 500
sendfile 1 50 --sendfile-size 1M
session 1 20
set 1 20
shm 1 5 --shm-bytes 2M
shm-sysv 1 5 --shm-sysv-bytes 2M
sigabrt 1 50
sigchld 1 200
sigfd 1 500
sigfpe 1 100
sigio 1 100
signal 1 500
signest 1 50
sigpending 1 500
sigpipe 1 100
sigq 1 1000
sigrt 1 500
sigsegv 1 200
sigsuspend 1 500
sigtrap 1 200
skiplist 1 5
sleep 1 20
sock 1 100
sockdiag 1 5
sockfd 1 100
sockpair 1 200
softlockup 1 2
spawn 1 50
splice 1 100
stack 1 1
str 1 20
switch 1 2000
symlink 1 4
sync-file 1 5 --sync-file-bytes 1M
sysbadaddr 1 20
sysinfo 1 100
tee 1 200
timer 1 500
timerfd 1 200
tsc 1 100
udp 1 200
udp-flood 1 500
unshare 1 5
urandom 1 20
utime 1 200
vdso 1 1000
vfork 1 100
vforkmany 1 50
vm 1 100 --vm-bytes 4M
vm-splice 1 100
wait 1 50
wcs 1 5
yield 1 1000
zero 1 100
zlib 1 2
zombie 1 20
END
