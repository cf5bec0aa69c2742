#include "libosp/file/reopen.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "libosp/file/keeper.h"
#include "libosp/file/names.h"
#include "libosp/file/proc.h"
#include "libosp/file/served_file.h"

namespace osp::file {
namespace {

pip::OpenMode mode_of(int flags) {
  pip::OpenMode mode;
  mode.path_only = (flags & O_PATH) != 0;
  if (mode.path_only) return mode;
  mode.read = (flags & O_ACCMODE) != O_WRONLY;
  mode.write = (flags & O_ACCMODE) != O_RDONLY;
  return mode;
}

Result<std::shared_ptr<Description>> open_again(const task::Process& process, const std::string& path, int flags) {
  if (is_core_proc(path)) {
    OSP_ASSIGN(ProcEntry entry, find_proc(path));
    return open_proc(std::move(entry), path);
  }
  OSP_ASSIGN(const Names::Held held, process.names->hold(AT_FDCWD, path));
  auto opened = ns::open(process.names->table(), held.request(true), mode_of(flags));
  if (!opened) return fail(opened.error().code);
  auto file = ServedFile::of(std::move(*opened));
  file->set_path(path);
  return file;
}

}  // namespace

Result<std::shared_ptr<Description>> reopen(const task::Process& process, const std::string& path, int flags,
                                            uint64_t offset) {
  OSP_ASSIGN(std::shared_ptr<Description> file, open_again(process, path, flags));
  file->flags = flags;
  if (offset != 0) file->seek(static_cast<int64_t>(offset), SEEK_SET);
  return file;
}

Result<std::shared_ptr<Description>> reopen_by_number(const std::string& server, uint64_t number,
                                                      const std::string& path, int flags, uint64_t offset) {
  const auto tree = keeper::attach(server);
  if (!tree) return fail(tree.error().code);
  auto opened = (*tree)->open(std::to_string(number), mode_of(flags));
  if (!opened) return fail(opened.error().code);
  auto file = std::make_shared<ServedFile>(std::move(opened->file));
  file->set_path(path);
  file->set_server(server);
  file->flags = flags;
  if (offset != 0) file->seek(static_cast<int64_t>(offset), SEEK_SET);
  return file;
}

}  // namespace osp::file
