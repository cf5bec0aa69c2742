#pragma once

// What C++ and assembly both have to know: where members are, and where the kernel lies.

#define OSP_KERNEL_BASE 0xffffffff80000000
#define OSP_PHYSICAL_MAP 0xffff800000000000
#define OSP_WINDOW_SLOT 208

// Processor, at gs
#define OSP_PROCESSOR_KERNEL_STACK 8
#define OSP_PROCESSOR_USER_STACK 16
#define OSP_PROCESSOR_CURRENT 24

// Thread
#define OSP_THREAD_STACK_POINTER 0
#define OSP_THREAD_SYSCALL_ENTRY 8
#define OSP_THREAD_ATTENTION 16

// TrapFrame
#define OSP_FRAME_R11 (6 * 8)
#define OSP_FRAME_R10 (7 * 8)
#define OSP_FRAME_R9 (8 * 8)
#define OSP_FRAME_R8 (9 * 8)
#define OSP_FRAME_RAX (10 * 8)
#define OSP_FRAME_RCX (11 * 8)
#define OSP_FRAME_RDX (12 * 8)
#define OSP_FRAME_RSI (13 * 8)
#define OSP_FRAME_RDI (14 * 8)
#define OSP_FRAME_RIP (17 * 8)
#define OSP_FRAME_CS (18 * 8)
#define OSP_FRAME_FLAGS (19 * 8)
#define OSP_FRAME_RSP (20 * 8)

#define OSP_KERNEL_CODE 0x10
#define OSP_KERNEL_DATA 0x18
#define OSP_USER_DATA 0x2b
#define OSP_USER_CODE 0x33
#define OSP_TASK_STATE 0x40

#define OSP_NATIVE_FIRST 0x4f5000
#define OSP_LINUX_CALLS 512
