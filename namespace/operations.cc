#include "namespace/operations.h"

#include <sys/stat.h>

#include <utility>

#include "namespace/step_checks.h"

namespace osp::ns {
namespace {

// Runs `act(step)` for its value on what the request leads to.
template <class T, class Act>
Result<T> value_of(const Table& table, const Request& request, Act act) {
  T value{};
  OSP_TRY(run(table, request, Intent::use, [&](const Step& step) -> pip::Walked<void> {
    if (auto ready = settle_end(step); !ready) return ready;
    auto result = act(step);
    if (!result) return std::unexpected(std::move(result.error()));
    value = std::move(*result);
    return {};
  }));
  return value;
}

// Runs `act(step)`, which changes what the request leads to.
template <class Act>
Result<Place> change_with(const Table& table, const Request& request, Act act) {
  return run(table, request, Intent::use, [&](const Step& step) -> pip::Walked<void> {
    if (step.read_only) return refuse_change(step);
    if (auto ready = settle_end(step); !ready) return ready;
    return act(step);
  });
}

}  // namespace

Result<FoundPlace> stat(const Table& table, const Request& request) {
  FoundPlace found;
  OSP_ASSIGN(found.place, run(table, request, Intent::use, [&](const Step& step) -> pip::Walked<void> {
               auto attributes = look_up(step);
               if (!attributes) return std::unexpected(std::move(attributes.error()));
               found.attributes = *attributes;
               return {};
             }));
  return found;
}

Result<std::string> read_link(const Table& table, const Request& request) {
  Request itself = request;
  itself.follow = false;
  return value_of<std::string>(table, itself, [](const Step& step) { return step.server.read_link(step.path); });
}

Result<Place> change(const Table& table, const Request& request, const pip::AttributeChange& change) {
  return change_with(table, request, [&](const Step& step) { return step.server.change(step.path, change); });
}

Result<std::string> watch(const Table& table, const Request& request) {
  return value_of<std::string>(table, request, [&](const Step& step) { return step.server.watch(step.path); });
}

Result<std::string> get_attribute(const Table& table, const Request& request, std::string_view name) {
  return value_of<std::string>(table, request,
                               [&](const Step& step) { return step.server.get_attribute(step.path, name); });
}

Result<void> set_attribute(const Table& table, const Request& request, std::string_view name, std::string_view value,
                           int flags) {
  OSP_TRY(change_with(table, request,
                      [&](const Step& step) { return step.server.set_attribute(step.path, name, value, flags); }));
  return {};
}

Result<void> remove_attribute(const Table& table, const Request& request, std::string_view name) {
  OSP_TRY(change_with(table, request, [&](const Step& step) { return step.server.remove_attribute(step.path, name); }));
  return {};
}

Result<std::vector<std::string>> list_attributes(const Table& table, const Request& request) {
  return value_of<std::vector<std::string>>(table, request,
                                            [](const Step& step) { return step.server.list_attributes(step.path); });
}

Result<pip::FileSystemStat> statfs(const Table& table, const Request& request) {
  OSP_ASSIGN(const Place place, resolve(table, request));
  return place.server().statfs();
}

}  // namespace osp::ns
