// The names of a directory but for case, remembered, so that a creation need not read them all.
#pragma once

#include <optional>
#include <vector>

#include "abi/linux/stat.h"
#include "base/result.h"
#include "host/file.h"
#include "lxcore/sync/wait_queue.h"

namespace lxss::drivefs {

/// Of one directory. What is remembered holds while the host's time of the directory's last change
/// stays what it was, or becomes what our own operations made of it. Two changes in one tick of the
/// host's clock look like one: so nothing is believed for longer than kMostAge, and a name that
/// another program makes in the very tick of one of ours may be missed for as long.
///
/// Only hashes are kept. What they let through is certain; what they hold up is looked at again in
/// the host's directory.
class FoldedNames {
 public:
  static constexpr u64 kMostAge_ns = 1'000'000'000;
  /// Larger directories are read each time.
  static constexpr usize kMostNames = 65536;

  /// EEXIST if the host has a name that differs from `name` only in case, apart from `except`. A
  /// directory that cannot be read has none.
  Result<> check(Task& task, host::Fd directory, std::string_view name, std::string_view except);

  /// An operation of our own on the directory, from the call before it to the destructor: nobody
  /// else's goes on meanwhile.
  class Change;
  /// Something changed; nothing remembered holds.
  void forget();

 private:
  bool still_holds(host::Fd directory);
  Result<> read(host::Fd directory);

  SleepLock lock_{LockRank::kObject, AfterDeath::kStop};  ///< guards all of it
  bool known_ = false;
  abi::Timespec changed_{};  ///< the directory's time that goes with hashes_
  u64 read_at_ns_ = 0;
  std::vector<u64> hashes_;  ///< of the folded names, sorted, one for each name
};

class [[nodiscard]] FoldedNames::Change {
 public:
  Change(FoldedNames& names, host::Fd directory);
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  ~Change();
  void added(std::string_view name);
  void removed(std::string_view name);

 private:
  FoldedNames& names_;
  SleepLock::Held held_;
  host::Fd directory_;
};

}  // namespace lxss::drivefs
