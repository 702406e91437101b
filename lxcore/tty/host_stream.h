// The launcher's standard descriptors that are not its terminal: pipes, sockets, files and
// devices of the host, as open file descriptions of the guest.
#pragma once

#include "host/fd.h"
#include "lxcore/vfs/file.h"

namespace lxss::tty {

/// What it is, stat tells as the host does (owned by the guest's root). A file's position is the
/// host's, so that the launcher's shell and its other programs share it, as they expect for
/// `lxss cmd >> log`. Called by the monitor. `flags` give the access mode that
/// fcntl shows; what the host's descriptor cannot do fails with its EBADF.
Result<RefPtr<File>> make_host_stream(host::UniqueFd fd,
                                      abi::OpenFlags flags = abi::OpenFlag::kO_RDWR);

}  // namespace lxss::tty
