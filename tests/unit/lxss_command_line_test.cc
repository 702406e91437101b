#include "lxss/launcher/command_line.h"

#include <gtest/gtest.h>

#include "lxss/common/failure.h"

namespace lxss::launcher {
namespace {

using common::Failure;
using common::ShellType;
using Words = std::vector<std::string>;

TEST(CommandLine, NothingMeansAShell) {
  const CommandLine line = parse_command_line({});
  EXPECT_EQ(line.action, Action::kLaunch);
  EXPECT_TRUE(line.command.empty());
  EXPECT_EQ(line.shell, ShellType::kDefault);
}

TEST(CommandLine, TheCommandKeepsItsOptions) {
  EXPECT_EQ(parse_command_line({"ls", "-l", "--all", "-d", "x"}).command,
            (Words{"ls", "-l", "--all", "-d", "x"}));
  const CommandLine line =
      parse_command_line({"-d", "debian", "-u", "me", "--cd", "/tmp", "bash", "-lc", "a; b"});
  EXPECT_EQ(line.distribution, "debian");
  EXPECT_EQ(line.user, "me");
  EXPECT_EQ(line.directory, "/tmp");
  EXPECT_EQ(line.command, (Words{"bash", "-lc", "a; b"}));
}

TEST(CommandLine, DashesEndTheOptions) {
  EXPECT_EQ(parse_command_line({"--", "-x", "y"}).command, (Words{"-x", "y"}));
  EXPECT_EQ(parse_command_line({"-d", "a", "--", "ls", "--", "-l"}).command,
            (Words{"ls", "--", "-l"}));
  EXPECT_EQ(parse_command_line({"--"}).command, Words{});
}

TEST(CommandLine, Exec) {
  const CommandLine line = parse_command_line({"-e", "echo", "a b", "--exec"});
  EXPECT_EQ(line.shell, ShellType::kNone);
  EXPECT_EQ(line.command, (Words{"echo", "a b", "--exec"}));
  EXPECT_THROW(parse_command_line({"--exec"}), Failure);
}

TEST(CommandLine, ShellType) {
  EXPECT_EQ(parse_command_line({"--shell-type", "login", "x"}).shell, ShellType::kLogin);
  EXPECT_EQ(parse_command_line({"--shell-type=none", "x"}).shell, ShellType::kNone);
  EXPECT_THROW(parse_command_line({"--shell-type", "odd", "x"}), Failure);
}

TEST(CommandLine, TraceTakesAFileOnlyWithEquals) {
  const CommandLine line = parse_command_line({"--trace", "ls"});
  EXPECT_EQ(line.trace_file, "-");
  EXPECT_EQ(line.command, Words{"ls"});
  EXPECT_EQ(parse_command_line({"--trace=out", "ls"}).trace_file, "out");
  EXPECT_EQ(parse_command_line({"ls"}).trace_file, "");
}

TEST(CommandLine, Install) {
  CommandLine line = parse_command_line({"--install"});
  EXPECT_EQ(line.action, Action::kInstall);
  EXPECT_EQ(line.name, "debian");
  EXPECT_EQ(line.source, "debian");
  line = parse_command_line({"--install", "minimal", "--name", "m", "--no-launch"});
  EXPECT_EQ(line.source, "minimal");
  EXPECT_EQ(line.name, "m");
  EXPECT_TRUE(line.no_launch);
  line = parse_command_line({"--install", "--from-file", "dir/alpine.tar.gz", "--location", "d"});
  EXPECT_EQ(line.name, "alpine");
  EXPECT_EQ(line.file, "dir/alpine.tar.gz");
  EXPECT_EQ(line.location, "d");
}

TEST(CommandLine, ImportAndExport) {
  CommandLine line = parse_command_line({"--import", "a", "dir", "-"});
  EXPECT_EQ(line.action, Action::kImport);
  EXPECT_EQ(line.name, "a");
  EXPECT_EQ(line.location, "dir");
  EXPECT_EQ(line.file, "-");
  line = parse_command_line({"--export", "a", "x.tar.gz"});
  EXPECT_EQ(line.action, Action::kExport);
  EXPECT_EQ(line.format, "tar.gz");
  EXPECT_EQ(parse_command_line({"--export", "a", "-", "--format", "tar.xz"}).format, "tar.xz");
  EXPECT_THROW(parse_command_line({"--import", "a", "dir"}), Failure);
}

TEST(CommandLine, OtherActions) {
  EXPECT_EQ(parse_command_line({"-l", "-q"}).action, Action::kList);
  EXPECT_TRUE(parse_command_line({"--list", "--running"}).running_only);
  EXPECT_EQ(parse_command_line({"-t", "a"}).name, "a");
  EXPECT_EQ(parse_command_line({"-s", "a"}).action, Action::kSetDefault);
  EXPECT_EQ(parse_command_line({"--unregister", "a"}).action, Action::kUnregister);
  EXPECT_EQ(parse_command_line({"--shutdown"}).action, Action::kShutdown);
  EXPECT_NE(parse_command_line({"--help"}).help.find("--install"), std::string::npos);
}

TEST(CommandLine, MistakesAreExplained) {
  EXPECT_THROW(parse_command_line({"--no-such-option"}), Failure);
  EXPECT_THROW(parse_command_line({"--list", "--shutdown"}), Failure);
  EXPECT_THROW(parse_command_line({"--shutdown", "now"}), Failure);
}

}  // namespace
}  // namespace lxss::launcher
