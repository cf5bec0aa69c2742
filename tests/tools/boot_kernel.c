// The least kernel that osp-boot can boot: it uses every port of the machine once, polled. PVH enters it in 32-bit
// mode.
//
// It says on the first serial port how the boot archive begins and whether it begins at a page, gives back all that
// comes there until "eof COUNT", writes every other order to the console, and ends with status 5.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { com1 = 0x3f8, com2 = 0x2f8, console = 0xe9, status = 0xea, debug_exit = 0xf4 };
enum { line_status = 5, has_byte = 0x01, takes_byte = 0x20 };

static void out(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static u8 in(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static void put(u16 port, char c) {
  while ((port == com1 || port == com2) && !(in((u16)(port + line_status)) & takes_byte)) {
  }
  out(port, (u8)c);
}

static void print(u16 port, const char* text) {
  for (; *text; ++text) put(port, *text);
}

// What follows "eof "; no number: -1.
static u32 count_in(const char* line) {
  u32 count = 0;
  if (line[0] != 'e' || line[1] != 'o' || line[2] != 'f') return ~0U;
  for (line += 4; *line; ++line) count = count * 10 + (u32)(*line - '0');
  return count;
}

// Gives back bytes until the end that an order tells.
static void serve(void) {
  char line[80];
  u32 length = 0, seen = 0, wanted = ~0U;
  while (seen != wanted) {
    if (in(com1 + line_status) & has_byte) {
      put(com1, (char)in(com1));
      ++seen;
    }
    if (!(in(com2 + line_status) & has_byte)) continue;
    line[length] = (char)in(com2);
    if (line[length] != '\n' && length < sizeof line - 2) {
      ++length;
      continue;
    }
    line[length] = 0;
    length = 0;
    wanted = count_in(line);
    if (wanted == ~0U) {
      print(console, line);
      put(console, '\n');
    }
  }
}

// `start` is PVH's hvm_start_info: at word 4 is the list of modules, of which the first word is where one begins.
void kernel(const u32* start) {
  const char* archive = (const char*)((const u32*)start[4])[0];
  print(console, "booted\n");
  out(com1 + 2, 1);  // the queues of the ports, which forgets what they hold
  out(com2 + 2, 1);
  for (u32 i = 0; i < 6; ++i) put(com1, archive[i]);
  print(com1, (u32)archive & 4095 ? " not at a page\n" : " at a page\n");
  print(com2, "ready\n");
  serve();
  print(status, "exit 5\n");
  __asm__ volatile("outl %0, %1" : : "a"(0), "Nd"((u16)debug_exit));
  for (;;) __asm__ volatile("hlt");
}

__asm__(
    ".pushsection .note.pvh, \"a\", @note\n"
    ".long 4, 4, 18\n"
    ".asciz \"Xen\"\n"
    ".long start\n"
    ".popsection\n"
    ".pushsection .text\n"
    ".globl start\n"
    "start:\n"
    "  mov $stack_end, %esp\n"
    "  push %ebx\n"
    "  call kernel\n"
    ".popsection\n"
    ".pushsection .bss\n"
    ".skip 4096\n"
    "stack_end:\n"
    ".popsection\n");
