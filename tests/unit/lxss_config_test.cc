// The small text formats: wsl.conf, config.ini, WSLENV, passwd, apt's sources.
#include <gtest/gtest.h>

#include "lxss/common/wslenv.h"
#include "lxss/distro/accounts.h"
#include "lxss/distro/apt_sources.h"
#include "lxss/distro/wsl_conf.h"
#include "lxss/manager/config.h"

namespace lxss {
namespace {

TEST(WslConf, Defaults) {
  const distro::WslConf conf = distro::WslConf::parse("");
  EXPECT_FALSE(conf.default_user);
  EXPECT_TRUE(conf.generate_hosts);
  EXPECT_TRUE(conf.generate_resolv_conf);
  EXPECT_FALSE(conf.hostname);
  EXPECT_TRUE(conf.errors.empty());
}

TEST(WslConf, ErrorsAreReportedAndTheRestIsUsed) {
  const distro::WslConf conf = distro::WslConf::parse(
      "# comment\r\n[User]\r\ndefault = me\r\nnonsense\r\n[network]\n"
      "generateHosts=FALSE\n generateResolvConf = \"false\"\nhostname = "
      "bad/name\n[time]\nuseWindowsTimezone = false\n");
  EXPECT_EQ(conf.default_user, "me");
  EXPECT_FALSE(conf.generate_hosts);
  EXPECT_FALSE(conf.generate_resolv_conf);
  EXPECT_FALSE(conf.use_host_time_zone);
  EXPECT_FALSE(conf.hostname);
  EXPECT_EQ(conf.errors.size(), 2u);
}

TEST(Config, DrivesAndIdleTime) {
  using manager::Config;
  EXPECT_EQ(Config::parse("").drives.at(0).directory, "/");
  EXPECT_EQ(Config::parse("").idle_timeout, std::chrono::seconds(15));
  const Config config = Config::parse(
      "[general]\ninstanceIdleTimeout = -1\n[drives]\nc = none\nd = /data\n1 = /x\ne = relative");
  EXPECT_FALSE(config.idle_timeout);
  EXPECT_TRUE(config.rewrite_calls);
  EXPECT_FALSE(Config::parse("[general]\nrewriteSystemCalls = false").rewrite_calls);
  EXPECT_EQ(Config::parse("[general]\nrewriteSystemCalls = maybe").errors.size(), 1u);
  ASSERT_EQ(config.drives.size(), 1u);
  EXPECT_EQ(config.drives[0].letter, 'd');
  EXPECT_EQ(config.errors.size(), 2u);
}

TEST(Config, GuestPaths) {
  const std::vector<manager::Drive> drives = {{'c', "/"}, {'d', "/data"}};
  EXPECT_EQ(manager::to_guest_path(drives, "/"), "/mnt/c");
  EXPECT_EQ(manager::to_guest_path(drives, "/home/me"), "/mnt/c/home/me");
  EXPECT_EQ(manager::to_guest_path(drives, "/data/x"), "/mnt/d/x");
  EXPECT_EQ(manager::to_guest_path(drives, "/database"), "/mnt/c/database");
  EXPECT_EQ(manager::to_guest_path(drives, "/a:b"), std::nullopt);
  EXPECT_EQ(manager::to_guest_path({{'d', "/data"}}, "/home"), std::nullopt);
}

TEST(Wslenv, Flags) {
  const auto variables = common::parse_wslenv("A:B/p:C/lu:D/w:/p:E/z");
  ASSERT_EQ(variables.size(), 4u);
  EXPECT_EQ(variables[0].name, "A");
  EXPECT_TRUE(variables[1].is_path);
  EXPECT_TRUE(variables[2].is_list && variables[2].to_linux);
  EXPECT_FALSE(variables[3].to_linux);
}

TEST(Accounts, LooksUp) {
  const distro::Accounts accounts(
      "root:x:0:0:root:/root:/bin/bash\nbroken\nme:x:1000:1000::/home/me:\nbad:x:y:0:::\n",
      "me:x:1000:me\nsudo:x:27:other,me\naudio:x:29:me\nbroken\n");
  const auto me = accounts.by_name("me");
  ASSERT_TRUE(me);
  EXPECT_EQ(me->uid, 1000u);
  EXPECT_EQ(me->shell, "/bin/sh");
  EXPECT_EQ(me->groups, (std::vector<std::uint32_t>{27, 29}));
  EXPECT_EQ(accounts.by_uid(0)->home, "/root");
  EXPECT_FALSE(accounts.by_name("bad"));
  EXPECT_TRUE(distro::Accounts("", "").by_name("root")) << "root is always there";
}

TEST(AptSources, OneLine) {
  const auto sources = distro::parse_one_line_sources(
      "# deb http://no main\ndeb [arch=amd64 signed-by=/k] http://m/debian bookworm main contrib\n"
      "deb-src http://m/debian bookworm main\ndeb cdrom:x bookworm main\n"
      "deb https://s bookworm-security main # comment\ndeb http://x y universe\n");
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].line(), "deb http://m/debian bookworm main");
  EXPECT_EQ(sources[1].suite, "bookworm-security");
}

TEST(AptSources, Deb822) {
  const auto sources = distro::parse_deb822_sources(
      "Types: deb deb-src\n# comment\nURIs: http://m/debian\n http://n/debian\n"
      "Suites: a a-updates\nComponents: main\n\nTypes: deb\nEnabled: no\nURIs: http://o\n"
      "Suites: b\nComponents: main\n\n\nTypes: deb-src\nURIs: http://p\nSuites: c\n"
      "Components: main\n");
  ASSERT_EQ(sources.size(), 4u);
  EXPECT_EQ(sources[0].line(), "deb http://m/debian a main");
  EXPECT_EQ(sources[3].line(), "deb http://n/debian a-updates main");
}

TEST(AptSources, OsRelease) {
  EXPECT_EQ(
      distro::os_release_value("ID=debian\nVERSION_CODENAME=\"trixie\"\n", "VERSION_CODENAME"),
      "trixie");
  EXPECT_EQ(distro::os_release_value("ID=debian\n", "NAME"), "");
}

}  // namespace
}  // namespace lxss
