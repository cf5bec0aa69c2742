#pragma once

#include <linux/sched.h>
#include <sys/uio.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

#include "libosp/host/native.h"

// The system calls, a family a file. Pointers are ring 3's: nothing has been checked yet. The contracts are those of
// libosp/host/host.h (with the manual pages that it names) and libosp/host/native.h.
namespace osp::kernel::call {

// memory.cc
long mmap(uint64_t address, uint64_t size, int protection, int flags, int fd, int64_t offset);
long munmap(uint64_t address, uint64_t size);
long mprotect(uint64_t address, uint64_t size, int protection);
long madvise(uint64_t address, uint64_t size, int advice);

// thread.cc
long clone3(const clone_args* arguments, uint64_t size);
long clone(uint64_t flags, uint64_t stack, uint32_t* parent_word, uint32_t* child_word, uint64_t tls);
long exit(int status);
long exit_group(int status);
long sched_yield();
long set_tid_address(uint32_t* word);
long arch_prctl(int code, uint64_t value);
long gettid();
long getpid();
long sched_getaffinity(int thread, uint64_t size, uint64_t* mask);

// time.cc
long futex(uint32_t* word, int operation, uint32_t value, const timespec* timeout, uint32_t* other, uint32_t mask);
long clock_gettime(int clock, timespec* now);
long clock_nanosleep(int clock, int flags, const timespec* time, timespec* left);

// libc.cc
long getrandom(char* to, uint64_t size, uint32_t flags);
long prlimit64(int process, int resource, const uint64_t* wanted, uint64_t* now);
long rt_sigprocmask(int how, const uint64_t* wanted, uint64_t* before, uint64_t size);
long rt_sigaction(int number, const void* wanted, void* before, uint64_t size);
long set_robust_list(const void* head, uint64_t size);
long rseq();
long write(int fd, const char* data, uint64_t size);
long writev(int fd, const iovec* parts, int count);
long newfstatat(int fd, const char* path, char* state, int flags);
long readlink();

// upcall.cc
long upcall_set(const native::Upcall* upcall);
long upcall_return(const native::Frame* frame);
long resume(const native::Resume* registers);
long notify_set(int queue);
long timer_set(uint64_t deadline_ns);
long null_call();

// space.cc
long space_make();
long space_clone();
long space_enter(int handle);
long space_drop(int handle);
long memory_use(native::MemoryUse* to);
long map_from(uint64_t to, uint64_t from, uint64_t size, int protection, uint64_t how);
long segment_make(uint64_t size);
long segment_map(int handle, uint64_t address, int protection);
long segment_map_part(int handle, uint64_t address, uint64_t size, uint64_t offset, int protection, uint64_t how);
long segment_resize(int handle, uint64_t size);

// message.cc
long queue_make(uint32_t capacity);
long message_send(int queue, const native::Message* message, uint64_t deadline_ns);
long message_receive(int queue, native::Message* message, uint64_t deadline_ns);
long message_exchange(int to, int from, native::Message* message, uint64_t deadline_ns);
long select(native::Ready* list, uint64_t count, uint64_t deadline_ns);
long semaphore_make(uint32_t count);
long semaphore_up(int handle);
long semaphore_down(int handle, uint64_t deadline_ns);
long handle_close(int handle);

// device.cc
long interrupt_attach(uint32_t line, int semaphore);
long interrupt_done(uint32_t line);
long port_in(uint64_t port, uint64_t width);
long port_in_string(uint64_t port, char* to, uint64_t size);
long port_out(uint64_t port, uint64_t width, uint32_t value);
long port_out_string(uint64_t port, const char* data, uint64_t size);
long task_table(char* to, uint64_t size);

}  // namespace osp::kernel::call
