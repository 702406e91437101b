// /dev: the device nodes that every Linux program may expect.
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss::devfs {

/// A tmpfs of type "devtmpfs" with the nodes, links and mount points of /dev in it. As on Linux
/// there is one: while it is mounted anywhere, it is that.
Result<RefPtr<FileSystem>> make();

}  // namespace lxss::devfs
