#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "libosp/load/refusal.h"
#include "namespace/mem_server.h"

// The files that a natively booted program begins with: `root` of the boot archive.
namespace osp::native {

// A server with the files of `archive`: a cpio archive of the newc format, or several, one behind the other, plain or
// compressed by zstd. The files' contents stay where they are: in `archive`, which must outlive the server if it is
// plain, else in what it unpacks to, which the server keeps. They are copied where they are written. An archive whose
// frames have a table at the end (frames.h) must outlive the server too: what is in it is unpacked when it is read.
//
// Directories that the archive does not name are made (0755). A later entry of the same name replaces the earlier, as
// in Linux's initramfs; of a directory, it changes the attributes. Files of the same inode are one file with several
// names, and contents that only one of them brings are all of theirs.
//
// `unpacked_limit` is what the archive may unpack to at most, in bytes. Any bytes are safe. The reason names the entry,
// or the byte. EBADMSG: damaged, or no such archive; ENOTDIR, EEXIST: an entry in what is no directory, or where one
// is; ENAMETOOLONG; ENOSPC; ENOMEM.
load::Outcome<std::shared_ptr<ns::MemServer>> read_root_archive(std::span<const std::byte> archive,
                                                                ns::MemOptions options = {},
                                                                uint64_t unpacked_limit = UINT64_MAX);

}  // namespace osp::native
