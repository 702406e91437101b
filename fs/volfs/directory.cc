// Names in VolFs: lookup, creation, links, removal, renaming.
//
// Creation is atomic: the host file comes first, its record last, and without a record it does
// not exist. What is left of a creation that did not finish is removed by whoever wants its
// name or its directory gone.
#include "base/scope.h"
#include "fs/volfs/volume.h"

namespace lxss::volfs {

namespace {

Result<> write_all(host::Fd file, std::string_view text) {
  for (u64 offset = 0; offset < text.size();) {
    host::Buffer piece{reinterpret_cast<u64>(text.data()) + offset, text.size() - offset};
    offset += TRY(host::write_at(file, {&piece, 1}, offset));
  }
  return {};
}

InodeRecord record_of(const NewInode& what) {
  return {what.mode, what.uid, what.gid, abi::dev_major(what.rdev), abi::dev_minor(what.rdev)};
}

}  // namespace

Result<RefPtr<Inode>> VolInode::lookup(std::string_view name) {
  if (!is_directory()) return Errno::kENOTDIR;
  HostHandle directory = TRY(hold());
  return RefPtr<Inode>(TRY(volume().find_entry(*this, directory.fd(), name)));
}

/// Gives what was just made its content and its record, and makes its inode. `name` is empty
/// for a file without one.
Result<RefPtr<Inode>> VolInode::finish_creation(host::UniqueFd made, const NewInode& what,
                                                std::string_view name) {
  if (abi::is_symlink(what.mode)) TRY(write_all(made.get(), what.symlink_target));
  const InodeRecord record = record_of(what);
  TRY(host::set_attribute(made.get(), kInodeAttribute, encode(record), 0));
  abi::Stat status = TRY(host::status(made.get()));
  auto inode = make_ref<VolInode>(volume(), record, status);
  {
    Lock::Held held(inode->lock_);
    inode->target_ = what.symlink_target;
    inode->no_xattrs_.store(true, std::memory_order_relaxed);
  }
  volume().enter_new(*inode);
  if (!name.empty()) {
    inode->set_unsynced();
    inode->add_name(*this, name);
    touch();
  }
  // Nobody reads or writes a symbolic link or a device.
  const bool has_data = abi::is_regular(what.mode) || abi::is_directory(what.mode);
  if (has_data) inode->adopt(std::move(made));
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<Inode>> VolInode::create(std::string_view name, const NewInode& what) {
  HostHandle directory = TRY(hold());
  const bool makes_directory = abi::is_directory(what.mode);
  host::UniqueFd made;
  if (makes_directory) {
    TRY(volume().create_over_leftover(directory.fd(), name, [&] {
      return host::make_directory(directory.fd(), name, kHostDirectoryMode);
    }));
  } else {
    made = TRY(volume().create_over_leftover(directory.fd(), name, [&] {
      return volume().with_room(
          [&] { return host::create_at(directory.fd(), name, kHostFileMode); });
    }));
  }
  ScopeExit undo([&] {
    (void)(makes_directory ? host::remove_directory(directory.fd(), name)
                           : host::remove_file(directory.fd(), name));
  });
  if (makes_directory) {
    made = TRY(volume().with_room(
        [&] { return host::open_at(directory.fd(), name, host::OpenMode::kDirectory); }));
  }
  auto inode = TRY(finish_creation(std::move(made), what, name));
  undo.dismiss();
  return inode;
}

Result<RefPtr<Inode>> VolInode::create_unnamed(const NewInode& what) {
  HostHandle directory = TRY(hold());
  host::UniqueFd made =
      TRY(volume().with_room([&] { return host::create_unnamed(directory.fd(), kHostFileMode); }));
  return finish_creation(std::move(made), what, {});
}

/// Gives the file another name in the host, by one that it has or by its descriptor.
Result<> VolInode::link_in_host(host::Fd directory, std::string_view name) {
  const u64 seen = tree().name_changes();
  if (auto known = any_name()) {
    HostHandle old_directory = TRY(known->directory->hold());
    auto linked = host::link(old_directory.fd(), known->name, directory, name);
    if (tree().names_unchanged_since(seen)) return linked;
    // The name may have been another file's by the time the host looked.
    if (linked.ok()) {
      if (id_of(TRY(host::status_at(directory, name))) == id()) return {};
      TRY(host::remove_file(directory, name));
    } else if (!linked.is(Errno::kENOENT)) {
      return linked;
    }
  }
  HostHandle file = TRY(hold());
  return host::link_open_file(file.fd(), directory, name);
}

Result<> VolInode::link(std::string_view name, Inode& target) {
  auto& inode = static_cast<VolInode&>(target);
  HostHandle directory = TRY(hold());
  TRY(volume().create_over_leftover(directory.fd(), name, [&]() -> Result<> {
    return inode.link_in_host(directory.fd(), name);
  }));
  if (!inode.has_name()) inode.set_unsynced();
  inode.add_name(*this, name);
  inode.change_links(1);
  touch();
  return {};
}

/// After the host has removed a name.
void VolInode::lose_name(VolInode& directory, std::string_view name) {
  remove_name(directory, name);
  change_links(-1);
  if (has_name()) return;
  set_synced();
  // A descriptor that is open stays so. Without one nobody has the data open, and the host may
  // give the identity to another file: what is known now is the last word.
  if (!hold_if_open() && known().links == 0) forget_identity();
}

Result<> VolInode::unlink(std::string_view name, Inode& victim) {
  HostHandle directory = TRY(hold());
  HostTree::NamesChange change(tree());
  TRY(host::remove_file(directory.fd(), name));
  static_cast<VolInode&>(victim).lose_name(*this, name);
  touch();
  return {};
}

Result<> VolInode::remove_directory(std::string_view name, Inode& victim) {
  auto& removed = static_cast<VolInode&>(victim);
  HostHandle directory = TRY(hold());
  HostTree::NamesChange change(tree());
  auto done = host::remove_directory(directory.fd(), name);
  if (done.is(Errno::kENOTEMPTY)) {
    TRY(volume().remove_leftovers(removed));
    done = host::remove_directory(directory.fd(), name);
  }
  TRY(std::move(done));
  removed.lose_name(*this, name);
  touch();
  return {};
}

Result<> VolInode::rename(std::string_view name, Inode& moved_inode, Inode& new_directory_inode,
                          std::string_view new_name, Inode* replaced_inode,
                          abi::RenameFlags flags) {
  auto& moved = static_cast<VolInode&>(moved_inode);
  auto& new_directory = static_cast<VolInode&>(new_directory_inode);
  auto* replaced = static_cast<VolInode*>(replaced_inode);
  if (!flags.within(abi::RenameFlag::kRENAME_NOREPLACE | abi::RenameFlag::kRENAME_EXCHANGE)) {
    return Errno::kEINVAL;
  }
  const bool exchange = flags.has(abi::RenameFlag::kRENAME_EXCHANGE);
  if (exchange && !replaced) return Errno::kENOENT;
  if (replaced && flags.has(abi::RenameFlag::kRENAME_NOREPLACE)) return Errno::kEEXIST;
  // Two names of one file: nothing happens (man 2 rename).
  if (&moved == replaced) return {};

  HostHandle from = TRY(hold());
  HostHandle to = TRY(new_directory.hold());
  HostTree::NamesChange change(tree());
  auto attempt = [&](host::RenameMode mode) {
    return host::rename(from.fd(), name, to.fd(), new_name, mode);
  };
  if (exchange) {
    TRY(attempt(host::RenameMode::kExchange));
  } else if (!replaced) {
    TRY(volume().create_over_leftover(to.fd(), new_name, [&] {
      auto done = attempt(host::RenameMode::kNoReplace);
      // Not every host file system can; nobody else is here to be faster.
      return done.is(Errno::kEINVAL) ? attempt(host::RenameMode::kReplace) : std::move(done);
    }));
  } else {
    auto done = attempt(host::RenameMode::kReplace);
    if (done.is(Errno::kENOTEMPTY) || (done.is(Errno::kEEXIST) && replaced->is_directory())) {
      TRY(volume().remove_leftovers(*replaced));
      done = attempt(host::RenameMode::kReplace);
    }
    TRY(std::move(done));
  }

  moved.remove_name(*this, name);
  if (exchange) {
    replaced->remove_name(new_directory, new_name);
    replaced->add_name(*this, name);
    replaced->touch();
  } else if (replaced) {
    replaced->lose_name(new_directory, new_name);
  }
  moved.add_name(new_directory, new_name);
  moved.touch();
  touch();
  new_directory.touch();
  return {};
}

}  // namespace lxss::volfs
