// The users of a distribution, read from its own /etc/passwd and /etc/group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lxss/distro/volfs_tree.h"

namespace lxss::distro {

struct Account {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary ones, without gid
  std::string home;
  std::string shell;
};

class Accounts {
 public:
  /// Lines that are not well-formed are skipped (man 5 passwd, man 5 group).
  Accounts(std::string_view passwd, std::string_view group);
  static Accounts of(const VolfsTree& tree);

  std::optional<Account> by_name(std::string_view name) const;
  /// Root is always there, if need be with /bin/sh and home /.
  std::optional<Account> by_uid(std::uint32_t uid) const;

 private:
  std::vector<Account> accounts_;
};

}  // namespace lxss::distro
