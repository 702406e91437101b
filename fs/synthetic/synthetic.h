// Generated files and directories: what procfs and sysfs are made of.
//
// A tree of this kind is written down as constant tables of Entry. An entry says how its file's
// text is generated from a Subject (a process, the machine, a CPU), what a write does, where a
// link leads, or which table a directory shows. Inodes are made when a name is looked up and hold
// nothing but their subject and their entry.
//
// A text file has the content that its generator gave when the open file description was last
// read at offset 0; later reads continue in that snapshot. Inode numbers are a function of the
// path. All of it is called without a lock. A Subject's Guard is held while the functions of its
// tables run, which give the lock up for host calls and guest copies.
#pragma once

#include "base/text.h"
#include "lxcore/vfs/file.h"

namespace lxss::synthetic {

/// The number of the inode called `name` in the directory with number `parent`.
u64 inode_number(u64 parent, std::string_view name);

inline constexpr u64 kRootNumber = 1;
/// Positions 0 and 1 of a listing are "." and "..".
inline constexpr u64 kFirstOffset = 2;
/// The longest text that a write may bring.
inline constexpr usize kMaxWrite = 4096;

struct Owner {
  u32 uid = 0, gid = 0;
};

/// Base of all nodes: attributes that nobody can change.
class Node : public Inode {
 public:
  Node(FileSystem& filesystem, u64 number, u32 mode, Owner owner);
  Result<Attributes> attributes() override;
  /// Truncation is accepted and does nothing (open with O_TRUNC); the rest is EPERM.
  Result<> set_attributes(const AttributeChange& change) override;

 protected:
  /// Takes over whose it is now.
  void show_owner(Owner owner) {
    if (owner.uid != uid() || owner.gid != gid()) set_owner(owner.uid, owner.gid);
  }
  virtual u64 size() { return 0; }
  virtual u32 links() { return is_directory() ? 2 : 1; }

 private:
  abi::Timespec made_;
};

class Directory : public Node {
 public:
  using Node::Node;
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;
  // Linux: a name that procfs does not have cannot be made there; that is not EPERM.
  Result<RefPtr<Inode>> create(std::string_view, const NewInode&) override {
    return Errno::kENOENT;
  }
  /// The entries from position `offset` (kFirstOffset at the start).
  virtual Result<> list(u64 offset, DirectorySink& sink) = 0;
  /// Asked when the directory is opened or searched.
  virtual Result<> check_access(Task&) { return {}; }
};

class TextFile : public Node {
 public:
  using Node::Node;
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;
  virtual Result<> check_open(Task&, abi::OpenFlags) { return {}; }
  virtual Result<> generate(TextBuilder& out) = 0;
  /// All of `text` is taken, or an error.
  virtual Result<> write(std::string_view text) = 0;
};

class Link : public Node {
 public:
  using Node::Node;
};

/// A row of a table. Which members are set depends on the type in `mode`.
template <typename Subject>
struct Entry {
  const char* name;
  u32 mode;  ///< type and permissions
  /// Text of a file, or the target of a link.
  Result<> (*generate)(Subject& subject, TextBuilder& out) = nullptr;
  /// Without it a write fails: EIO.
  Result<> (*write)(Subject& subject, std::string_view text) = nullptr;
  /// A magic link's target.
  Result<Path> (*follow)(Subject& subject) = nullptr;
  /// What of the tables does not describe the inode is made by this.
  Result<RefPtr<Inode>> (*make)(Directory& parent, Subject& subject, u64 number) = nullptr;
  /// A directory's table.
  const Entry* children = nullptr;
  usize child_count = 0;
  /// Asked before a file is opened or a link read or followed.
  Result<> (*check)(Subject& subject, abi::OpenFlags flags) = nullptr;
};

/// Abbreviations for tables.
template <typename Subject, usize N>
constexpr Entry<Subject> directory_entry(const char* name, u32 permissions,
                                         const Entry<Subject> (&children)[N]) {
  return {
      .name = name, .mode = abi::kS_IFDIR | permissions, .children = children, .child_count = N};
}
template <typename Subject>
constexpr Entry<Subject> empty_directory_entry(const char* name, u32 permissions) {
  return {.name = name, .mode = abi::kS_IFDIR | permissions};
}

/// The Guard of subjects whose functions need no lock.
struct Unguarded {};

/// A Subject is copyable and says:
///   Guard                                an object that is held while a table's functions run
///   bool alive() const;                  false when its files are to be forgotten: open ones
///                                        answer ESRCH
///   Owner owner(u32 mode) const;         who owns a file of this mode
template <typename Subject>
class SubjectFile final : public TextFile {
 public:
  SubjectFile(FileSystem& filesystem, u64 number, const Entry<Subject>& entry, Subject subject)
      : TextFile(filesystem, number, entry.mode, subject.owner(entry.mode)),
        entry_(&entry),
        subject_(std::move(subject)) {}

