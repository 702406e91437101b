// exe, cwd, root, fd/, fdinfo/ and ns/ of a process.
#include "fs/procfs/process_facts.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::procfs {

namespace {

Result<> append_path(TextBuilder& out, const Path& path) {
  out << vfs::path_text(Task::current(), path);
  return {};
}

/// Who may list one's own descriptors: oneself, also when not dumpable.
Owner descriptors_owner(const Subject& subject, u32 mode) {
  const Task& reader = Task::current();
  if (reader.process == subject.process) {
    return {reader.credentials->fsuid, reader.credentials->fsgid};
  }
  return subject.owner(mode);
}

Result<RefPtr<File>> file_of(const Subject& subject, i32 number) {
  RefPtr<FdTable> files = TRY(subject.files());
  auto file = files->get(Fd{number});
  if (!file) return Errno::kENOENT;
  return file;
}

u32 link_mode(const File& file) {
  return abi::kS_IFLNK | (file.readable() ? 0500u : 0u) | (file.writable() ? 0300u : 0u);
}

class FdLink final : public synthetic::Link {
 public:
  FdLink(FileSystem& filesystem, u64 number, const File& file, Subject subject, i32 fd)
      : Link(filesystem, number, link_mode(file), subject.owner(link_mode(file))),
        subject_(std::move(subject)),
        fd_(fd) {}

  Result<std::string> read_link() override {
    TRY(check_inspect(subject_, {}));
    RefPtr<File> file = TRY(file_of(subject_, fd_));
    KernelLock::HeldFor guard(file->locking());
    std::string text = file->description();
    return text.empty() ? vfs::path_text(Task::current(), file->path()) : text;
  }
  Result<bool> follow(Task&, Path& target) override {
    TRY(check_inspect(subject_, {}));
    target = TRY(file_of(subject_, fd_))->path();
    return true;
  }
  bool still_valid() override {
    auto file = file_of(subject_, fd_);
    if (!file || link_mode(**file) != mode()) return false;
    show_owner(subject_.owner(mode()));
    return subject_.alive();
  }

 protected:
  u64 size() override { return 64; }

 private:
  Subject subject_;
  i32 fd_;
};

class FdInfoFile final : public synthetic::TextFile {
 public:
  FdInfoFile(FileSystem& filesystem, u64 number, Subject subject, i32 fd)
      : TextFile(filesystem, number, kMode, subject.owner(kMode)),
        subject_(std::move(subject)),
        fd_(fd) {}

  Result<> check_open(Task& task, abi::OpenFlags) override {
    return may_inspect(task, *subject_.process);
  }
  Result<> generate(TextBuilder& out) override {
    RefPtr<File> file = TRY(file_of(subject_, fd_));
    u32 flags = file->flags().raw();
    if (TRY(TRY(subject_.files())->close_on_exec(Fd{fd_}))) {
      flags |= static_cast<u32>(abi::OpenFlag::kO_CLOEXEC);
    }
    out << "pos:\t" << file->position << "\nflags:\t0";
    out.octal(flags) << "\nmnt_id:\t" << (file->path().mount ? file->path().mount->id() : 0);
    out << "\nino:\t" << (file->has_inode() ? file->inode().number() : 0) << '\n';
    KernelLock::HeldFor guard(file->locking());
    out << file->fdinfo();
    return {};
  }
  Result<> write(std::string_view) override { return Errno::kEIO; }
  bool still_valid() override { return subject_.alive() && file_of(subject_, fd_).ok(); }

 private:
  static constexpr u32 kMode = abi::kS_IFREG | 0444;
  Subject subject_;
  i32 fd_;
};

enum class FdView : u8 { kLinks, kInfo };

class FdDirectory final : public Directory {
 public:
  FdDirectory(FileSystem& filesystem, u64 number, Subject subject, FdView view)
      : Directory(filesystem, number, mode_of(view), descriptors_owner(subject, mode_of(view))),
        subject_(std::move(subject)),
        view_(view) {}

  Result<> check_access(Task& task) override { return may_inspect(task, *subject_.process); }

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    auto fd = parse_number<i32>(name);
    if (!fd || *fd < 0 || (name.size() > 1 && name[0] == '0')) return Errno::kENOENT;
    TRY(check_access(Task::current()));
    RefPtr<File> file = TRY(file_of(subject_, *fd));
    u64 child = synthetic::inode_number(number(), name);
    if (view_ == FdView::kInfo) {
      return RefPtr<Inode>(make_ref<FdInfoFile>(filesystem(), child, subject_, *fd));
    }
    return RefPtr<Inode>(make_ref<FdLink>(filesystem(), child, *file, subject_, *fd));
  }

