#include "fs/drivefs/folded_names.h"

#include <algorithm>
#include <memory>

#include "fs/drivefs/names.h"
#include "fs/host_tree/host_file.h"
#include "host/clock.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::drivefs {

namespace {

bool same(const abi::Timespec& a, const abi::Timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Calls `each(name)` until it is false. Nothing for a directory that may be searched but not read.
template <typename Each>
Result<> for_each_name(host::Fd directory, Each each) {
  constexpr usize kBufferSize = 32768;
  auto buffer = std::make_unique_for_overwrite<std::byte[]>(kBufferSize);
  KernelLock::Released released;
  if (!host::seek_directory(directory, 0).ok()) return {};
  for (;;) {
    auto size = host::read_directory(directory, {buffer.get(), kBufferSize});
    if (size.is(Errno::kEACCES)) return {};
    if (TRY(std::move(size)) == 0) return {};
    for (HostRecords at({buffer.get(), *size}); !at.at_end(); at.next()) {
      if (!each(at.name())) return {};
    }
  }
}

}  // namespace

bool FoldedNames::still_holds(host::Fd directory) {
  if (!known_ || host::monotonic_ns() - read_at_ns_ > kMostAge_ns) return false;
  auto status = host::status(directory);
  return status.ok() && same(status->st_mtim, changed_);
}

Result<> FoldedNames::read(host::Fd directory) {
  known_ = false;
  hashes_.clear();
  // Before: what changes while it is read gives it a later time.
  const abi::Stat status = TRY(host::status(directory));
  const u64 now = host::monotonic_ns();
  TRY(for_each_name(directory, [&](std::string_view name) {
    hashes_.push_back(hash_but_for_case(name));
    return hashes_.size() <= kMostNames;
  }));
  if (hashes_.size() > kMostNames) {
    hashes_ = {};
    return {};
  }
  std::ranges::sort(hashes_);
  changed_ = status.st_mtim;
  read_at_ns_ = now;
  known_ = true;
  return {};
}

Result<> FoldedNames::check(Task& task, host::Fd directory, std::string_view name,
                            std::string_view except) {
  SleepLock::Held held;
  TRY(held.lock_killable(task, lock_));
  if (!still_holds(directory)) TRY(read(directory));
  if (known_ && !std::ranges::binary_search(hashes_, hash_but_for_case(name))) return {};
  bool exists = false;
  TRY(for_each_name(directory, [&](std::string_view each) {
    exists = each != name && each != except && equal_but_for_case(each, name);
    return !exists;
  }));
  if (exists) return Errno::kEEXIST;
  return {};
}

void FoldedNames::forget() {
  SleepLock::Held held(lock_);
  known_ = false;
  hashes_ = {};
}

FoldedNames::Change::Change(FoldedNames& names, host::Fd directory)
    : names_(names), held_(names.lock_), directory_(directory) {
  if (names_.known_ && !names_.still_holds(directory)) names_.known_ = false;
}

FoldedNames::Change::~Change() {
  if (!names_.known_) return;
  auto status = host::status(directory_);
  names_.known_ = status.ok();
  if (status.ok()) names_.changed_ = status->st_mtim;
}

void FoldedNames::Change::added(std::string_view name) {
  if (!names_.known_) return;
  const u64 hash = hash_but_for_case(name);
  auto& hashes = names_.hashes_;
  hashes.insert(std::ranges::lower_bound(hashes, hash), hash);
}

void FoldedNames::Change::removed(std::string_view name) {
  if (!names_.known_) return;
  const u64 hash = hash_but_for_case(name);
  auto& hashes = names_.hashes_;
  auto at = std::ranges::lower_bound(hashes, hash);
  if (at != hashes.end() && *at == hash) hashes.erase(at);
}

}  // namespace lxss::drivefs
