@0xb7a1f3c28d5e4960;
# The manifest of an Osprey image: docs/image.md says where it lies in the file, manifest.h what each field means.
# Fields are only ever added, at the end, with a default that means what images without them meant. Paths and other
# names that the program chose are Data: they are bytes, not UTF-8. All times are nanoseconds.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("osp::migrate::schema");

const none :UInt32 = 0xffffffff;  # an index that leads nowhere

enum VectorFormat {
  absent @0;
  fxsave @1;
  xsave @2;
  xsavec @3;
}

enum AreaKind {
  anonymous @0;
  file @1;
  sharedFile @2;
  sharedObject @3;
  vdso @4;
  stack @5;
  heap @6;
  reserved @7;
}

enum ObjectKind {
  sharedAnonymous @0;
  memfd @1;
  unlinkedFile @2;
  sysv @3;
  treeContents @4;
}

enum DescriptionKind {
  file @0;
  directory @1;
  pathOnly @2;
  pipe @3;
  eventfd @4;
  timerfd @5;
  signalfd @6;
  epoll @7;
  socket @8;
  memfd @9;
  terminal @10;
  device @11;
  inotify @12;
  pidfd @13;
}

enum Comeback {
  reopen @0;
  contents @1;
  reconnect @2;
  listen @3;
  reset @4;
  inherit @5;
}

struct Cpu {
  xcr0 @0 :UInt64;
  xsaveSize @1 :UInt32;
  words @2 :List(UInt32);
}

struct Clock {
  monotonicNs @0 :Int64;
  boottimeNs @1 :Int64;
  realtimeNs @2 :Int64;
}

struct Identity {
  version @0 :UInt64;
  size @1 :UInt64;
  mtimeNs @2 :Int64;
  device @3 :UInt64;
  inode @4 :UInt64;
}

struct FileRef {
  server @0 :Text;
  path @1 :Data;
  name @2 :Data;
  mode @3 :UInt32;
  identity @4 :Identity;
  contents @5 :UInt32 = .none;
}

struct MemoryObject {
  space @0 :UInt32;
  kind @1 :ObjectKind;
  name @2 :Data;
  size @3 :UInt64;
  seals @4 :UInt32;
  mode @5 :UInt32;
}

struct Pipe {
  capacity @0 :UInt32 = 65536;
  contents @1 :Data;
  packets @2 :List(UInt32);
}

struct EventFd {
  value @0 :UInt64;
  semaphore @1 :Bool;
}

struct TimerFd {
  clock @0 :Int32;
  flags @1 :UInt32;
  nextNs @2 :Int64;
  intervalNs @3 :Int64;
  expirations @4 :UInt64;
}

struct EpollEntry {
  fd @0 :Int32;
  description @1 :UInt32 = .none;
  events @2 :UInt32;
  data @3 :UInt64;
}

struct SocketOption {
  level @0 :Int32;
  name @1 :Int32;
  value @2 :Data;
}

struct Socket {
  family @0 :Int32;
  type @1 :Int32;
  protocol @2 :Int32;
  local @3 :Data;
  peer @4 :Data;
  backlog @5 :Int32 = -1;
  options @6 :List(SocketOption);
  pair @7 :UInt32 = .none;
  received @8 :Data;
  packets @9 :List(UInt32);
  shutdown @10 :UInt32;
}

struct Terminal {
  termios @0 :Data;
  rows @1 :UInt16;
  columns @2 :UInt16;
  foreground @3 :Int32;
  session @4 :Int32;
}

struct Watch {
  descriptor @0 :Int32;
  path @1 :Data;
  mask @2 :UInt32;
}

struct Lock {
  kind @0 :UInt16;
  exclusive @1 :Bool;
  start @2 :UInt64;
  length @3 :UInt64;
  pid @4 :Int32;
}

struct Description {
  kind @0 :DescriptionKind;
  comeback @1 :Comeback;
  file @2 :UInt32 = .none;
  flags @3 :UInt32;
  offset @4 :UInt64;
  owner @5 :Int32;
  signal @6 :Int32;
  locks @7 :List(Lock);
  pipe @8 :UInt32 = .none;
  object @9 :UInt32 = .none;
  session @10 :UInt32 = .none;
  eventFd @11 :EventFd;
  timerFd @12 :TimerFd;
  signalMask @13 :UInt64;
  epoll @14 :List(EpollEntry);
  socket @15 :Socket;
  terminal @16 :Terminal;
  watches @17 :List(Watch);
  pid @18 :Int32;
}

struct Session {
  url @0 :Text;
  token @1 :Data;
  clientId @2 :Data;
}

struct TreeAttribute {
  name @0 :Data;
  value @1 :Data;
}

struct TreeName {
  name @0 :Data;
  node @1 :UInt64;
}

struct TreeNode {
  id @0 :UInt64;
  mode @1 :UInt32;
  uid @2 :UInt32;
  gid @3 :UInt32;
  device @4 :UInt64;
  size @5 :UInt64;
  atimeNs @6 :Int64;
  mtimeNs @7 :Int64;
  ctimeNs @8 :Int64;
  version @9 :UInt64;
  at @10 :UInt64;
  target @11 :Data;
  attributes @12 :List(TreeAttribute);
  names @13 :List(TreeName);
}

struct MemoryTree {
  server @0 :Text;
  uid @1 :UInt32;
  gid @2 :UInt32;
  nextId @3 :UInt64;
  nodes @4 :List(TreeNode);
  contents @5 :UInt32 = .none;
}

