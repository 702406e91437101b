// Open files and directories of drives. Each open file description has a host descriptor of
// its own, opened for what the guest asked: the host's permissions decide.
#pragma once

#include "fs/drivefs/drive.h"

namespace lxss::drivefs {

class DriveFile final : public HostFile, public ListNode<DriveFile> {
 public:
  DriveFile(RefPtr<DriveInode> inode, host::UniqueFd descriptor);

  host::Fd host_descriptor() const { return descriptor_.get(); }

 private:
  host::Fd fd() const override { return descriptor_.get(); }

  RefPtr<DriveInode> inode_;
  host::UniqueFd descriptor_;
};

class DriveDirectory final : public HostDirectoryFile {
 public:
  explicit DriveDirectory(HostHandle handle)
      : HostDirectoryFile(Locking::kKernel), handle_(std::move(handle)) {}
  Result<> sync(bool data_only) override;

 private:
  Result<host::UniqueFd> open_listing() override;
  void prepare(host::Fd listing, std::span<std::byte> records) override;
  std::string_view shown_name(std::string_view host_name, std::string& storage) override;

  HostHandle handle_;
};

}  // namespace lxss::drivefs
