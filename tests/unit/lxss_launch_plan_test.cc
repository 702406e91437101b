#include "lxss/manager/launch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "lxcore/control/protocol.h"
#include "lxss/common/failure.h"

namespace lxss::manager {
namespace {

using common::LaunchRequest;
using common::ShellType;
using Words = std::vector<std::string>;

const distro::Account kMe{.name = "me",
                          .uid = 1000,
                          .gid = 100,
                          .groups = {27},
                          .home = "/home/me",
                          .shell = "/bin/bash"};
const std::vector<Drive> kDrives = {{'c', "/"}};

LaunchPlan plan(Words words, ShellType shell = ShellType::kDefault) {
  LaunchRequest request;
  request.words = std::move(words);
  request.shell = shell;
  return plan_launch(request, "debian", kMe, kDrives);
}

bool has(const LaunchPlan& plan, const std::string& variable) {
  return std::find(plan.environment.begin(), plan.environment.end(), variable) !=
         plan.environment.end();
}

TEST(LaunchPlan, Shells) {
  EXPECT_EQ(plan({}).program, "/bin/bash");
  EXPECT_EQ(plan({}).arguments, Words{"-bash"});
  EXPECT_EQ(plan({}, ShellType::kStandard).arguments, Words{"bash"});
  EXPECT_EQ(plan({}, ShellType::kNone).arguments, Words{"bash"});
}

TEST(LaunchPlan, Commands) {
  EXPECT_EQ(plan({"bash", "-lc", "uname -a; id"}).program, "bash");
  EXPECT_EQ(plan({"bash", "-lc", "uname -a; id"}).arguments,
            (Words{"bash", "-lc", "uname -a; id"}));
  EXPECT_EQ(plan({"ls"}).arguments, Words{"ls"});
  EXPECT_EQ(plan({"ls | wc"}).arguments, (Words{"bash", "-c", "ls | wc"}));
  EXPECT_EQ(plan({"ls | wc"}, ShellType::kNone).program, "ls | wc");
  EXPECT_EQ(plan({"echo", "it's"}, ShellType::kLogin).arguments,
            (Words{"-bash", "-c", "'echo' 'it'\\''s'"}));
}

TEST(LaunchPlan, Environment) {
  LaunchRequest request;
  request.environment = {{"TERM", "xterm"}, {"WSLENV", "P/p:L/l:W/w:N:MISSING"},
                         {"P", "/home/x"},  {"L", "/a:/b"},
                         {"W", "no"},       {"N", "plain"},
                         {"SECRET", "s"}};
  const LaunchPlan result = plan_launch(request, "debian", kMe, kDrives);
  for (const char* variable :
       {"HOME=/home/me", "USER=me", "LOGNAME=me", "SHELL=/bin/bash", "TERM=xterm",
        "HOSTTYPE=x86_64", "WSL_DISTRO_NAME=debian", "P=/mnt/c/home/x", "L=/mnt/c/a:/mnt/c/b",
        "N=plain", "LANG=C.UTF-8"}) {
    EXPECT_TRUE(has(result, variable)) << variable;
  }
  EXPECT_FALSE(has(result, "W=no"));
  EXPECT_FALSE(has(result, "SECRET=s"));
}

TEST(LaunchPlan, Directories) {
  LaunchRequest request;
  request.host_directory = "/srv/x";
  EXPECT_EQ(plan_launch(request, "d", kMe, kDrives).directories,
            (Words{"/mnt/c/srv/x", "/home/me", "/"}));
  EXPECT_EQ(plan_launch(request, "d", kMe, {}).directories, (Words{"/home/me", "/"}));
  request.directory = "~/src";
  EXPECT_EQ(plan_launch(request, "d", kMe, kDrives).directories, Words{"/home/me/src"});
  request.directory = "/tmp";
  EXPECT_EQ(plan_launch(request, "d", kMe, kDrives).directories, Words{"/tmp"});
}

TEST(LaunchPlan, Packet) {
  LaunchRequest request;
  request.words = {"a", "b"};
  request.terminals = ~0u;
  const LaunchPlan result = plan_launch(request, "d", kMe, kDrives);
  const std::string packet = encode_launch(result, request, 7, "/x");
  control::Launch launch;
  std::memcpy(&launch, packet.data(), sizeof launch);
  EXPECT_EQ(launch.header.size, packet.size());
  EXPECT_EQ(launch.session, 7u);
  EXPECT_EQ(launch.flags, 7u) << "only the terminal bits are the launcher's to set";
  EXPECT_EQ(launch.argc, 2u);
  EXPECT_EQ(launch.groups[0], 27u);
  EXPECT_STREQ(packet.data() + sizeof launch, "/x");
  request.words = {"a", std::string(200'000, 'x')};
  EXPECT_THROW(encode_launch(plan_launch(request, "d", kMe, kDrives), request, 7, "/x"),
               common::Failure);
}

}  // namespace
}  // namespace lxss::manager