struct Registers {
  r15 @0 :UInt64;
  r14 @1 :UInt64;
  r13 @2 :UInt64;
  r12 @3 :UInt64;
  rbp @4 :UInt64;
  rbx @5 :UInt64;
  r11 @6 :UInt64;
  r10 @7 :UInt64;
  r9 @8 :UInt64;
  r8 @9 :UInt64;
  rax @10 :UInt64;
  rcx @11 :UInt64;
  rdx @12 :UInt64;
  rsi @13 :UInt64;
  rdi @14 :UInt64;
  rip @15 :UInt64;
  rflags @16 :UInt64;
  rsp @17 :UInt64;
  fsBase @18 :UInt64;
  gsBase @19 :UInt64;
}

struct Vector {
  format @0 :VectorFormat;
  xcr0 @1 :UInt64;
  data @2 :Data;
}

struct PendingSignal {
  signal @0 :Int32;
  info @1 :Data;
}

struct AlternateStack {
  address @0 :UInt64;
  size @1 :UInt64;
  flags @2 :Int32 = 2;
}

struct Rseq {
  address @0 :UInt64;
  size @1 :UInt32;
  signature @2 :UInt32;
}

struct Restart {
  number @0 :Int32 = -1;
  hasDeadline @1 :Bool;
  deadlineNs @2 :Int64;
}

struct Scheduling {
  policy @0 :Int32;
  priority @1 :Int32;
  nice @2 :Int32;
  flags @3 :UInt32;
  affinity @4 :Data;
}

struct Thread {
  tid @0 :Int32;
  name @1 :Data;
  registers @2 :Registers;
  vector @3 :Vector;
  signalMask @4 :UInt64;
  hasSavedMask @5 :Bool;
  savedMask @6 :UInt64;
  pending @7 :List(PendingSignal);
  alternateStack @8 :AlternateStack;
  robustList @9 :UInt64;
  robustListSize @10 :UInt64;
  clearChildTid @11 :UInt64;
  rseq @12 :Rseq;
  restart @13 :Restart;
  scheduling @14 :Scheduling;
  cpuTimeNs @15 :Int64;
}

struct Area {
  start @0 :UInt64;
  length @1 :UInt64;
  protection @2 :UInt32;
  flags @3 :UInt32;
  kind @4 :AreaKind;
  file @5 :UInt32 = .none;
  offset @6 :UInt64;
  object @7 :UInt32 = .none;
  name @8 :Data;
  advice @9 :UInt32;
}

struct FdEntry {
  fd @0 :Int32;
  description @1 :UInt32;
  closeOnExec @2 :Bool;
}

struct Limit {
  resource @0 :UInt32;
  soft @1 :UInt64;
  hard @2 :UInt64;
}

struct Disposition {
  signal @0 :Int32;
  handler @1 :UInt64;
  flags @2 :UInt64;
  mask @3 :UInt64;
  restorer @4 :UInt64;
}

struct IntervalTimer {
  which @0 :Int32;
  nextNs @1 :Int64;
  intervalNs @2 :Int64;
}

struct PosixTimer {
  id @0 :Int32;
  clock @1 :Int32;
  notify @2 :Int32;
  signal @3 :Int32;
  thread @4 :Int32;
  value @5 :UInt64;
  nextNs @6 :Int64;
  intervalNs @7 :Int64;
  overrun @8 :Int32;
}

struct Credentials {
  uid @0 :UInt32;
  euid @1 :UInt32;
  suid @2 :UInt32;
  fsuid @3 :UInt32;
  gid @4 :UInt32;
  egid @5 :UInt32;
  sgid @6 :UInt32;
  fsgid @7 :UInt32;
  groups @8 :List(UInt32);
  noNewPrivileges @9 :Bool;
}

struct Program {
  exe @0 :Data;
  argv @1 :List(Data);
  envp @2 :List(Data);
  auxv @3 :Data;
  argumentStart @4 :UInt64;
  argumentEnd @5 :UInt64;
  environmentStart @6 :UInt64;
  environmentEnd @7 :UInt64;
  brkStart @8 :UInt64;
  brkEnd @9 :UInt64;
  vdsoAddress @10 :UInt64;
  vdsoHash @11 :Data;
  comm @12 :Data;
  personality @13 :UInt32;
}

struct Process {
  pid @0 :Int32;
  ppid @1 :Int32;
  pgid @2 :Int32;
  sid @3 :Int32;
  space @4 :UInt32;
  program @5 :Program;
  cwd @6 :Data;
  root @7 :Data;
  umask @8 :UInt32;
  nameSpace @9 :Text;
  credentials @10 :Credentials;
  limits @11 :List(Limit);
  dispositions @12 :List(Disposition);
  pending @13 :List(PendingSignal);
  intervalTimers @14 :List(IntervalTimer);
  posixTimers @15 :List(PosixTimer);
  threads @16 :List(Thread);
  areas @17 :List(Area);
  fds @18 :List(FdEntry);
  deathSignal @19 :Int32;
  dumpable @20 :Int32 = 1;
  childSubreaper @21 :Bool;
  exitSignal @22 :Int32 = 17;
}

struct Manifest {
  interfaceVersion @0 :UInt32;
  coreVersion @1 :Text;
  createdNs @2 :Int64;
  host @3 :Text;
  pageSize @4 :UInt32 = 4096;
  cpu @5 :Cpu;
  clock @6 :Clock;
  processes @7 :List(Process);
  files @8 :List(FileRef);
  objects @9 :List(MemoryObject);
  pipes @10 :List(Pipe);
  descriptions @11 :List(Description);
  sessions @12 :List(Session);
  trees @13 :List(MemoryTree);
}
