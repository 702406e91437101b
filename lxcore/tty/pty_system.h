// The numbers of all terminals of the instance: what /dev/pts lists.
#pragma once

#include <map>

#include "lxcore/kernel.h"
#include "lxcore/tty/tty.h"

namespace lxss {

class ConsoleTty;

/// One per instance; every devpts mount shows it. It owns no terminal: a Tty enters itself
/// when it is made, and leaves when it hangs up for good or goes.
class PtySystem final : public RefCounted {
 public:
  static constexpr u32 kMaxTerminals = 4096;  ///< as kernel.pty.max

  static PtySystem& get();

  /// False if there are kMaxTerminals.
  bool has_room() const { return terminals_.size() < kMaxTerminals; }
  /// The lowest free number.
  u32 add(Tty& tty);
  void remove(Tty& tty);
  /// The terminal of that number, or null.
  Tty* find(u32 number) const;
  /// The first one whose number is not below `number`, or null.
  Tty* next(u32 number) const;
  usize count() const { return terminals_.size(); }

  /// Launchers' terminals; /dev/console is the oldest.
  ConsoleTty* console = nullptr;
  // Mount options of devpts, for the nodes to come.
  u32 node_gid = 5;
  u32 node_permissions = 0620;

 private:
  std::map<u32, Tty*> terminals_;
};

namespace tty {

/// Where terminal `number` is found in the tree, whatever the task's root: ENOENT if devpts is
/// not mounted.
Result<Path> node_path(u32 number);

}  // namespace tty
}  // namespace lxss
