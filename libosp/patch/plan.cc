#include "libosp/patch/plan.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace osp::patch {
namespace {

constexpr uint8_t int3 = 0xcc;
constexpr uint8_t long_jump_opcode = 0xe9;
constexpr uint8_t short_jump_opcode = 0xeb;
constexpr size_t lea_size = 7;
constexpr size_t core_jump_size = 8;
constexpr std::array<uint8_t, site_size> syscall_bytes = {0x0f, 0x05}, cpuid_bytes = {0x0f, 0xa2};
constexpr uint32_t sigreturn_number = 15;

bool is_endbr(const Instruction& instruction) { return instruction.is(1, 0x1e) && instruction.repeat == 0xf3; }

// mov $15 to eax or rax, in either of its forms.
bool is_sigreturn(const Instruction& instruction, Bytes bytes) {
  const bool to_rax = instruction.is(0, 0xb8) || (instruction.is(0, 0xc7) && instruction.modrm == 0xc0);
  if (!to_rax || (instruction.rex & 1) != 0 || instruction.immediate_size < 4) return false;
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + instruction.length - instruction.immediate_size, sizeof number);
  return number == sigreturn_number;
}

// Whether it writes eax or ecx, by mov or xor: with a cpuid that is known by its bytes only, more is wanted than these.
bool asks(const Instruction& instruction) {
  constexpr uint8_t registers = 3, eax = 0, ecx = 1;
  const auto is_asked = [](unsigned number) { return number == eax || number == ecx; };
  const unsigned rm = instruction.modrm & 7U, reg = instruction.modrm >> 3U & 7U;
  if (instruction.is(0, 0xb8 + eax) || instruction.is(0, 0xb8 + ecx)) return (instruction.rex & 1) == 0;
  const bool to_rm = instruction.is(0, 0x89) || instruction.is(0, 0x31) || instruction.is(0, 0xc7);
  const bool to_reg = instruction.is(0, 0x8b) || instruction.is(0, 0x33);
  if (to_reg) return is_asked(reg) && (instruction.rex & 4) == 0;
  return to_rm && instruction.modrm >> 6U == registers && is_asked(rm) && (instruction.rex & 1) == 0;
}

std::optional<Refusal> objection(const Instruction& instruction, Bytes bytes) {
  if (instruction.flow != Flow::next) return Refusal::branch;
  if (instruction.rip_relative && instruction.address_size) return Refusal::rip_relative;
  if (instruction.lock || is_endbr(instruction)) return Refusal::special;
  if (is_sigreturn(instruction, bytes)) return Refusal::signal_restorer;
  if (instruction.length < short_jump_size) return Refusal::too_short;
  return std::nullopt;
}

// Whether the byte before byte `i` is the opcode of a branch with one byte of displacement.
bool is_near_branch(const Code& code, size_t i) {
  if (i == 0) return true;
  const uint8_t opcode = code.bytes[i - 1];
  return (opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3) || opcode == 0xeb;
}

// Whether any bytes, wherever they are, would be the displacement of a branch to `target`.
bool may_be_branched_to(const Code& code, uint64_t target) {
  constexpr size_t far = 4, near = 1;
  const uint8_t* const bytes = code.bytes.data();
  for (size_t i = 0; i + far <= code.bytes.size(); ++i) {
    int32_t displacement = 0;
    std::memcpy(&displacement, bytes + i, far);
    if (code.start + i + far + static_cast<uint64_t>(int64_t{displacement}) == target) return true;
  }
  for (size_t i = 0; i < code.bytes.size(); ++i) {
    const int64_t displacement = static_cast<int8_t>(bytes[i]);
    if (code.start + i + near + static_cast<uint64_t>(displacement) == target && is_near_branch(code, i)) return true;
  }
  return false;
}

Site make_site(Kind kind, uint64_t at, const Located& before, Bytes bytes) {
  Site site;
  site.kind = kind, site.at = at;
  site.displaced = before.address;
  site.displaced_size = static_cast<uint8_t>(bytes.size());
  std::copy_n(bytes.begin(), site.displaced_size, site.displaced_bytes.begin());
  // A displacement to rip comes right before the immediate, without a SIB byte between.
  if (before.instruction.rip_relative)
    site.displacement_offset = static_cast<uint8_t>(site.displaced_size - before.instruction.immediate_size - 4);
  return site;
}

// The displacement from the end of an instruction to `target`.
Result<int32_t> displacement(uint64_t from_end, uint64_t target) {
  const auto distance = static_cast<int64_t>(target - from_end);
  if (distance < std::numeric_limits<int32_t>::min() || distance > std::numeric_limits<int32_t>::max())
    return fail(ERANGE);
  return static_cast<int32_t>(distance);
}

