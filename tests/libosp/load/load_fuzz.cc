// Any bytes as an executable file: what is accepted must be loadable as planned, the rest be refused with a reason.
#include <cstdlib>

#include "libosp/load/plan.h"
#include "libosp/load/script.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_actions(const osp::load::ImagePlan& plan, size_t file_size) {
  using Kind = osp::load::Action::Kind;
  for (const auto& action : plan.actions) {
    require(action.size > 0);
    require(action.address >= plan.start && action.size <= plan.start + plan.size - action.address);
    if (action.kind == Kind::zero) continue;
    require(action.address % osp::load::page_size == 0 && action.size % osp::load::page_size == 0);
    require(action.kind != Kind::map_file || action.file_offset < file_size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  osp::load::SpanSource source(bytes);
  const auto program = osp::load::parse(source);
  if (!program) {
    require(!program.error().reason.empty());
  } else if (const auto plan = osp::load::plan_load(*program, nullptr, {uint64_t{1} << 45, 0})) {
    check_actions(plan->program, size);
  }
  if (const auto script = osp::load::parse_script(bytes)) require(!script->interpreter.empty());
  return 0;
}
