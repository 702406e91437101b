// Packs a VolFs tree that no instance is using into a tar archive.
#pragma once

#include <string>

#include "lxss/distro/importer.h"

namespace lxss::distro {

/// How the archive is compressed, by the names of `--format`.
enum class ArchiveFormat { kTar, kTarGz, kTarXz, kTarZst };
/// "tar", "tar.gz", "tar.xz" or "tar.zst"; throws Failure otherwise.
ArchiveFormat archive_format(const std::string& name);

/// Writes the tree in the host directory `root` with Linux's owners, modes,
/// devices, links and attributes to the descriptor `archive` (pax where ustar
/// does not suffice). Sockets are left out, as tar has none. Throws Failure.
void export_archive(const std::string& root, int archive, ArchiveFormat format,
                    const Progress& progress = {});

}  // namespace lxss::distro
