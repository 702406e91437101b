// Rewritten text: copies of files' code in which system calls enter lxcore without a trap.
//
// A file whose code traps often gets one, made once per instance; mappings of that code for
// execution take their pages from the copy, from then on, and when one of them traps. The copy is
// right as long as nobody writes the file, so only file systems that lxcore alone changes have
// them, and who opens a file for writing ends its copy. Who writes to text in memory or moves it
// gets the file's own bytes back first.
#pragma once

#include "host/fd.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class Task;

/// Unlike a File it may lose its last reference without the kernel lock.
class Text final : public RefCounted {
 public:
  static constexpr u64 kMaxSize = u64{16} << 20;

  /// A copy of the file's bytes from `begin`, a page's, on.
  static Result<RefPtr<Text>> create(File& file, u64 begin, u64 size);

  u32 number() const { return number_; }
  host::Fd object() const { return object_.get(); }
  /// Where the byte of the file at `offset` lies in the object.
  u64 place_of(u64 offset) const { return offset - begin_; }
  bool contains(u64 offset, u64 size) const {
    return offset >= begin_ && offset - begin_ <= size_ && size <= size_ - (offset - begin_);
  }

 private:
  Text(u32 number, u64 begin, u64 size, host::UniqueFd object)
      : number_(number), begin_(begin), size_(size), object_(std::move(object)) {}
  ~Text() override;

  const u32 number_;  ///< in the backend's tables
  const u64 begin_, size_;
  const host::UniqueFd object_;
};

namespace texts {

/// The copy that has this part of the file, or null. Without the kernel lock.
RefPtr<Text> find(File& file, u64 offset, u64 size);
/// The task has trapped by the system call that ends at `behind`. Makes a copy if that file's code
/// traps often, and maps it for the task. Without the kernel lock.
void note_trap(Task& task, u64 behind);
/// The file will be written.
void file_changes(Inode& inode);

}  // namespace texts
}  // namespace lxss
