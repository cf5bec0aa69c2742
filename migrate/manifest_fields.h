#pragma once

#include <type_traits>

#include "migrate/manifest.h"

// The members of each struct of manifest.h, once: F(member, Accessor) with the name of Cap'n Proto's accessor.
// The codec, the printing, and the tests' random manifests are all made from these lists; that none is
// incomplete is a test.

// clang-format off
#define OSP_FIELDS_Cpu(F) \
  F(xcr0, Xcr0) F(xsave_size, XsaveSize) F(words, Words)

#define OSP_FIELDS_Clock(F) \
  F(monotonic_ns, MonotonicNs) F(boottime_ns, BoottimeNs) F(realtime_ns, RealtimeNs)

#define OSP_FIELDS_Identity(F) \
  F(version, Version) F(size, Size) F(mtime_ns, MtimeNs) F(device, Device) F(inode, Inode)

#define OSP_FIELDS_FileRef(F) \
  F(server, Server) F(path, Path) F(name, Name) F(mode, Mode) F(identity, Identity) F(contents, Contents)

#define OSP_FIELDS_MemoryObject(F) \
  F(space, Space) F(kind, Kind) F(name, Name) F(size, Size) F(seals, Seals) F(mode, Mode)

#define OSP_FIELDS_Pipe(F) \
  F(capacity, Capacity) F(contents, Contents) F(packets, Packets)

#define OSP_FIELDS_EventFd(F) \
  F(value, Value) F(semaphore, Semaphore)

#define OSP_FIELDS_TimerFd(F) \
  F(clock, Clock) F(flags, Flags) F(next_ns, NextNs) F(interval_ns, IntervalNs) F(expirations, Expirations)

#define OSP_FIELDS_EpollEntry(F) \
  F(fd, Fd) F(description, Description) F(events, Events) F(data, Data)

#define OSP_FIELDS_SocketOption(F) \
  F(level, Level) F(name, Name) F(value, Value)

#define OSP_FIELDS_Socket(F) \
  F(family, Family) F(type, Type) F(protocol, Protocol) F(local, Local) F(peer, Peer) F(backlog, Backlog) \
  F(options, Options) F(pair, Pair) F(received, Received) F(packets, Packets) F(shutdown, Shutdown)

#define OSP_FIELDS_Terminal(F) \
  F(termios, Termios) F(rows, Rows) F(columns, Columns) F(foreground, Foreground) F(session, Session)

#define OSP_FIELDS_Watch(F) \
  F(descriptor, Descriptor) F(path, Path) F(mask, Mask)

#define OSP_FIELDS_Lock(F) \
  F(kind, Kind) F(exclusive, Exclusive) F(start, Start) F(length, Length) F(pid, Pid)

#define OSP_FIELDS_Description(F) \
  F(kind, Kind) F(comeback, Comeback) F(file, File) F(flags, Flags) F(offset, Offset) F(owner, Owner) \
  F(signal, Signal) F(locks, Locks) F(pipe, Pipe) F(object, Object) F(session, Session) F(event_fd, EventFd) \
  F(timer_fd, TimerFd) F(signal_mask, SignalMask) F(epoll, Epoll) F(socket, Socket) F(terminal, Terminal) \
  F(watches, Watches) F(pid, Pid)

#define OSP_FIELDS_Session(F) \
  F(url, Url) F(token, Token) F(client_id, ClientId)

#define OSP_FIELDS_TreeAttribute(F) \
  F(name, Name) F(value, Value)

#define OSP_FIELDS_TreeName(F) \
  F(name, Name) F(node, Node)

#define OSP_FIELDS_TreeNode(F) \
  F(id, Id) F(mode, Mode) F(uid, Uid) F(gid, Gid) F(device, Device) F(size, Size) F(atime_ns, AtimeNs) \
  F(mtime_ns, MtimeNs) F(ctime_ns, CtimeNs) F(version, Version) F(at, At) F(target, Target) \
  F(attributes, Attributes) F(names, Names)

#define OSP_FIELDS_MemoryTree(F) \
  F(server, Server) F(uid, Uid) F(gid, Gid) F(next_id, NextId) F(nodes, Nodes) F(contents, Contents)

#define OSP_FIELDS_Registers(F) \
  F(r15, R15) F(r14, R14) F(r13, R13) F(r12, R12) F(rbp, Rbp) F(rbx, Rbx) F(r11, R11) F(r10, R10) F(r9, R9) \
  F(r8, R8) F(rax, Rax) F(rcx, Rcx) F(rdx, Rdx) F(rsi, Rsi) F(rdi, Rdi) F(rip, Rip) F(rflags, Rflags) \
  F(rsp, Rsp) F(fs_base, FsBase) F(gs_base, GsBase)

#define OSP_FIELDS_Vector(F) \
  F(format, Format) F(xcr0, Xcr0) F(data, Data)

#define OSP_FIELDS_PendingSignal(F) \
  F(signal, Signal) F(info, Info)

#define OSP_FIELDS_AlternateStack(F) \
  F(address, Address) F(size, Size) F(flags, Flags)

#define OSP_FIELDS_Rseq(F) \
  F(address, Address) F(size, Size) F(signature, Signature)

#define OSP_FIELDS_Restart(F) \
  F(number, Number) F(has_deadline, HasDeadline) F(deadline_ns, DeadlineNs)

