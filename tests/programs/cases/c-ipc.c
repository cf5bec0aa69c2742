//: about: C: System V shared memory and message queues, POSIX queues, aio contexts, and waits that no SA_RESTART resumes
//: libs: -lrt -pthread
#include "try.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>

static void ignore(int signo) { (void)signo; }

// Mapped at addresses that the core picks, shared with children, and gone when detached.
static void shared_memory(void) {
  const int id = (int)NEED(shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600));
  char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
  printf("attached: %d\n", one != (void *)-1 && two != (void *)-1 && one != two);
  if (split() == 0) {
    strcpy(one, "from the child");
    TRY(shmdt(one));
    leave(0);
  }
  wait(NULL);
  printf("read: %s\n", two);
  struct shmid_ds state;
  NEED(shmctl(id, IPC_STAT, &state));
  printf("attached %ld times\n", (long)state.shm_nattch);
  TRY(shmdt(two));
  TRY(shmdt(two));
  TRY(shmat(id, one + 1, 0));
  TRY(shmat(id, one, 0));  // it is there already
  TRY(shmdt(one));
  TRY(shmctl(id, IPC_RMID, NULL));
}

// Interrupted by a handler with SA_RESTART, these end all the same (signal(7)).
static void never_resumed(void) {
  const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  NEED(sigaction(SIGALRM, &action, NULL));
  const int queue = (int)NEED(msgget(IPC_PRIVATE, 0600)), set = (int)NEED(semget(IPC_PRIVATE, 1, 0600));
  struct { long type; char text[8]; } message;
  struct sembuf down = {0, -1, 0};
  ualarm(20000, 20000);  // the first may ring before it waits
  TRY(msgrcv(queue, &message, sizeof message.text, 0, 0));
  TRY(semop(set, &down, 1));
  ualarm(0, 0);
  msgctl(queue, IPC_RMID, NULL);
  semctl(set, 0, IPC_RMID);
}

static void *send_later(void *queue) {
  usleep(10000);
  TRY(mq_send(*(mqd_t *)queue, "later", 6, 3));
  return NULL;
}

static void queues(void) {
  char name[40], text[16];
  snprintf(name, sizeof name, "/osp-c-ipc-%d", getpid());
  struct mq_attr wanted = {.mq_maxmsg = 2, .mq_msgsize = sizeof text};
  mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &wanted);
  printf("mq_open: %d\n", queue >= 0);
  TRY(mq_unlink(name));
  unsigned priority = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, send_later, &queue);
  const struct timespec past = {1, 0};
  TRY(mq_timedreceive(queue, text, sizeof text, &priority, &past));
  const ssize_t size = mq_receive(queue, text, sizeof text, &priority);
  pthread_join(thread, NULL);
  printf("received %zd: %s, priority %u\n", size, text, priority);
  mq_close(queue);
}

// The ring of an aio context lies in the program's memory: nothing else may be mapped over it.
static void contexts(void) {
  aio_context_t context = 0;
  NEED(syscall(SYS_io_setup, 8, &context));
  for (int i = 0; i < 300; i++)
    if (mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) puts("no memory");
  const int fd = (int)NEED(open("file", O_CREAT | O_RDWR, 0600));
  char text[] = "written by aio";
  struct iocb block = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)fd, .aio_buf = (uint64_t)text,
                       .aio_nbytes = sizeof text};
  struct iocb *blocks[] = {&block};
  TRY(syscall(SYS_io_submit, context, 1, blocks));
  struct io_event event;
  TRY(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
  printf("written: %lld\n", (long long)event.res);
  TRY(syscall(SYS_io_destroy, context));
  TRY(syscall(SYS_io_destroy, context));
}

int main(void) {
  shared_memory();
  never_resumed();
  queues();
  contexts();
}
