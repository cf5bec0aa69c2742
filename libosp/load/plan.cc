#include "libosp/load/plan.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

namespace osp::load {
namespace {

constexpr uint64_t page_down(uint64_t address) { return address & ~(page_size - 1); }
constexpr uint64_t page_up(uint64_t address) { return page_down(address + page_size - 1); }

uint64_t first_page(const Program& program) { return page_down(program.segments.front().address); }

uint64_t end_page(const Program& program) {
  const Segment& last = program.segments.back();
  return page_up(last.address + last.memory_size);
}

void add_file_part(const Segment& segment, uint64_t address, std::vector<Action>& actions) {
  if (segment.file_size == 0) return;
  const uint64_t file_end = address + segment.file_size;
  actions.push_back({.kind = Action::Kind::map_file,
                     .address = page_down(address),
                     .size = page_up(file_end) - page_down(address),
                     .protection = segment.protection,
                     .file_offset = page_down(segment.file_offset)});
  // What follows the file's part in its last page is zero for a writable segment only (as on Linux).
  if (segment.memory_size > segment.file_size && file_end < page_up(file_end) && (segment.protection & PROT_WRITE) != 0)
    actions.push_back({.kind = Action::Kind::zero,
                       .address = file_end,
                       .size = page_up(file_end) - file_end,
                       .protection = segment.protection,
                       .file_offset = 0});
}

void add_segment(const Segment& segment, uint64_t bias, std::vector<Action>& actions) {
  const uint64_t address = segment.address + bias;
  add_file_part(segment, address, actions);
  const uint64_t start = segment.file_size == 0 ? page_down(address) : page_up(address + segment.file_size);
  const uint64_t end = page_up(address + segment.memory_size);
  if (end > start)
    actions.push_back({.kind = Action::Kind::map_anonymous,
                       .address = start,
                       .size = end - start,
                       .protection = segment.protection,
                       .file_offset = 0});
}

Outcome<uint64_t> bias_of(const Program& program, uint64_t base) {
  if (program.kind == Kind::fixed) return uint64_t{0};
  if (base % base_alignment(program) != 0 || base > address_limit)
    return refuse(EINVAL,
                  fmt::format("cannot be loaded at {:#x}: its alignment is {:#x}", base, base_alignment(program)));
  // Its own first address counts when it was linked to one; the bias keeps the alignment.
  const uint64_t own = first_page(program) & ~(base_alignment(program) - 1);
  return base - own;
}

bool overlap(const ImagePlan& a, const ImagePlan& b) {
  return a.start < b.start + b.size && b.start < a.start + a.size;
}

}  // namespace

uint64_t span_size(const Program& program) { return end_page(program) - first_page(program); }

uint64_t base_alignment(const Program& program) {
  uint64_t align = page_size;
  for (const Segment& segment : program.segments) align = std::max(align, segment.align);
  return align;
}

Outcome<ImagePlan> plan_image(const Program& program, uint64_t base, Range allowed) {
  OSP_ASSIGN(const uint64_t bias, bias_of(program, base));
  ImagePlan plan;
  plan.bias = bias;
  plan.start = first_page(program) + bias;
  plan.size = span_size(program);
  // A bias may be "negative"; start is right modulo 2^64, and checked here.
  if (plan.start < allowed.lowest || plan.start > allowed.limit || plan.size > allowed.limit - plan.start)
    return refuse(ENOMEM,
                  fmt::format("needs the addresses {:#x} to {:#x}, outside of what programs may use ({:#x} to {:#x})",
                              plan.start, plan.start + plan.size, allowed.lowest, allowed.limit));
  plan.entry = program.entry + bias;
  plan.phdr_address = program.phdr_mapped ? program.phdr_address + bias : 0;
  plan.phdr_count = program.phdr_count;
  plan.brk_start = plan.start + plan.size;
  for (const Segment& segment : program.segments) add_segment(segment, bias, plan.actions);
  return plan;
}

Outcome<LoadPlan> plan_load(const Program& program, const Program* interpreter, Bases bases, Range allowed) {
  LoadPlan plan;
  OSP_ASSIGN(plan.program, plan_image(program, bases.program, allowed));
  plan.executable_stack = program.executable_stack;
  plan.entry = plan.program.entry;
  if (interpreter == nullptr) return plan;
  OSP_ASSIGN(plan.interpreter, plan_image(*interpreter, bases.interpreter, allowed));
  if (overlap(plan.program, plan.interpreter))
    return refuse(ENOMEM, fmt::format("and its interpreter would both be at {:#x}", plan.interpreter.start));
  plan.entry = plan.interpreter.entry;
  plan.interpreter_base = plan.interpreter.bias;
  return plan;
}

}  // namespace osp::load
