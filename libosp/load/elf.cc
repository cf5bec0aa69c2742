#include "libosp/load/elf.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <optional>
#include <span>

namespace osp::load {
namespace {

constexpr uint64_t max_phdr_bytes = 65536;        // the kernel's limit
constexpr uint64_t max_interpreter_bytes = 4096;  // PATH_MAX, with the NUL
constexpr uint64_t max_align = uint64_t{1} << 40;

std::unexpected<Refusal> bad(std::string reason) { return refuse(ENOEXEC, std::move(reason)); }

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_AARCH64:
      return "AArch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "64-bit PowerPC";
    case EM_S390:
      return "S/390";
    case EM_MIPS:
      return "MIPS";
    default:
      return fmt::format("another machine (ELF machine {})", machine);
  }
}

// Reads exactly into.size() bytes; `what` names them in the refusal.
Outcome<void> read_exactly(Source& file, uint64_t offset, std::span<std::byte> into, std::string_view what) {
  const auto count = file.read_at(offset, into);
  if (!count) return refuse(count.error().code, fmt::format("cannot be read: {}", describe(count.error())));
  if (*count < into.size())
    return bad(fmt::format("is truncated at byte {}: {} should go on to byte {}", offset + *count, what,
                           offset + into.size()));
  return {};
}

Outcome<void> check_identity(const unsigned char* ident) {
  if (ident[EI_CLASS] != ELFCLASS64 && ident[EI_CLASS] != ELFCLASS32)
    return bad(fmt::format("has ELF class {}, which is neither 32 nor 64 bits", ident[EI_CLASS]));
  if (ident[EI_DATA] != ELFDATA2LSB) return bad("is not little-endian, this machine is x86-64");
  if (ident[EI_VERSION] != EV_CURRENT) return bad(fmt::format("has unknown ELF version {}", ident[EI_VERSION]));
  return {};
}

Outcome<void> check_type(const Elf64_Ehdr& header) {
  if (header.e_type == ET_EXEC || header.e_type == ET_DYN) return {};
  if (header.e_type == ET_REL) return bad("is an object file that is not linked yet");
  if (header.e_type == ET_CORE) return bad("is a core dump, not a program");
  return bad(fmt::format("has ELF type {}, which is not a program's", header.e_type));
}

Outcome<void> check_header(const Elf64_Ehdr& header) {
  OSP_TRY(check_identity(header.e_ident));
  if (header.e_machine != EM_X86_64)
    return bad(fmt::format("is for {}, this machine is x86-64", machine_name(header.e_machine)));
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return bad("is for the x32 ABI, which is not supported");
  OSP_TRY(check_type(header));
  if (header.e_phentsize != sizeof(Elf64_Phdr))
    return bad(
        fmt::format("has program headers of {} bytes each instead of {}", header.e_phentsize, sizeof(Elf64_Phdr)));
  if (header.e_phnum == 0) return bad("has no program headers");
  if (header.e_phnum * sizeof(Elf64_Phdr) > max_phdr_bytes)
    return bad(fmt::format("has too many program headers ({})", header.e_phnum));
  return {};
}

