// devpts: the terminals by number, and ptmx. What it lists is tty/'s; see lxcore/tty/README.md.
#pragma once

#include <string_view>

#include "lxcore/vfs/filesystem_types.h"

namespace lxss::devpts {

/// Mount options: gid=, mode=, ptmxmode=, max=, newinstance. The first two hold for the nodes of
/// all mounts: there is one set of terminals. EINVAL for any other.
struct Options {
  u32 gid = 5;
  u32 mode = 0620;
  u32 ptmx_mode = 0666;
  static Result<Options> parse(std::string_view text);
};

RefPtr<FileSystem> make(const Options& options);

}  // namespace lxss::devpts