void put32(uint8_t* at, uint32_t value) { std::memcpy(at, &value, sizeof value); }

// Makes the displaced instruction at `at`, to run at `address`, refer to what it referred to at its old place.
Result<void> correct_displacement(const Site& site, uint64_t address, uint8_t* at) {
  if (site.displacement_offset == 0) return {};
  int32_t old = 0;
  std::memcpy(&old, site.displaced_bytes.data() + site.displacement_offset, sizeof old);
  const uint64_t target = site.displaced + site.displaced_size + static_cast<uint64_t>(int64_t{old});
  OSP_ASSIGN(const int32_t corrected, displacement(address + site.displaced_size, target));
  put32(at + site.displacement_offset, static_cast<uint32_t>(corrected));
  return {};
}

// The register that lea writes tells where to go on.
uint8_t* put_back_address(uint8_t* at, std::array<uint8_t, 3> lea, int32_t back) {
  at = std::ranges::copy(lea, at).out;
  put32(at, static_cast<uint32_t>(back));
  return at + 4;
}

constexpr std::array<uint8_t, 3> lea_to_rcx = {0x48, 0x8d, 0x0d}, lea_to_rdx = {0x48, 0x8d, 0x15};

Result<Trampoline> make_trampoline(const Site& site, uint64_t address, const Ends& ends) {
  Trampoline trampoline;
  trampoline.address = address;
  trampoline.size = static_cast<uint8_t>(trampoline_size(site));
  uint8_t* at = std::copy_n(site.displaced_bytes.begin(), site.displaced_size, trampoline.bytes.begin());
  OSP_TRY(correct_displacement(site, address, trampoline.bytes.data()));
  OSP_ASSIGN(const int32_t back, displacement(address + site.displaced_size + lea_size, site.after()));
  if (site.kind == Kind::cpuid) {
    OSP_ASSIGN(const int32_t distance, displacement(address + trampoline.size, ends.cpuid_routine));
    at = put_back_address(at, lea_to_rdx, back);
    *at = long_jump_opcode;
    put32(at + 1, static_cast<uint32_t>(distance));
  } else {
    at = put_back_address(at, lea_to_rcx, back);
    at = std::ranges::copy(std::array<uint8_t, 4>{0x65, 0xff, 0x24, 0x25}, at).out;  // jmp *%gs:slot
    put32(at, ends.slot);
  }
  return trampoline;
}

void set_reach(Write& write) {
  const uint64_t last = write.address + write.size - 1;
  write.one_word = write.address / 8 == last / 8;
  write.one_line = write.address / 64 == last / 64;
}

// `size` bytes at `address`: a jump to `target`, and int3 up to the end, to which nothing can come.
Result<Write> make_long_jump(uint64_t address, size_t size, uint64_t target) {
  OSP_ASSIGN(const int32_t distance, displacement(address + long_jump_size, target));
  Write write;
  write.address = address;
  write.size = static_cast<uint8_t>(size);
  std::fill_n(write.bytes.begin(), size, int3);
  write.bytes[0] = long_jump_opcode;
  put32(write.bytes.data() + 1, static_cast<uint32_t>(distance));
  set_reach(write);
  return write;
}

// find_padding() has seen to it that the padding is within reach.
Write make_short_jump(const Site& site) {
  Write write;
  write.address = site.displaced;
  write.size = site.displaced_size;
  std::fill_n(write.bytes.begin(), write.size, int3);
  write.bytes[0] = short_jump_opcode;
  write.bytes[1] = static_cast<uint8_t>(site.padding.address - (site.displaced + short_jump_size));
  set_reach(write);
  return write;
}

bool reads_flags(const Code& code, uint64_t address) {
  constexpr uint8_t pushf = 0x9c, lahf = 0x9f;
  if (!code.contains(address, 1)) return false;
  const uint8_t first = code.from(address).front();
  return first == pushf || first == lahf;
}

}  // namespace

