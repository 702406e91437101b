// Names on drives: lookup, creation, removal, renaming, by the host's rules and Windows's.
#include <memory>

#include "fs/drivefs/drive.h"
#include "fs/drivefs/names.h"
#include "lxcore/task/process.h"

namespace lxss::drivefs {

Result<DriveInode::Entry> DriveInode::find_entry(host::Fd directory, std::string_view guest_name) {
  auto host_name = to_host(guest_name);
  if (!host_name) return Errno::kENOENT;
  auto status = host::status_at(directory, *host_name);
  if (status.is(Errno::kENOENT) && *host_name != guest_name) {
    // The host itself has a name with such a character of the private use area.
    host_name = std::string(guest_name);
    status = host::status_at(directory, *host_name);
  }
  return Entry{std::move(*host_name), TRY(std::move(status))};
}

Result<std::string> DriveInode::new_name(host::Fd directory, std::string_view guest_name,
                                         std::string_view except) {
  auto host_name = to_host(guest_name);
  if (!host_name || is_reserved(*host_name)) return Errno::kEINVAL;
  TRY(folded_.check(Task::current(), directory, *host_name, except));
  return std::move(*host_name);
}

Result<RefPtr<Inode>> DriveInode::lookup(std::string_view name) {
  if (!is_directory()) return Errno::kENOTDIR;
  HostHandle directory = TRY(hold());
  Entry entry = TRY(find_entry(directory.fd(), name));
  RefPtr<DriveInode> inode = drive().inode_of(entry.status);
  inode->note_name(*this, entry.name, entry.status.st_nlink);
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<Inode>> DriveInode::create(std::string_view name, const NewInode& what) {
  HostHandle directory = TRY(hold());
  const std::string host_name = TRY(new_name(directory.fd(), name));
  const bool makes_directory = abi::is_directory(what.mode);
  const u32 host_mode = what.mode & abi::kS_IRWXUGO & ~drive().hidden_permissions(makes_directory);
  host::UniqueFd made;
  FoldedNames::Change change(folded_, directory.fd());
  if (makes_directory) {
    TRY(host::make_directory(directory.fd(), host_name, host_mode));
  } else if (abi::is_regular(what.mode)) {
    made = TRY(
        tree().with_room([&] { return host::create_at(directory.fd(), host_name, host_mode); }));
  } else if (abi::is_symlink(what.mode)) {
    const std::string target = TRY(drive().host_target(what.symlink_target));
    TRY(host::make_symlink(target, directory.fd(), host_name));
  } else {
    return Errno::kEPERM;
  }
  change.added(host_name);
  abi::Stat status = TRY(host::status_at(directory.fd(), host_name));
  RefPtr<DriveInode> inode = drive().inode_of(status);
  inode->note_name(*this, host_name, status.st_nlink);
  // Linux: who creates a file may write to it, whatever its permissions are to be.
  if (made) inode->adopt(std::move(made));
  return RefPtr<Inode>(std::move(inode));
}

Result<> DriveInode::link(std::string_view name, Inode& target) {
  auto& inode = static_cast<DriveInode&>(target);
  HostHandle directory = TRY(hold());
  const std::string host_name = TRY(new_name(directory.fd(), name));
  Place old = TRY(inode.place());
  FoldedNames::Change change(folded_, directory.fd());
  TRY(host::link(old.directory.fd(), old.name, directory.fd(), host_name));
  change.added(host_name);
  inode.note_name(*this, host_name, old.status.st_nlink + 1);
  return {};
}

Result<> DriveInode::unlink(std::string_view name, Inode& victim) {
  HostHandle directory = TRY(hold());
  Entry entry = TRY(find_entry(directory.fd(), name));
  FoldedNames::Change change(folded_, directory.fd());
  TRY(host::remove_file(directory.fd(), entry.name));
  change.removed(entry.name);
  static_cast<DriveInode&>(victim).remove_name(*this, entry.name);
  return {};
}

Result<> DriveInode::remove_directory(std::string_view name, Inode& victim) {
  HostHandle directory = TRY(hold());
  Entry entry = TRY(find_entry(directory.fd(), name));
  FoldedNames::Change change(folded_, directory.fd());
  TRY(host::remove_directory(directory.fd(), entry.name));
  change.removed(entry.name);
  static_cast<DriveInode&>(victim).remove_name(*this, entry.name);
  return {};
}

Result<> DriveInode::rename(std::string_view name, Inode& moved_inode, Inode& new_directory_inode,
                            std::string_view new_guest_name, Inode* replaced_inode,
                            abi::RenameFlags flags) {
  using abi::RenameFlag;
  auto& moved = static_cast<DriveInode&>(moved_inode);
  auto& new_directory = static_cast<DriveInode&>(new_directory_inode);
  auto* replaced = static_cast<DriveInode*>(replaced_inode);
  if (!flags.within(RenameFlag::kRENAME_NOREPLACE | RenameFlag::kRENAME_EXCHANGE)) {
    return Errno::kEINVAL;
  }
  HostHandle from = TRY(hold());
  HostHandle to = TRY(new_directory.hold());
  const std::string old_name = TRY(find_entry(from.fd(), name)).name;
  std::string host_name;
  if (replaced) {
    host_name = TRY(find_entry(to.fd(), new_guest_name)).name;
  } else {
    // A file may change the case of its own name.
    host_name = TRY(new_directory.new_name(to.fd(), new_guest_name,
                                           this == &new_directory ? old_name : std::string_view{}));
  }
  const bool exchange = flags.has(RenameFlag::kRENAME_EXCHANGE);
  const auto mode = exchange                                   ? host::RenameMode::kExchange
                    : flags.has(RenameFlag::kRENAME_NOREPLACE) ? host::RenameMode::kNoReplace
                                                               : host::RenameMode::kReplace;
  if (this == &new_directory) {
    FoldedNames::Change change(folded_, from.fd());
    TRY(host::rename(from.fd(), old_name, to.fd(), host_name, mode));
    if (!exchange) change.removed(old_name);
    if (!replaced) change.added(host_name);
  } else {
    TRY(host::rename(from.fd(), old_name, to.fd(), host_name, mode));
    folded_.forget();
    new_directory.folded_.forget();
  }
  if (&moved == replaced) return {};
  moved.remove_name(*this, old_name);
  if (replaced) replaced->remove_name(new_directory, host_name);
  if (exchange) replaced->add_name(*this, old_name);
  moved.add_name(new_directory, host_name);
  return {};
}

}  // namespace lxss::drivefs
