// A minimal distribution made of the host's own files, for when no mirror answers.
#pragma once

#include "lxss/common/files.h"

namespace lxss::distro {

/// A tar archive, positioned at its start, of a shell, the usual small programs
/// that the host has, the libraries they need, and the files in /etc that they
/// expect. It has no package manager. Throws Failure.
common::UniqueFd make_minimal_archive();

}  // namespace lxss::distro