  Result<> check_open(Task&, abi::OpenFlags flags) override {
    [[maybe_unused]] typename Subject::Guard guard;
    return entry_->check ? entry_->check(subject_, flags) : Result<>();
  }
  Result<> generate(TextBuilder& out) override {
    [[maybe_unused]] typename Subject::Guard guard;
    if (!subject_.alive()) return Errno::kESRCH;
    return entry_->generate ? entry_->generate(subject_, out) : Errno::kEINVAL;
  }
  Result<> write(std::string_view text) override {
    [[maybe_unused]] typename Subject::Guard guard;
    if (!subject_.alive()) return Errno::kESRCH;
    return entry_->write ? entry_->write(subject_, text) : Errno::kEIO;
  }
  bool still_valid() override {
    [[maybe_unused]] typename Subject::Guard guard;
    show_owner(subject_.owner(mode()));
    return subject_.alive();
  }

 private:
  const Entry<Subject>* entry_;
  Subject subject_;
};

template <typename Subject>
class SubjectLink final : public Link {
 public:
  SubjectLink(FileSystem& filesystem, u64 number, const Entry<Subject>& entry, Subject subject)
      : Link(filesystem, number, entry.mode, subject.owner(entry.mode)),
        entry_(&entry),
        subject_(std::move(subject)) {}

  Result<std::string> read_link() override {
    [[maybe_unused]] typename Subject::Guard guard;
    if (entry_->check) TRY(entry_->check(subject_, {}));
    TextBuilder target;
    TRY(entry_->generate(subject_, target));
    return target.take();
  }
  Result<bool> follow(Task&, Path& target) override {
    if (!entry_->follow) return false;
    [[maybe_unused]] typename Subject::Guard guard;
    if (entry_->check) TRY(entry_->check(subject_, {}));
    target = TRY(entry_->follow(subject_));
    return true;
  }
  bool still_valid() override {
    [[maybe_unused]] typename Subject::Guard guard;
    show_owner(subject_.owner(mode()));
    return subject_.alive();
  }

 private:
  const Entry<Subject>* entry_;
  Subject subject_;
};

/// A directory that shows a table. Derive to add names that no table can hold.
template <typename Subject>
class TableDirectory : public Directory {
 public:
  TableDirectory(FileSystem& filesystem, u64 number, u32 mode,
                 std::span<const Entry<Subject>> table, Subject subject)
      : Directory(filesystem, number, mode, subject.owner(mode)),
        table_(table),
        subject_(std::move(subject)) {}

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    if (!subject_.alive()) return Errno::kESRCH;
    for (const Entry<Subject>& entry : table_) {
      if (name == entry.name) return make(entry);
    }
    return Errno::kENOENT;
  }
  Result<> list(u64 offset, DirectorySink& sink) override {
    if (!subject_.alive()) return Errno::kENOENT;
    list_table(offset, sink);
    return {};
  }
  bool still_valid() override {
    [[maybe_unused]] typename Subject::Guard guard;
    show_owner(subject_.owner(mode()));
    return subject_.alive();
  }

 protected:
  Subject& subject() { return subject_; }
  u64 table_end() const { return kFirstOffset + table_.size(); }
  /// False when the sink took no more.
  bool list_table(u64 offset, DirectorySink& sink) {
    for (; offset < table_end(); ++offset) {
      const Entry<Subject>& entry = table_[offset - kFirstOffset];
      u8 type = static_cast<u8>((entry.mode & abi::kS_IFMT) >> 12);
      if (!sink.add(entry.name, inode_number(number(), entry.name), type, offset + 1)) return false;
    }
    return true;
  }
  u32 links() override {
    u32 count = 2;
    for (const Entry<Subject>& entry : table_) count += abi::is_directory(entry.mode);
    return count;
  }

 private:
  Result<RefPtr<Inode>> make(const Entry<Subject>& entry) {
    u64 child = inode_number(number(), entry.name);
    if (entry.make) return entry.make(*this, subject_, child);
    switch (entry.mode & abi::kS_IFMT) {
      case abi::kS_IFDIR:
        return RefPtr<Inode>(make_ref<TableDirectory>(
            filesystem(), child, entry.mode,
            std::span<const Entry<Subject>>(entry.children, entry.child_count), subject_));
      case abi::kS_IFLNK:
        return RefPtr<Inode>(make_ref<SubjectLink<Subject>>(filesystem(), child, entry, subject_));
      default:
        return RefPtr<Inode>(make_ref<SubjectFile<Subject>>(filesystem(), child, entry, subject_));
    }
  }

  std::span<const Entry<Subject>> table_;
  Subject subject_;
};

}  // namespace lxss::synthetic
