// The launcher's standard descriptors that are not its terminal: pipes, sockets, files and
// devices of the host, as open file descriptions of the guest.
#pragma once

#include "host/fd.h"
#include "lxcore/vfs/file.h"

namespace lxss::tty {

/// What it is, stat tells as the host does, but it belongs to `owner`. It can be opened again by
/// its link in /proc/PID/fd. A file's position is the
/// host's, so that the launcher's shell and its other programs share it, as they expect for
/// `lxss cmd >> log`. Called by the monitor. `flags` give the access mode that
/// fcntl shows; what the host's descriptor cannot do fails with its EBADF.
Result<RefPtr<File>> make_host_stream(host::UniqueFd fd, const Credentials& owner,
                                      abi::OpenFlags flags = abi::OpenFlag::kO_RDWR);

}  // namespace lxss::tty
