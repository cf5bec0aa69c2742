// What static glibc does between _start and main, redone (takes the place of libc.a's libc-start.o) but for one thing:
// it does not look at the processor. It would by some fifty CPUID instructions, each of which leaves a virtual machine
// (5 µs: a quarter of a millisecond a start). What libc would learn is not wanted here: with nothing known it selects
// the variants of its functions that every x86-64 has, which touch no vector state beyond SSE (ARCHITECTURE.md,
// "Vectors"). The steps and their order are glibc 2.36's (csu/libc-start.c); CMakeLists.txt links this with no other.
#include <elf.h>
#include <stdlib.h>

#include <cstdint>

extern "C" {

// Sizes that libc's memcpy and memset go by, else made from the caches: plain values for a machine of today.
#define OSP_HIDDEN __attribute__((visibility("hidden")))
OSP_HIDDEN long __x86_data_cache_size_half = 32 * 1024 / 2;
OSP_HIDDEN long __x86_data_cache_size = 32 * 1024;
OSP_HIDDEN long __x86_shared_cache_size_half = 1024 * 1024 / 2;
OSP_HIDDEN long __x86_shared_cache_size = 1024 * 1024;
OSP_HIDDEN long __x86_shared_non_temporal_threshold = 1024 * 1024 * 3 / 4;
OSP_HIDDEN long __x86_rep_movsb_threshold = 2048;
OSP_HIDDEN long __x86_rep_stosb_threshold = 2048;
OSP_HIDDEN long __x86_rep_movsb_stop_threshold = 1024 * 1024 * 3 / 4;
OSP_HIDDEN int __x86_string_control = 0;

extern char** __environ;
extern void* __libc_stack_end;
extern OSP_HIDDEN void* _dl_random;
OSP_HIDDEN void _dl_aux_init(Elf64_auxv_t*);
OSP_HIDDEN void __tunables_init(char**);
OSP_HIDDEN void _dl_relocate_static_pie();
OSP_HIDDEN void __libc_setup_tls();
void __libc_early_init(bool);
OSP_HIDDEN void __libc_init_first(int, char**, char**);
OSP_HIDDEN void _init();

using Resolver = uint64_t (*)();
extern const OSP_HIDDEN Elf64_Rela __rela_iplt_start[] __attribute__((weak));
extern const OSP_HIDDEN Elf64_Rela __rela_iplt_end[] __attribute__((weak));

using Initialiser = void (*)(int, char**, char**);
extern OSP_HIDDEN const Initialiser __preinit_array_start[], __preinit_array_end[];
extern OSP_HIDDEN const Initialiser __init_array_start[], __init_array_end[];

// Where the executable lies, for libraries loaded later, of which there are none; libc.a's asks /proc.
const char* _dl_get_origin() { return reinterpret_cast<const char*>(-1L); }

// In these there is no TLS yet, nor any function of libc's that is selected at start.
static Elf64_auxv_t* aux_vector(char** environment) {
  while (*environment != nullptr) ++environment;
  return reinterpret_cast<Elf64_auxv_t*>(environment + 1);
}

static void select_functions() {
  for (const Elf64_Rela* at = __rela_iplt_start; at < __rela_iplt_end; ++at)
    *reinterpret_cast<uint64_t*>(at->r_offset) = reinterpret_cast<Resolver>(at->r_addend)();
}

// In the thread's control block (sysdeps/x86_64/nptl/tls.h); the canary begins with a NUL, as libc's.
static void set_guards() {
  const auto* random = static_cast<const uint64_t*>(_dl_random);
  asm volatile("movq %0, %%fs:0x28" : : "r"(random[0] & ~uint64_t{0xff}));
  asm volatile("movq %0, %%fs:0x30" : : "r"(random[1]));
}

static void initialise(int argc, char** argv) {
  for (const Initialiser* at = __preinit_array_start; at < __preinit_array_end; ++at) (*at)(argc, argv, __environ);
  _init();
  for (const Initialiser* at = __init_array_start; at < __init_array_end; ++at) (*at)(argc, argv, __environ);
}

[[noreturn]] int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*)(), void (*)(),
                                   void (*)(), void* stack_end) {
  __environ = argv + argc + 1;
  __libc_stack_end = stack_end;
  _dl_aux_init(aux_vector(__environ));
  __tunables_init(__environ);
  _dl_relocate_static_pie();
  select_functions();
  __libc_setup_tls();
  set_guards();
  __libc_early_init(true);
  __libc_init_first(argc, argv, __environ);
  initialise(argc, argv);
  exit(main(argc, argv, __environ));
}

}  // extern "C"
