// What System V's three kinds of object share (man 7 sysvipc): keys, ids, owners, permissions.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "abi/linux/ipc.h"
#include "lxcore/kernel.h"

namespace lxss::ipc {

/// The bits of a get call's flags and of a mode that are permissions.
inline constexpr u32 kModeMask = 0777;
inline constexpr u32 kMayRead = 0444, kMayWrite = 0222;

/// Seconds of the real-time clock.
i64 now_seconds();

/// Base of segments, sets and queues. Guarded by the kernel lock.
class SysvObject : public RefCounted {
 public:
  SysvObject(const Task& creator, i32 key, u32 mode);

  /// EACCES unless the task has all the permissions in `wanted` (as of a mode).
  Result<> check_access(const Task& task, u32 wanted) const;
  /// EPERM unless the task may change or remove it.
  Result<> check_owner(const Task& task) const;
  abi::IpcPerm permissions() const;
  /// IPC_SET: owner, group and mode of `from`.
  Result<> set_permissions(const abi::IpcPerm& from);

  i32 id = -1;
  i32 key;
  u32 uid, gid, creator_uid, creator_gid;
  u32 mode;
  i64 changed;  ///< ctime, seconds
  bool removed = false;
};

/// The objects of one kind, by id. An id is a slot and how often ids were given out. Guarded by the
/// kernel lock, which get() takes itself; nothing takes longer for what else there is.
template <typename T>
class SysvTable {
 public:
  static constexpr i32 kSlots = 32768;

  explicit SysvTable(usize limit) : limit_(limit) {}

  /// EINVAL if there is none.
  Result<RefPtr<T>> find(i32 id) const {
    auto found = id < 0 ? objects_.end() : objects_.find(id % kSlots);
    if (found == objects_.end() || found->second->id != id) return Errno::kEINVAL;
    return found->second;
  }
  /// The object in a slot (the STAT commands).
  Result<RefPtr<T>> at(i32 slot) const {
    auto found = objects_.find(slot);
    if (found == objects_.end()) return Errno::kEINVAL;
    return found->second;
  }
  /// The get calls: the object of `key`, checked by `check`, or a new one from `create`, which is
  /// called without the lock.
  template <typename Check, typename Create>
  Result<i32> get(Task& task, i32 key, u32 flags, Check check, Create create) {
    {
      KernelLock::Held held;
      if (auto found = TRY(find_for(task, key, flags, check))) return *found;
    }
    RefPtr<T> made = TRY(create());
    KernelLock::Held held;
    // Another may have made one meanwhile.
    if (auto found = TRY(find_for(task, key, flags, check))) return *found;
    return insert(std::move(made));
  }
  /// Nobody finds it by its key any more.
  void forget_key(T& object) {
    if (object.key != abi::kIPC_PRIVATE) slots_by_key_.erase(object.key);
    object.key = abi::kIPC_PRIVATE;
  }
  void remove(T& object) {
    const i32 slot = object.id % kSlots;
    if (object.key != abi::kIPC_PRIVATE) slots_by_key_.erase(object.key);
    object.removed = true;
    free_slots_.insert(slot);
    objects_.erase(slot);
  }
  usize size() const { return objects_.size(); }
  /// The highest slot in use; 0 if none is.
  i32 highest() const { return objects_.empty() ? 0 : objects_.rbegin()->first; }
  const std::map<i32, RefPtr<T>>& all() const { return objects_; }

 private:
  /// An id, or nothing if an object is to be made.
  template <typename Check>
  Result<std::optional<i32>> find_for(Task& task, i32 key, u32 flags, Check& check) {
    const abi::IpcFlags how(flags & ~kModeMask);
    auto found = key == abi::kIPC_PRIVATE ? slots_by_key_.end() : slots_by_key_.find(key);
    if (found != slots_by_key_.end()) {
      T& object = *objects_.find(found->second)->second;
      if (how.has(abi::IpcFlag::kIPC_CREAT) && how.has(abi::IpcFlag::kIPC_EXCL)) {
        return Errno::kEEXIST;
      }
      TRY(check(object));
      TRY(object.check_access(task, flags & kModeMask));
      return std::optional(object.id);
    }
    if (key != abi::kIPC_PRIVATE && !how.has(abi::IpcFlag::kIPC_CREAT)) return Errno::kENOENT;
    if (objects_.size() >= limit_) return Errno::kENOSPC;
    return std::optional<i32>();
  }

  i32 insert(RefPtr<T> object) {
    // The lowest free one; behind the highest none was ever used.
    i32 slot = unused_from_;
    if (free_slots_.empty()) {
      ++unused_from_;
    } else {
      slot = *free_slots_.begin();
      free_slots_.erase(free_slots_.begin());
    }
    object->id = sequence_ * kSlots + slot;
    sequence_ = (sequence_ + 1) % kSlots;
    if (object->key != abi::kIPC_PRIVATE) slots_by_key_[object->key] = slot;
    const i32 id = object->id;
    objects_[slot] = std::move(object);
    return id;
  }

  std::map<i32, RefPtr<T>> objects_;  ///< by slot
  std::map<i32, i32> slots_by_key_;   ///< without those of IPC_PRIVATE
  std::set<i32> free_slots_;          ///< below unused_from_
  i32 unused_from_ = 0;
  usize limit_;
  i32 sequence_ = 0;
};

}  // namespace lxss::ipc
