// What the C cases share. TRY prints a call and its outcome; NEED ends the case if a call fails.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Prints the call's source and its value, with the errno's name if it is -1.
#define TRY(call) ((void)show(#call, (long)(call)))
// For calls whose value is not the same each time: prints only whether it failed, and how.
#define OK(call) ((void)show(#call, (long)(call) == -1 ? -1 : 0))
#define NEED(call) need(#call, __LINE__, (long)(call))

static inline long show(const char* call, long value) {
  if (value == -1)
    printf("%s = -1 %s\n", call, strerrorname_np(errno));
  else
    printf("%s = %ld\n", call, value);
  return value;
}

static inline long need(const char* call, int line, long value) {
  if (value == -1) {
    printf("line %d: %s failed: %s\n", line, call, strerrorname_np(errno));
    fflush(stdout);
    _exit(99);
  }
  return value;
}

// Waits for `pid` and prints how it ended.
static inline void show_end(const char* name, pid_t pid) {
  int status = 0;
  NEED(waitpid(pid, &status, WUNTRACED));
  if (WIFEXITED(status))
    printf("%s: exit %d\n", name, WEXITSTATUS(status));
  else if (WIFSIGNALED(status))
    printf("%s: signal %d\n", name, WTERMSIG(status));
  else if (WIFSTOPPED(status))
    printf("%s: stopped by %d\n", name, WSTOPSIG(status));
}

// fork(), with stdout flushed so that nothing is printed twice.
static inline pid_t split(void) {
  fflush(stdout);
  return (pid_t)NEED(fork());
}

// Ends a child of split(): what it printed is written out.
static inline void leave(int status) {
  fflush(stdout);
  _exit(status);
}
