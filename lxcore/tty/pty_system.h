// The numbers of all terminals of the instance: what /dev/pts lists.
#pragma once

#include <map>

#include "lxcore/kernel.h"
#include "lxcore/tty/tty.h"

namespace lxss {

/// One per instance, made at boot; every devpts mount shows it. A Tty enters it when it is whole,
/// and leaves when it hangs up for good; meanwhile it is held.
class PtySystem final : public RefCounted {
 public:
  static constexpr u32 kMaxTerminals = 4096;  ///< as kernel.pty.max

  static PtySystem& get();

  /// False if there are kMaxTerminals (and some more that were made at the same time).
  bool has_room() const;
  /// Gives the lowest free number.
  u32 add(Tty& tty);
  void remove(Tty& tty);
  /// The terminal of that number, or null.
  RefPtr<Tty> find(u32 number) const;
  /// The first one whose number is not below `number`, or null.
  RefPtr<Tty> next(u32 number) const;

  /// /dev/console: the launcher's terminal that is offered while there is none.
  void offer_console(Tty& tty);
  void withdraw_console(Tty& tty);
  RefPtr<Tty> console() const;

  // Mount options of devpts, for the nodes to come.
  std::atomic<u32> node_gid{5};
  std::atomic<u32> node_permissions{0620};

 private:
  mutable Lock lock_{LockRank::kNames};
  std::map<u32, RefPtr<Tty>> terminals_ LXSS_GUARDED_BY(lock_);
  RefPtr<Tty> console_ LXSS_GUARDED_BY(lock_);
};

namespace tty {

/// Where terminal `number` is found in the tree, whatever the task's root: ENOENT if devpts is
/// not mounted.
Result<Path> node_path(u32 number);

}  // namespace tty
}  // namespace lxss
