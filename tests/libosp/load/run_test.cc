// The proof of the loader: real programs, mapped by its plan in a child, on its stack, run.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "libosp/load/plan.h"
#include "libosp/load/stack.h"

namespace osp::load {
namespace {

class FileSource final : public Source {
 public:
  explicit FileSource(const char* path) : fd(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~FileSource() override { close(fd); }
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) override {
    return from_raw<size_t>(pread(fd, into.data(), into.size(), static_cast<off_t>(offset)));
  }
  uint64_t size() const override { return static_cast<uint64_t>(lseek(fd, 0, SEEK_END)); }

  const int fd;
};

void apply(const ImagePlan& plan, int fd) {
  for (const Action& action : plan.actions) {
    void* const address = reinterpret_cast<void*>(action.address);
    if (action.kind == Action::Kind::zero) {
      std::memset(address, 0, action.size);
      continue;
    }
    const bool anonymous = action.kind == Action::Kind::map_anonymous;
    const int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (anonymous ? MAP_ANONYMOUS : 0);
    if (mmap(address, action.size, action.protection, flags, anonymous ? -1 : fd,
             static_cast<off_t>(action.file_offset)) != address)
      _exit(121);
  }
}

[[noreturn]] void start(uint64_t entry, uint64_t stack_pointer) {
  asm volatile("mov %0, %%rsp; xor %%edx, %%edx; xor %%ebp, %%ebp; jmp *%1" : : "S"(stack_pointer), "a"(entry));
  __builtin_unreachable();
}

// In the child: loads `path` and jumps to it; does not return.
[[noreturn]] void execute(const char* path, const std::vector<std::string>& argv) {
  constexpr uint64_t stack_size = 1 << 20;
  const std::vector<std::string> envp = {"LC_ALL=C", "PATH=/usr/bin:/bin", "OSP_TEST=yes"};
  FileSource file(path);
  const auto program = parse(file);
  if (!program) _exit(120);
  std::string interpreter_path = program->interpreter.empty() ? path : program->interpreter;
  FileSource interpreter_file(interpreter_path.c_str());
  const auto interpreter = parse(interpreter_file);
  const auto plan = plan_load(*program, program->interpreter.empty() ? nullptr : &*interpreter,
                              {.program = 0x2000'0000'0000, .interpreter = 0x3000'0000'0000});
  if (!plan) _exit(122);
  apply(plan->program, file.fd);
  if (plan->interpreter.size != 0) apply(plan->interpreter, interpreter_file.fd);
  auto* const stack =
      static_cast<std::byte*>(mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  StackInput input{.argv = argv, .envp = envp, .execfn = path, .top = reinterpret_cast<uint64_t>(stack) + stack_size};
  input.phdr_address = plan->program.phdr_address, input.phdr_count = plan->program.phdr_count;
  input.interpreter_base = plan->interpreter_base, input.entry = plan->program.entry;
  input.uid = input.euid = getuid(), input.gid = input.egid = getgid();
  input.hwcap = getauxval(AT_HWCAP), input.hwcap2 = getauxval(AT_HWCAP2), input.minsigstksz = getauxval(AT_MINSIGSTKSZ);
  if (getrandom(input.random.data(), input.random.size(), 0) != 16) _exit(123);
  const auto image = build_stack(input);
  if (!image) _exit(124);
  std::memcpy(reinterpret_cast<void*>(image->stack_pointer), image->bytes.data(), image->bytes.size());
  start(plan->entry, image->stack_pointer);
}

struct Ran {
  int status = 0;
  std::string output;
};

Ran run(const char* path, const std::vector<std::string>& argv) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    alarm(60);
    execute(path, argv);
  }
  close(ends[1]);
  Ran ran;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
    ran.output.append(buffer, static_cast<size_t>(count));
  close(ends[0]);
  waitpid(child, &ran.status, 0);
  return ran;
}

void expect_output(const char* path, const std::vector<std::string>& argv, std::string_view output) {
  if (access(path, X_OK) != 0) GTEST_SKIP() << path << " is not installed";
  const Ran ran = run(path, argv);
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.output, output);
}

TEST(Run, StaticBusybox) {
  expect_output("/bin/busybox", {"sh", "-c", "for i in 1 2; do echo $i $OSP_TEST; done"}, "1 yes\n2 yes\n");
}
TEST(Run, DynamicEcho) { expect_output("/bin/echo", {"echo", "a", "b c"}, "a b c\n"); }
TEST(Run, DynamicBashWithChildren) {
  expect_output("/bin/bash", {"bash", "-c", "printf '%s\\n' {3..1} | sort"}, "1\n2\n3\n");
}
TEST(Run, LoaderItself) { expect_output("/lib64/ld-linux-x86-64.so.2", {"ld.so", "/bin/echo", "hello"}, "hello\n"); }
TEST(Run, Python) {
  expect_output("/usr/bin/python3", {"python3", "-c", "import json, os; print(json.dumps(os.environ['OSP_TEST']))"},
                "\"yes\"\n");
}

}  // namespace
}  // namespace osp::load
