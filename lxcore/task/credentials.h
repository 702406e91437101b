// Who a task is: ids, groups, capabilities. Immutable and shared; a change makes a new one.
#pragma once

#include <array>
#include <vector>

#include "abi/linux/capability.h"
#include "base/ref_ptr.h"

namespace lxss {

class Credentials final : public RefCounted {
 public:
  static constexpr usize kMaxGroups = 65536;  ///< NGROUPS_MAX

  Credentials() = default;
  RefPtr<Credentials> copy() const;

  u32 uid = 0, euid = 0, suid = 0, fsuid = 0;
  u32 gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::vector<u32> groups;
  u64 permitted = abi::kCAP_FULL_SET, effective = abi::kCAP_FULL_SET;
  u64 inheritable = 0, ambient = 0;
  u64 bounding = abi::kCAP_FULL_SET;
  u32 securebits = 0;
  bool no_new_privileges = false;

  bool has_capability(u32 capability) const { return effective & abi::cap_bit(capability); }
  /// True if the file-system group id or a supplementary group is `group`.
  bool in_group(u32 group) const;
};

}  // namespace lxss
