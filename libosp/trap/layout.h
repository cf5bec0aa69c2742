#pragma once

// Offsets that the assembly shares with the structures of frame.h (which asserts them).

// UserRegs
#define OSP_REG_RAX 0
#define OSP_REG_RDI 8
#define OSP_REG_RSI 16
#define OSP_REG_RDX 24
#define OSP_REG_R10 32
#define OSP_REG_R8 40
#define OSP_REG_R9 48
#define OSP_REG_RBX 56
#define OSP_REG_RBP 64
#define OSP_REG_R12 72
#define OSP_REG_R13 80
#define OSP_REG_R14 88
#define OSP_REG_R15 96
#define OSP_REG_RSP 104
#define OSP_REG_RIP 112
#define OSP_REG_RCX 120
#define OSP_REG_R11 128
#define OSP_REG_FLAGS 136
#define OSP_REG_FS 144
#define OSP_REG_ORIG_RAX 152
#define OSP_REG_KIND 160
#define OSP_REG_FULL 168
#define OSP_REG_VECTOR 176

// The word from gs, the core's thread pointer, that trampolines and vDSO jump through: part of the image's interface.
#define OSP_GS_ENTRY 8

// Worker, which is thread-local (entry.S)
#define OSP_WORKER_SIZE 1024
#define OSP_WORKER_SELF 0
#define OSP_WORKER_IN_CORE 16
#define OSP_WORKER_PENDING 24
#define OSP_WORKER_REGS 32
#define OSP_WORKER_CORE_RSP 40
#define OSP_WORKER_FS 48
#define OSP_FS_UNKNOWN_TOP 0x80
#define OSP_WORKER_IRET 56
#define OSP_WORKER_NATIVE 120
#define OSP_WORKER_BASES_BY_CALL 128
#define OSP_WORKER_FAST 136

// TrapKind
#define OSP_TRAP_SYSCALL 0
#define OSP_TRAP_NONE 3

// Calls answered with general registers only: numbers below this, and the answer that sends one to the core proper.
#define OSP_FAST_CALLS 512
#define OSP_FAST_DECLINED 0x8000000000000000

// Of native::KernelCall.
#define OSP_NATIVE_UPCALL_RETURN 0x4f5001
#define OSP_NATIVE_RESUME 0x4f5002

// What osp_blocking_syscall says of a call that it did not make (ERESTARTNOINTR in include/linux/errno.h).
#define OSP_NOT_BEGUN -513
