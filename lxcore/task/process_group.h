// Process groups and sessions (man 7 credentials). Guarded by the kernel lock.
#pragma once

#include <atomic>

#include "base/list.h"
#include "base/ref_ptr.h"
#include "base/types.h"

namespace lxss {

class Process;
class Tty;
struct ProcessGroupMember;

class Session final : public RefCounted {
 public:
  explicit Session(Pid session_id);
  ~Session() override;
  const Pid id;
  RefPtr<Tty> terminal;    ///< the controlling terminal
  Pid hung_up_foreground;  ///< foreground group of the terminal it lost by a hang-up

 private:
  void last_unref() override;
};

/// Exists as long as it has members, or a terminal has it in the foreground. The kernel's table of
/// groups has it without a reference.
class ProcessGroup final : public RefCounted {
 public:
  ProcessGroup(Pid group_id, RefPtr<Session> in);
  ~ProcessGroup() override;
  const Pid id;
  const RefPtr<Session> session;
  List<Process, ProcessGroupMember> members;
  /// No member has a parent in another group of the same session.
  bool orphaned();

 private:
  void last_unref() override;
};

}  // namespace lxss
