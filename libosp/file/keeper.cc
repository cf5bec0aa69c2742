#include "libosp/file/keeper.h"

namespace osp::keeper {

ns::Checked<std::shared_ptr<pip::Server>> attach(const std::string& url) {
  return ns::trouble(ENOSYS, "this build has no keeper yet: " + url);
}

void after_fork() {}

}  // namespace osp::keeper