const char* describe(Refusal refusal) {
  switch (refusal) {
    case Refusal::not_a_site:
      return "neither a syscall nor a cpuid instruction";
    case Refusal::unclear:
      return "the instruction before it is not certain";
    case Refusal::branch:
      return "the instruction before it is a branch";
    case Refusal::rip_relative:
      return "the instruction before it is rip-relative with 32-bit addresses";
    case Refusal::special:
      return "the instruction before it has a lock prefix or is endbr64";
    case Refusal::signal_restorer:
      return "it is a signal restorer";
    case Refusal::too_short:
      return "the instruction before it has one byte";
    case Refusal::no_padding:
      return "no padding within reach";
    case Refusal::asks_nothing:
      return "the instruction before it does not say what is asked";
    case Refusal::branched_to:
      return "no padding within reach, and something may jump to the instruction before it";
    case Refusal::shows_flags:
      return "the instruction behind it reads the flags";
  }
  return "unknown";
}

std::optional<Kind> kind_at(const Code& code, uint64_t address) {
  if (!code.contains(address, site_size)) return std::nullopt;
  const Bytes bytes = code.from(address).first(site_size);
  if (std::ranges::equal(bytes, syscall_bytes)) return Kind::syscall;
  if (std::ranges::equal(bytes, cpuid_bytes)) return Kind::cpuid;
  return std::nullopt;
}

std::expected<Site, Refusal> examine(const Code& code, uint64_t address) {
  const auto kind = kind_at(code, address);
  if (!kind) return std::unexpected(Refusal::not_a_site);
  if (*kind == Kind::syscall && reads_flags(code, address + site_size)) return std::unexpected(Refusal::shows_flags);
  const auto before = instruction_before(code, address);
  if (!before) return std::unexpected(Refusal::unclear);
  const Bytes bytes = code.from(before->address).first(before->instruction.length);
  if (const auto reason = objection(before->instruction, bytes)) return std::unexpected(*reason);
  if (*kind == Kind::cpuid && !asks(before->instruction)) return std::unexpected(Refusal::asks_nothing);
  Site site = make_site(*kind, address, *before, bytes);
  if (site.displaced_size >= long_jump_size) return site;
  const auto padding = find_padding(code, site.displaced, site.after());
  if (!padding) return std::unexpected(Refusal::no_padding);
  site.padding = *padding;
  return site;
}

std::expected<Site, Refusal> examine_wide(const Code& code, uint64_t address) {
  if (kind_at(code, address) != Kind::cpuid) return std::unexpected(Refusal::not_a_site);
  const auto second = instruction_before(code, address);
  const auto first = second ? instruction_before(code, second->address) : std::nullopt;
  if (!first) return std::unexpected(Refusal::unclear);
  const size_t size = address - first->address;
  for (const auto& located : {*first, *second}) {
    const Bytes bytes = code.from(located.address).first(located.instruction.length);
    if (const auto reason = objection(located.instruction, bytes)) return std::unexpected(*reason);
    if (located.instruction.rip_relative) return std::unexpected(Refusal::rip_relative);
  }
  if (!asks(second->instruction)) return std::unexpected(Refusal::asks_nothing);
  if (size < long_jump_size || size > max_instruction_length) return std::unexpected(Refusal::too_short);
  if (may_be_branched_to(code, second->address)) return std::unexpected(Refusal::branched_to);
  return make_site(Kind::cpuid, address, *first, code.from(first->address).first(size));
}

size_t trampoline_size(const Site& site) {
  return site.displaced_size + lea_size + (site.kind == Kind::cpuid ? long_jump_size : core_jump_size);
}

Result<Plan> make_plan(const Site& site, uint64_t trampoline_address, const Ends& ends) {
  Plan plan;
  plan.site = site;
  OSP_ASSIGN(plan.trampoline, make_trampoline(site, trampoline_address, ends));
  const bool direct = site.padding.size == 0;
  const uint64_t jump = direct ? site.displaced : site.padding.address;
  const size_t size = direct ? site.displaced_size : site.padding.size;
  OSP_ASSIGN(plan.writes[plan.write_count++], make_long_jump(jump, size, trampoline_address));
  if (!direct) plan.writes[plan.write_count++] = make_short_jump(site);
  return plan;
}

Plan Plan::moved(uint64_t distance) const {
  Plan plan = *this;
  plan.site.at += distance, plan.site.displaced += distance;
  if (site.padding.size != 0) plan.site.padding.address += distance;
  plan.trampoline.address += distance;
  for (size_t i = 0; i < write_count; ++i) plan.writes[i].address += distance;
  return plan;
}

uint64_t original_rip(const Plan& plan, uint64_t rip) {
  const Site& site = plan.site;
  if (site.padding.size != 0 && rip == site.padding.address) return site.displaced;
  const uint64_t offset = rip - plan.trampoline.address;
  if (offset < site.displaced_size) return site.displaced + offset;
  return offset < plan.trampoline.size ? site.at : rip;
}

}  // namespace osp::patch