Outcome<Elf64_Ehdr> read_header(Source& file) {
  Elf64_Ehdr header{};
  const auto count = file.read_at(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!count) return refuse(count.error().code, fmt::format("cannot be read: {}", describe(count.error())));
  if (*count == 0) return bad("is empty");
  if (*count < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return bad("is not an ELF file (nor a script with #!)");
  if (*count < sizeof header) return bad(fmt::format("is truncated at byte {}, within the ELF header", *count));
  OSP_TRY(check_header(header));
  return header;
}

Outcome<std::vector<Elf64_Phdr>> read_program_headers(Source& file, const Elf64_Ehdr& header) {
  const uint64_t bytes = header.e_phnum * sizeof(Elf64_Phdr);
  if (header.e_phoff > file.size() || bytes > file.size() - header.e_phoff)
    return bad(fmt::format("is truncated at byte {}: program headers should be at byte {}, {} bytes", file.size(),
                           header.e_phoff, bytes));
  std::vector<Elf64_Phdr> headers(header.e_phnum);
  OSP_TRY(read_exactly(file, header.e_phoff, std::as_writable_bytes(std::span(headers)), "the program headers"));
  return headers;
}

int protection_of(uint32_t flags) {
  int protection = PROT_NONE;
  if ((flags & PF_R) != 0) protection |= PROT_READ;
  if ((flags & PF_W) != 0) protection |= PROT_WRITE;
  if ((flags & PF_X) != 0) protection |= PROT_EXEC;
  return protection;
}

Outcome<void> check_memory_range(const Elf64_Phdr& header, size_t index) {
  if (header.p_filesz > header.p_memsz)
    return bad(fmt::format("has segment {} larger in the file ({} bytes) than in memory ({} bytes)", index,
                           header.p_filesz, header.p_memsz));
  if (header.p_vaddr >= address_limit || header.p_memsz > address_limit - header.p_vaddr)
    return bad(fmt::format("has segment {} beyond the address space (at {:#x}, {:#x} bytes)", index, header.p_vaddr,
                           header.p_memsz));
  return {};
}

Outcome<void> check_alignment(const Elf64_Phdr& header, size_t index) {
  const uint64_t align = header.p_align;
  if (align > 1 && (!std::has_single_bit(align) || align > max_align))
    return bad(fmt::format("has segment {} with alignment {:#x}, which is not usable", index, align));
  if (header.p_vaddr % page_size != header.p_offset % page_size && header.p_filesz > 0)
    return bad(fmt::format("has segment {} at {:#x} from offset {:#x}, which differ within a page", index,
                           header.p_vaddr, header.p_offset));
  return {};
}

Outcome<void> check_file_range(const Elf64_Phdr& header, size_t index, uint64_t file_size) {
  if (header.p_filesz == 0) return {};
  if (header.p_offset > file_size || header.p_filesz > file_size - header.p_offset)
    return bad(fmt::format("is truncated at byte {}: segment {} should be at byte {}, {} bytes", file_size, index,
                           header.p_offset, header.p_filesz));
  return {};
}

Outcome<Segment> make_segment(const Elf64_Phdr& header, size_t index, uint64_t file_size) {
  OSP_TRY(check_memory_range(header, index));
  OSP_TRY(check_alignment(header, index));
  OSP_TRY(check_file_range(header, index, file_size));
  return Segment{.address = header.p_vaddr,
                 .memory_size = header.p_memsz,
                 .file_offset = header.p_offset,
                 .file_size = header.p_filesz,
                 .align = std::max<uint64_t>(header.p_align, page_size),
                 .protection = protection_of(header.p_flags)};
}

Outcome<std::string> read_interpreter(Source& file, const Elf64_Phdr& header) {
  if (header.p_filesz < 2 || header.p_filesz > max_interpreter_bytes)
    return bad(fmt::format("names an interpreter of {} bytes", header.p_filesz));
  if (header.p_offset > file.size()) return bad("names its interpreter beyond the end of the file");
  std::string path(header.p_filesz, '\0');
  OSP_TRY(read_exactly(file, header.p_offset, std::as_writable_bytes(std::span(path)), "the interpreter's name"));
  if (path.back() != '\0') return bad("names an interpreter without a final NUL");
  path.resize(std::strlen(path.c_str()));
  if (path.empty()) return bad("names an interpreter with an empty name");
  return path;
}

// The segment that holds the program headers tells their address (as Linux since 5.18).
void locate_program_headers(const Elf64_Ehdr& header, Program& program) {
  program.phdr_count = header.e_phnum;
  for (const Segment& segment : program.segments) {
    if (header.e_phoff < segment.file_offset || header.e_phoff - segment.file_offset >= segment.file_size) continue;
    program.phdr_address = segment.address + (header.e_phoff - segment.file_offset);
    program.phdr_mapped = true;
    return;
  }
}

Outcome<void> add_segment(Program& program, const Elf64_Phdr& header, size_t index, uint64_t file_size) {
  if (header.p_memsz == 0 && header.p_filesz == 0) return {};
  OSP_ASSIGN(const Segment segment, make_segment(header, index, file_size));
  if (!program.segments.empty()) {
    const Segment& last = program.segments.back();
    if (segment.address < last.address + last.memory_size)
      return bad(
          fmt::format("has segment {} at {:#x}, which overlaps or precedes the one before", index, segment.address));
  }
  program.segments.push_back(segment);
  return {};
}

Outcome<void> add_header(Program& program, Source& file, const Elf64_Phdr& header, size_t index) {
  switch (header.p_type) {
    case PT_LOAD:
      return add_segment(program, header, index, file.size());
    case PT_INTERP: {
      if (!program.interpreter.empty()) return {};  // the kernel takes the first
      OSP_ASSIGN(program.interpreter, read_interpreter(file, header));
      return {};
    }
    case PT_GNU_STACK:
      program.executable_stack = (header.p_flags & PF_X) != 0;
      return {};
    default:
      return {};
  }
}

}  // namespace

bool is_elf(std::span<const std::byte> head) {
  return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Outcome<Program> parse(Source& file) {
  OSP_ASSIGN(const Elf64_Ehdr header, read_header(file));
  OSP_ASSIGN(const auto headers, read_program_headers(file, header));
  Program program;
  program.kind = header.e_type == ET_EXEC ? Kind::fixed : Kind::movable;
  program.entry = header.e_entry;
  for (size_t index = 0; index < headers.size(); ++index) OSP_TRY(add_header(program, file, headers[index], index));
  if (program.segments.empty()) return bad("has nothing to load (no PT_LOAD segment)");
  if (program.entry >= address_limit) return bad(fmt::format("has its entry point at {:#x}", program.entry));
  locate_program_headers(header, program);
  return program;
}

}  // namespace osp::load
