#include "lxss/distro/accounts.h"

#include <algorithm>
#include <charconv>

#include "lxss/common/text.h"

namespace lxss::distro {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<Account> parse_account(std::string_view line) {
  const std::vector<std::string> fields = common::split(line, ':');
  if (fields.size() != 7 || fields[0].empty()) return std::nullopt;
  const std::optional<std::uint32_t> uid = number(fields[2]);
  const std::optional<std::uint32_t> gid = number(fields[3]);
  if (!uid || !gid) return std::nullopt;
  return Account{.name = fields[0],
                 .uid = *uid,
                 .gid = *gid,
                 .groups = {},
                 .home = fields[5].empty() ? "/" : fields[5],
                 .shell = fields[6].empty() ? "/bin/sh" : fields[6]};
}

}  // namespace

Accounts::Accounts(std::string_view passwd, std::string_view group) {
  for (const std::string& line : common::split(passwd, '\n')) {
    if (std::optional<Account> account = parse_account(line)) accounts_.push_back(*account);
  }
  for (const std::string& line : common::split(group, '\n')) {
    const std::vector<std::string> fields = common::split(line, ':');
    const std::optional<std::uint32_t> gid = fields.size() == 4 ? number(fields[2]) : std::nullopt;
    if (!gid) continue;
    const std::vector<std::string> members = common::split(fields[3], ',');
    for (Account& account : accounts_) {
      if (account.gid != *gid &&
          std::find(members.begin(), members.end(), account.name) != members.end()) {
        account.groups.push_back(*gid);
      }
    }
  }
}

Accounts Accounts::of(const VolfsTree& tree) {
  return {tree.read_file("/etc/passwd").value_or(""), tree.read_file("/etc/group").value_or("")};
}

std::optional<Account> Accounts::by_name(std::string_view name) const {
  for (const Account& account : accounts_) {
    if (account.name == name) return account;
  }
  if (name == "root") return by_uid(0);
  return std::nullopt;
}

std::optional<Account> Accounts::by_uid(std::uint32_t uid) const {
  for (const Account& account : accounts_) {
    if (account.uid == uid) return account;
  }
  if (uid != 0) return std::nullopt;
  return Account{.name = "root", .groups = {}, .home = "/", .shell = "/bin/sh"};
}

}  // namespace lxss::distro
