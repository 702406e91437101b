// What System V's three kinds of object share (man 7 sysvipc): keys, ids, owners, permissions.
#pragma once

#include <map>

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

/// The objects of one kind, by id. An id is a slot and how often ids were given out.
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
  RefPtr<T> find_key(i32 key) const {
    if (key == abi::kIPC_PRIVATE) return nullptr;
    for (const auto& [slot, object] : objects_) {
      if (object->key == key) return object;
    }
    return nullptr;
  }
  /// The get calls: the object of `key`, checked by `check`, or a new one from `create`.
  template <typename Check, typename Create>
  Result<i32> get(Task& task, i32 key, u32 flags, Check check, Create create) {
    const abi::IpcFlags how(flags & ~kModeMask);
    if (RefPtr<T> found = find_key(key)) {
      if (how.has(abi::IpcFlag::kIPC_CREAT) && how.has(abi::IpcFlag::kIPC_EXCL)) {
        return Errno::kEEXIST;
      }
      TRY(check(*found));
      TRY(found->check_access(task, flags & kModeMask));
      return found->id;
    }
    if (key != abi::kIPC_PRIVATE && !how.has(abi::IpcFlag::kIPC_CREAT)) return Errno::kENOENT;
    if (objects_.size() >= limit_) return Errno::kENOSPC;
    RefPtr<T> made = TRY(create());
    i32 slot = 0;
    while (objects_.contains(slot)) ++slot;
    made->id = sequence_ * kSlots + slot;
    sequence_ = (sequence_ + 1) % kSlots;
    objects_[slot] = made;
    return made->id;
  }
  void remove(T& object) {
    object.removed = true;
    objects_.erase(object.id % kSlots);
  }
  usize size() const { return objects_.size(); }
  /// The highest slot in use; 0 if none is.
  i32 highest() const { return objects_.empty() ? 0 : objects_.rbegin()->first; }
  const std::map<i32, RefPtr<T>>& all() const { return objects_; }

 private:
  std::map<i32, RefPtr<T>> objects_;  ///< by slot
  usize limit_;
  i32 sequence_ = 0;
};

}  // namespace lxss::ipc