#define OSP_FIELDS_Scheduling(F) \
  F(policy, Policy) F(priority, Priority) F(nice, Nice) F(flags, Flags) F(affinity, Affinity)

#define OSP_FIELDS_Thread(F) \
  F(tid, Tid) F(name, Name) F(registers, Registers) F(vector, Vector) F(signal_mask, SignalMask) \
  F(has_saved_mask, HasSavedMask) F(saved_mask, SavedMask) F(pending, Pending) \
  F(alternate_stack, AlternateStack) F(robust_list, RobustList) F(robust_list_size, RobustListSize) \
  F(clear_child_tid, ClearChildTid) F(rseq, Rseq) F(restart, Restart) F(scheduling, Scheduling) \
  F(cpu_time_ns, CpuTimeNs)

#define OSP_FIELDS_Area(F) \
  F(start, Start) F(length, Length) F(protection, Protection) F(flags, Flags) F(kind, Kind) F(file, File) \
  F(offset, Offset) F(object, Object) F(name, Name) F(advice, Advice)

#define OSP_FIELDS_FdEntry(F) \
  F(fd, Fd) F(description, Description) F(close_on_exec, CloseOnExec)

#define OSP_FIELDS_Limit(F) \
  F(resource, Resource) F(soft, Soft) F(hard, Hard)

#define OSP_FIELDS_Disposition(F) \
  F(signal, Signal) F(handler, Handler) F(flags, Flags) F(mask, Mask) F(restorer, Restorer)

#define OSP_FIELDS_IntervalTimer(F) \
  F(which, Which) F(next_ns, NextNs) F(interval_ns, IntervalNs)

#define OSP_FIELDS_PosixTimer(F) \
  F(id, Id) F(clock, Clock) F(notify, Notify) F(signal, Signal) F(thread, Thread) F(value, Value) \
  F(next_ns, NextNs) F(interval_ns, IntervalNs) F(overrun, Overrun)

#define OSP_FIELDS_Credentials(F) \
  F(uid, Uid) F(euid, Euid) F(suid, Suid) F(fsuid, Fsuid) F(gid, Gid) F(egid, Egid) F(sgid, Sgid) \
  F(fsgid, Fsgid) F(groups, Groups) F(no_new_privileges, NoNewPrivileges)

#define OSP_FIELDS_Program(F) \
  F(exe, Exe) F(argv, Argv) F(envp, Envp) F(auxv, Auxv) F(argument_start, ArgumentStart) \
  F(argument_end, ArgumentEnd) F(environment_start, EnvironmentStart) F(environment_end, EnvironmentEnd) \
  F(brk_start, BrkStart) F(brk_end, BrkEnd) F(vdso_address, VdsoAddress) F(vdso_hash, VdsoHash) F(comm, Comm) \
  F(personality, Personality)

#define OSP_FIELDS_Process(F) \
  F(pid, Pid) F(ppid, Ppid) F(pgid, Pgid) F(sid, Sid) F(space, Space) F(program, Program) F(cwd, Cwd) \
  F(root, Root) F(umask, Umask) F(name_space, NameSpace) F(credentials, Credentials) F(limits, Limits) \
  F(dispositions, Dispositions) F(pending, Pending) F(interval_timers, IntervalTimers) \
  F(posix_timers, PosixTimers) F(threads, Threads) F(areas, Areas) F(fds, Fds) F(death_signal, DeathSignal) \
  F(dumpable, Dumpable) F(child_subreaper, ChildSubreaper) F(exit_signal, ExitSignal)

#define OSP_FIELDS_Manifest(F) \
  F(interface_version, InterfaceVersion) F(core_version, CoreVersion) F(created_ns, CreatedNs) F(host, Host) \
  F(page_size, PageSize) F(cpu, Cpu) F(clock, Clock) F(processes, Processes) F(files, Files) \
  F(objects, Objects) F(pipes, Pipes) F(descriptions, Descriptions) F(sessions, Sessions) \
  F(trees, Trees)

// The structs, each after those it is made of.
#define OSP_IMAGE_STRUCTS(S) \
  S(Cpu) S(Clock) S(Identity) S(FileRef) S(MemoryObject) S(Pipe) S(EventFd) S(TimerFd) S(EpollEntry) \
  S(SocketOption) S(Socket) S(Terminal) S(Watch) S(Lock) S(Description) S(Session) \
  S(TreeAttribute) S(TreeName) S(TreeNode) S(MemoryTree) S(Registers) S(Vector) \
  S(PendingSignal) S(AlternateStack) S(Rseq) S(Restart) S(Scheduling) S(Thread) S(Area) S(FdEntry) S(Limit) \
  S(Disposition) S(IntervalTimer) S(PosixTimer) S(Credentials) S(Program) S(Process) S(Manifest)
// clang-format on

namespace osp::migrate {

// visit_fields(object, visitor): calls visitor("member", object.member) for each member, in the order of the schema.
#define OSP_VISIT_FIELD(member, Accessor) visitor(#member, object.member);
#define OSP_VISIT_STRUCT(Type)                          \
  template <class T, class V>                           \
  requires std::is_same_v<std::remove_const_t<T>, Type> \
  void visit_fields(T& object, V&& visitor) { OSP_FIELDS_##Type(OSP_VISIT_FIELD) }
OSP_IMAGE_STRUCTS(OSP_VISIT_STRUCT)
#undef OSP_VISIT_STRUCT
#undef OSP_VISIT_FIELD

}  // namespace osp::migrate
