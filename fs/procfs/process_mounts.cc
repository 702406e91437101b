// mounts, mountinfo and mountstats of a process: what lies below its root.
#include "fs/procfs/process_facts.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::procfs {

namespace {

using abi::MountFlag;

constexpr std::string_view kSpecial = " \t\n\\";

struct Option {
  MountFlag flag;
  const char* text;
};
constexpr Option kFilesystemOptions[] = {{MountFlag::kMS_SYNCHRONOUS, ",sync"},
                                         {MountFlag::kMS_DIRSYNC, ",dirsync"},
                                         {MountFlag::kMS_MANDLOCK, ",mand"},
                                         {MountFlag::kMS_LAZYTIME, ",lazytime"}};
constexpr Option kMountOptions[] = {
    {MountFlag::kMS_NOSUID, ",nosuid"},          {MountFlag::kMS_NODEV, ",nodev"},
    {MountFlag::kMS_NOEXEC, ",noexec"},          {MountFlag::kMS_NOATIME, ",noatime"},
    {MountFlag::kMS_NODIRATIME, ",nodiratime"},  {MountFlag::kMS_RELATIME, ",relatime"},
    {MountFlag::kMS_NOSYMFOLLOW, ",nosymfollow"}};

void append_options(TextBuilder& out, const Mount& mount, std::span<const Option> options) {
  for (const Option& option : options) {
    if (mount.flags().has(option.flag)) out << option.text;
  }
}

/// Calls `line(mount, mountpoint)` for each mount that the subject's process can reach.
template <typename Line>
Result<> each_mount(const Subject& subject, Line line) {
  KernelLock::Held held;
  RefPtr<Task> thread = TRY(subject.live_thread());
  if (!thread->fs) return Errno::kESRCH;
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    std::string mountpoint = vfs::path_text(*thread, {mount, RefPtr<Dentry>(mount->root())});
    if (mountpoint.starts_with('/')) line(*mount, mountpoint);
  }
  return {};
}

void append_source(TextBuilder& out, const Mount& mount) {
  if (mount.source().empty()) {
    out << "none";
  } else {
    append_escaped(out, mount.source(), " \t\n\\#");
  }
}

/// The path of a mount's root within its file system.
std::string root_text(const Mount& mount) { return vfs::path_in_filesystem(mount.root()); }

}  // namespace

Result<> mounts(Subject& subject, TextBuilder& out) {
  return each_mount(subject, [&](Mount& mount, const std::string& mountpoint) {
    append_source(out, mount);
    out << ' ';
    append_escaped(out, mountpoint, kSpecial);
    out << ' ' << mount.filesystem().type() << (mount.read_only() ? " ro" : " rw");
    append_options(out, mount, kFilesystemOptions);
    append_options(out, mount, kMountOptions);
    out << mount.filesystem().options() << " 0 0\n";
  });
}

Result<> mountinfo(Subject& subject, TextBuilder& out) {
  return each_mount(subject, [&](Mount& mount, const std::string& mountpoint) {
    const Path at = mount.mountpoint();
    u32 parent = at ? at.mount->id() : mount.id();
    u64 device = mount.filesystem().device();
    out << mount.id() << ' ' << parent << ' ' << abi::dev_major(device) << ':'
        << abi::dev_minor(device) << ' ';
    append_escaped(out, root_text(mount), kSpecial);
    out << ' ';
    append_escaped(out, mountpoint, kSpecial);
    out << (mount.read_only() ? " ro" : " rw");
    append_options(out, mount, kMountOptions);
    out << " - " << mount.filesystem().type() << ' ';
    append_source(out, mount);
    out << (mount.read_only() ? " ro" : " rw");
    append_options(out, mount, kFilesystemOptions);
    out << mount.filesystem().options() << '\n';
  });
}

Result<> mountstats(Subject& subject, TextBuilder& out) {
  return each_mount(subject, [&](Mount& mount, const std::string& mountpoint) {
    out << "device ";
    append_source(out, mount);
    out << " mounted on ";
    append_escaped(out, mountpoint, kSpecial);
    out << " with fstype " << mount.filesystem().type() << '\n';
  });
}

}  // namespace lxss::procfs