  Result<> list(u64 offset, DirectorySink& sink) override {
    const RefPtr<FdTable> files = TRY(subject_.files());
    constexpr u64 kEnd = synthetic::kFirstOffset + FdTable::kMaxDescriptors;
    if (offset >= kEnd) return {};
    for (i32 fd = files->next_used(static_cast<i32>(offset - synthetic::kFirstOffset)); fd >= 0;
         fd = files->next_used(fd + 1)) {
      offset = synthetic::kFirstOffset + static_cast<u64>(fd);
      TextBuilder name;
      name << fd;
      u8 type = view_ == FdView::kLinks ? abi::kDT_LNK : abi::kDT_REG;
      u64 child = synthetic::inode_number(number(), name.view());
      if (!sink.add(name.view(), child, type, offset + 1)) return {};
    }
    return {};
  }

  bool still_valid() override {
    show_owner(descriptors_owner(subject_, mode()));
    return subject_.alive();
  }

 protected:
  // Linux: the number of open descriptors.
  u64 size() override {
    auto files = subject_.files();
    if (view_ == FdView::kInfo || !files.ok()) return 0;
    u64 count = 0;
    for (i32 fd = (*files)->next_used(0); fd >= 0; fd = (*files)->next_used(fd + 1)) ++count;
    return count;
  }

 private:
  static constexpr u32 mode_of(FdView view) {
    return abi::kS_IFDIR | (view == FdView::kLinks ? 0500 : 0555);
  }
  Subject subject_;
  FdView view_;
};

// All processes of an instance are in the same namespaces, which are not to be entered: the
// links tell that, and lead nowhere.
constexpr u64 kFirstNamespace = 0xf0000000;
enum Namespace : u32 { kCgroup, kIpc, kMnt, kNet, kPid, kTime, kUser, kUts };
constexpr const char* kNamespaceTypes[] = {"cgroup", "ipc",  "mnt",  "net",
                                           "pid",    "time", "user", "uts"};

template <Namespace kWhich>
Result<> namespace_text(Subject&, TextBuilder& out) {
  out << kNamespaceTypes[kWhich] << ":[" << kFirstNamespace + kWhich << ']';
  return {};
}

template <Namespace kWhich>
constexpr SubjectEntry namespace_entry(const char* name) {
  return {.name = name,
          .mode = abi::kS_IFLNK | 0777,
          .generate = namespace_text<kWhich>,
          .check = check_inspect};
}

constexpr SubjectEntry kNamespaces[] = {
    namespace_entry<kCgroup>("cgroup"), namespace_entry<kIpc>("ipc"),
    namespace_entry<kMnt>("mnt"),       namespace_entry<kNet>("net"),
    namespace_entry<kPid>("pid"),       namespace_entry<kPid>("pid_for_children"),
    namespace_entry<kTime>("time"),     namespace_entry<kTime>("time_for_children"),
    namespace_entry<kUser>("user"),     namespace_entry<kUts>("uts"),
};

}  // namespace

Result<Path> exe_path(Subject& subject) {
  RefPtr<Task> thread = TRY(subject.live_thread());
  if (!thread->memory || !thread->memory->executable) return Errno::kENOENT;
  return Path(thread->memory->executable);
}

Result<Path> cwd_path(Subject& subject) {
  RefPtr<Task> thread = TRY(subject.live_thread());
  if (!thread->fs) return Errno::kENOENT;
  return thread->fs->working_directory.get();
}

Result<Path> root_path(Subject& subject) {
  RefPtr<Task> thread = TRY(subject.live_thread());
  if (!thread->fs) return Errno::kENOENT;
  return thread->fs->root.get();
}

Result<> exe_text(Subject& subject, TextBuilder& out) {
  return append_path(out, TRY(exe_path(subject)));
}
Result<> cwd_text(Subject& subject, TextBuilder& out) {
  return append_path(out, TRY(cwd_path(subject)));
}
Result<> root_text(Subject& subject, TextBuilder& out) {
  return append_path(out, TRY(root_path(subject)));
}

Result<RefPtr<Inode>> make_fd(Directory& parent, Subject& subject, u64 number) {
  return RefPtr<Inode>(make_ref<FdDirectory>(parent.filesystem(), number, subject, FdView::kLinks));
}

Result<RefPtr<Inode>> make_fdinfo(Directory& parent, Subject& subject, u64 number) {
  return RefPtr<Inode>(make_ref<FdDirectory>(parent.filesystem(), number, subject, FdView::kInfo));
}

Result<RefPtr<Inode>> make_ns(Directory& parent, Subject& subject, u64 number) {
  return RefPtr<Inode>(make_ref<synthetic::TableDirectory<Subject>>(
      parent.filesystem(), number, abi::kS_IFDIR | 0511, kNamespaces, subject));
}

}  // namespace lxss::procfs
