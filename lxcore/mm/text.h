// Rewritten text: copies of files' code in which system calls enter lxcore without a trap.
//
// A file whose code traps often gets one, made once per instance; mappings of that code for
// execution take their pages from the copy, from then on, and when one of them traps. The copy is
// right as long as nobody writes the file, so only file systems that lxcore alone changes have
// them, and who opens a file for writing ends its copy. Who writes to text in memory or moves it
// gets the file's own bytes back first.
//
// Copies are charged to the file's owner: nobody has more of them, or of their bytes, than half of
// what the others leave. Who wants one more loses the oldest of his that nobody has mapped, or one
// of somebody's who has more.
#pragma once

#include <optional>

#include "base/list.h"
#include "host/fd.h"
#include "lxcore/mm/inode_text.h"
#include "lxcore/mm/text_share.h"
#include "lxcore/sync/kernel_lock.h"
#include "lxcore/vfs/file.h"
#include "pico/pico.h"

namespace lxss {

class Task;

/// Unlike a File it may lose its last reference without the kernel lock, but not with Texts' mutex.
class Text final : public RefCounted, public ListNode<Text> {
 public:
  static constexpr u64 kMaxSize = u64{16} << 20;

  /// A copy of the file's bytes from `begin`, a page's, on. Files without system calls have none:
  /// ENOENT. ENOSPC: the owner has too many.
  static Result<RefPtr<Text>> create(File& file, u64 begin, u64 size);

  u32 number() const { return number_; }
  u32 owner() const { return owner_; }
  u64 size() const { return size_; }
  host::Fd object() const { return object_.get(); }
  /// Where the byte of the file at `offset` lies in the object.
  u64 place_of(u64 offset) const { return offset - begin_; }
  /// The space has the byte at `offset` at `address`, or will have.
  void place(pico::Space& space, u64 address, u64 offset) const {
    pico::place_text(space, number_, address - place_of(offset));
  }
  bool contains(u64 offset, u64 size) const {
    return offset >= begin_ && offset - begin_ <= size_ && size <= size_ - (offset - begin_);
  }

 private:
  friend class Texts;
  Text(u32 owner, u32 number, u64 begin, u64 size, host::UniqueFd object)
      : owner_(owner), number_(number), begin_(begin), size_(size), object_(std::move(object)) {}
  ~Text() override;

  const u32 owner_;
  const u32 number_;  ///< in the backend's tables
  const u64 begin_, size_;
  const host::UniqueFd object_;
  InodeText* holder_ = nullptr;  ///< whose copy it is; guarded by Texts' mutex
};

/// All copies of the instance.
class Texts {
 public:
  std::atomic<bool> enabled{true};

  /// Becomes the file's copy, unless the file has changed since.
  void publish(Text& text, InodeText& holder, u32 version);
  /// The file has no copy from now on; who has it mapped keeps it.
  void withdraw(InodeText& holder);
  /// The file's copy, or null.
  RefPtr<Text> copy_of(InodeText& holder);
  u64 count();

 private:
  friend class Text;

  /// Makes room in the owner's share for one more of that size; ENOSPC.
  Result<> admit(u32 owner, u64 size);
  void add(Text& text);
  void remove(Text& text);

  // Under the mutex.
  RefPtr<Text> take_from(InodeText& holder);
  /// Of one owner, or of all.
  TextShare::Usage usage_of(std::optional<u32> owner);
  /// The text to give up for one more of the owner's, or null.
  Text* find_victim(u32 for_owner);

  // Held for memory accesses only; no other lock is taken with it.
  Mutex mutex_;
  List<Text> all_;  ///< the oldest first; guarded by mutex_
};

namespace texts {

/// The copy that has this part of the file, or null. With no lock or the kernel lock.
RefPtr<Text> find(File& file, u64 offset, u64 size);
/// The task has trapped by the system call that ends at `behind`. Makes a copy if that file's code
/// traps often, and maps it for the task. Without the kernel lock.
void note_trap(Task& task, u64 behind);
/// The file will be written. With or without the kernel lock.
void file_changes(Inode& inode);

}  // namespace texts
}  // namespace lxss
