#include "fs/synthetic/synthetic.h"

#include "lxcore/kernel.h"

namespace lxss::synthetic {

namespace {

/// Text that readers share while its file may already have newer text.
struct Snapshot final : RefCounted {
  explicit Snapshot(std::string content) : text(std::move(content)) {}
  const std::string text;
};

class OpenText final : public File {
 public:
  OpenText() : File(Locking::kOwn) {}
  bool seekable() const override { return true; }

  Result<usize> read(Task&, IoBuffer& buffer, u64* offset) override {
    RefPtr<Snapshot> snapshot = *offset == 0 ? nullptr : this->snapshot();
    if (!snapshot) {
      TextBuilder out;
      TRY(node().generate(out));
      snapshot = make_ref<Snapshot>(out.take());
      RefPtr<Snapshot> old = snapshot;  // let go without the lock
      Lock::Held held(lock_);
      std::swap(snapshot_, old);
    }
    if (*offset >= snapshot->text.size()) return usize{0};
    std::string_view rest = std::string_view(snapshot->text).substr(*offset);
    rest = rest.substr(0, buffer.size());
    return buffer.put(rest);
  }

  Result<usize> write(Task&, IoBuffer& buffer, u64*) override {
    usize size = buffer.size();
    if (size > kMaxWrite) return Errno::kEINVAL;
    std::string text(size, '\0');
    usize taken = TRY(buffer.take(text.data(), size));
    if (taken < size) return Errno::kEFAULT;
    TRY(node().write(text));
    return size;
  }

  Result<u64> seek(i64 offset, i32 whence) override {
    if (whence == abi::kSEEK_END) return Errno::kEINVAL;
    return File::seek(offset, whence);
  }

 private:
  TextFile& node() const { return static_cast<TextFile&>(inode()); }
  RefPtr<Snapshot> snapshot() {
    Lock::Held held(lock_);
    return snapshot_;
  }

  Lock lock_{LockRank::kObject};
  RefPtr<Snapshot> snapshot_ LXSS_GUARDED_BY(lock_);
};

class OpenDirectory final : public File {
 public:
  OpenDirectory() : File(Locking::kOwn) {}
  bool seekable() const override { return true; }

  Result<> read_directory(Task&, u64 offset, DirectorySink& sink) override {
    Directory& directory = static_cast<Directory&>(inode());
    if (offset == 0) {
      if (!sink.add(".", directory.number(), abi::kDT_DIR, 1)) return {};
      offset = 1;
    }
    if (offset == 1) {
      u64 number = directory.number();
      {
        Epoch::Reading reading;
        if (Dentry* parent = path().dentry->parent()) number = parent->inode()->number();
      }
      if (!sink.add("..", number, abi::kDT_DIR, kFirstOffset)) return {};
      offset = kFirstOffset;
    }
    return directory.list(offset, sink);
  }
};

}  // namespace

u64 inode_number(u64 parent, std::string_view name) {
  // FNV-1a, cut to what a double holds exactly (JavaScript programs read inode numbers so).
  u64 hash = 0xcbf29ce484222325 ^ parent * 0x9e3779b97f4a7c15;
  for (char character : name) hash = (hash ^ static_cast<u8>(character)) * 0x100000001b3;
  return (hash ^ hash >> 52) & ((u64{1} << 52) - 1);
}

Node::Node(FileSystem& filesystem, u64 number, u32 mode, Owner owner)
    : Inode(filesystem, number, mode, owner.uid, owner.gid),
      made_(MUST(host::clock_time(abi::kCLOCK_REALTIME))) {}

Result<Attributes> Node::attributes() {
  still_valid();  // refreshes the owner
  Attributes attributes;
  attributes.number = number();
  attributes.mode = mode();
  attributes.links = links();
  attributes.uid = uid();
  attributes.gid = gid();
  attributes.size = size();
  attributes.block_size = 1024;
  attributes.accessed = attributes.modified = attributes.changed = made_;
  return attributes;
}

Result<> Node::set_attributes(const AttributeChange& change) {
  if (change.permissions || change.accessed || change.modified) return Errno::kEPERM;
  if (change.uid && *change.uid != uid()) return Errno::kEPERM;
  if (change.gid && *change.gid != gid()) return Errno::kEPERM;
  return {};
}

Result<RefPtr<File>> Directory::open(Task& task, abi::OpenFlags) {
  TRY(check_access(task));
  return RefPtr<File>(make_ref<OpenDirectory>());
}

Result<RefPtr<File>> TextFile::open(Task& task, abi::OpenFlags flags) {
  TRY(check_open(task, flags));
  return RefPtr<File>(make_ref<OpenText>());
}

}  // namespace lxss::synthetic
