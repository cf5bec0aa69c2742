#include "pip/access.h"

#include <algorithm>

namespace osp::pip {

bool is_within(std::string_view path, std::string_view above) {
  if (above.empty() || path == above) return true;
  return path.size() > above.size() && path.starts_with(above) && path[above.size()] == '/';
}

bool Access::is_everything() const {
  return std::ranges::any_of(grants_, [](const Grant& grant) { return grant.path.empty() && grant.may_write; });
}

bool Access::may_read(std::string_view path) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) { return is_within(path, grant.path); });
}

bool Access::may_write(std::string_view path) const {
  return std::ranges::any_of(grants_,
                             [&](const Grant& grant) { return grant.may_write && is_within(path, grant.path); });
}

bool Access::may_name(std::string_view path) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) {
    return grant.may_write && path != grant.path && is_within(path, grant.path);
  });
}

bool Access::may_pass(std::string_view path) const {
  return std::ranges::any_of(
      grants_, [&](const Grant& grant) { return is_within(path, grant.path) || is_within(grant.path, path); });
}

}  // namespace osp::pip
