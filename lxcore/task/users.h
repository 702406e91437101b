// What each user has, for the limits that count by user. Guarded by the kernel lock.
#pragma once

#include <map>

#include "base/types.h"

namespace lxss {

class UserAccounts {
 public:
  /// Threads of the user (RLIMIT_NPROC), by real uid.
  usize tasks(u32 uid) const { return find(uid).tasks; }
  /// Signals queued for the user's processes (RLIMIT_SIGPENDING).
  usize signals(u32 uid) const { return find(uid).signals; }

  void add_task(u32 uid) { ++accounts_[uid].tasks; }
  void remove_task(u32 uid) { change(uid, &Account::tasks); }
  void add_signal(u32 uid) { ++accounts_[uid].signals; }
  void remove_signal(u32 uid) { change(uid, &Account::signals); }

 private:
  struct Account {
    usize tasks = 0, signals = 0;
  };
  Account find(u32 uid) const {
    auto at = accounts_.find(uid);
    return at == accounts_.end() ? Account{} : at->second;
  }
  void change(u32 uid, usize Account::*field) {
    auto at = accounts_.find(uid);
    if (at == accounts_.end()) return;
    --(at->second.*field);
    if (at->second.tasks == 0 && at->second.signals == 0) accounts_.erase(at);
  }

  std::map<u32, Account> accounts_;  ///< of users that have something
};

}  // namespace lxss
