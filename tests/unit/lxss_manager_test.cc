// The launcher and the manager, end to end, with a stand-in for the kernel image.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "lxss/common/failure.h"
#include "tests/unit/lxss_test_support.h"

namespace lxss {
namespace {

struct Result {
  int status = 0;  ///< as waitpid's
  std::string output;
  std::string errors;
  int exit_code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

/// One launcher process with its own manager's home.
class ManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("LXSS_HOME", (directory_ / "home").c_str(), 1);
    setenv("LXSS_KERNEL", LXSS_FAKE_INSTANCE, 1);
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    test::write_tar(directory_ / "root.tar",
                    {{.path = "etc/passwd",
                      .content = "root:x:0:0::/root:/bin/sh\nme:x:7:7::/missing:/bin/sh\n"}});
    ASSERT_EQ(run({"--import", "test", directory_ / "test", directory_ / "root.tar"}).exit_code(),
              0);
  }
  void TearDown() override { run({"--shutdown"}); }

  pid_t start(const std::vector<std::string>& words, const std::string& input = "") {
    test::write_file(directory_ / "in", input);
    const pid_t pid = fork();
    if (pid != 0) return pid;
    std::vector<char*> argv = {const_cast<char*>("lxss")};
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    dup2(open((directory_ / "in").c_str(), O_RDONLY), 0);
    dup2(open((directory_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    dup2(open((directory_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
    execv(LXSS_LAUNCHER, argv.data());
    _exit(99);
  }

  Result finish(pid_t pid) {
    Result result;
    waitpid(pid, &result.status, 0);
    result.output = test::read_file(directory_ / "out");
    result.errors = test::read_file(directory_ / "err");
    return result;
  }

  Result run(const std::vector<std::string>& words, const std::string& input = "") {
    return finish(start(words, input));
  }

  /// The table of distributions, asked for beside a launcher that runs.
  static std::string run_list_verbose() {
    FILE* output = popen(LXSS_LAUNCHER " --list --verbose", "r");
    const std::string text = common::read_all(fileno(output), 4096).value_or("");
    pclose(output);
    return text;
  }

  /// Waits until the command has said `text`, half a minute at most.
  void await_output(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (test::read_file(directory_ / "out").find(text) == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the command does not say " << text;
      std::this_thread::yield();
    }
  }

  test::TemporaryDirectory directory_;
};

TEST_F(ManagerTest, StreamsAndExitCodes) {
  EXPECT_EQ(run({"echo", "a b", "c"}).output, "a b c\n");
  EXPECT_EQ(run({"cat"}, "input").output, "input");
  EXPECT_EQ(run({"exit", "37"}).exit_code(), 37);
}

TEST_F(ManagerTest, TheDefaultShellIsALoginShell) {
  EXPECT_EQ(run({}).output, "[-sh]\n");
  EXPECT_EQ(run({"a; b"}).output, "[sh][-c][a; b]\n");
}

TEST_F(ManagerTest, ADeathBySignalIsPassedOn) {
  const Result result = run({"kill", "9"});
  EXPECT_TRUE(WIFSIGNALED(result.status));
  EXPECT_EQ(WTERMSIG(result.status), 9);
}

TEST_F(ManagerTest, SignalsAreForwarded) {
  const pid_t pid = start({"wait"});
  await_output("waiting");
  kill(pid, SIGUSR1);
  EXPECT_EQ(finish(pid).output, "waiting\nsignal 10\n");
}

TEST_F(ManagerTest, ASignalBeforeTheInstanceRunsEndsTheLauncher) {
  // Someone else holds the tree, so the instance waits.
  const common::UniqueFd tree = common::open_file(directory_ / "test/rootfs", O_RDONLY);
  ASSERT_EQ(flock(tree.get(), LOCK_EX), 0);
  const pid_t pid = start({"echo"});
  while (run_list_verbose().find("Running") == std::string::npos) std::this_thread::yield();
  kill(pid, SIGINT);
  const Result result = finish(pid);
  EXPECT_TRUE(WIFSIGNALED(result.status));
  EXPECT_EQ(WTERMSIG(result.status), SIGINT);
}

TEST_F(ManagerTest, ADeadLauncherHangsUp) {
  const pid_t pid = start({"wait"});
  await_output("waiting");
  kill(pid, SIGKILL);
  await_output("signal 1\n");
  finish(pid);
}

TEST_F(ManagerTest, WhatCannotRunIsExplained) {
  Result result = run({"no-such-program"});
  EXPECT_EQ(result.exit_code(), 127);
  EXPECT_EQ(result.errors, "lxss: no-such-program: No such file or directory\n");
  result = run({"--cd", "/nowhere", "pwd"});
  EXPECT_EQ(result.exit_code(), 1);
  EXPECT_EQ(result.errors, "lxss: cannot enter '/nowhere': No such file or directory\n");
  EXPECT_EQ(run({"-u", "nobody-here", "pwd"}).exit_code(), 1);
  EXPECT_EQ(run({"-d", "none", "pwd"}).exit_code(), 1);
}

TEST_F(ManagerTest, AnUnreachableDirectoryGivesWay) {
  EXPECT_EQ(run({"pwd"}).output, "/root\n");
  EXPECT_EQ(run({"-u", "me", "pwd"}).output, "/\n");
}

TEST_F(ManagerTest, AnInstanceThatDiesIsReportedAndStartedAgain) {
  for (const char* command : {"crash", "garbage"}) {
    const Result result = run({command});
    EXPECT_EQ(result.exit_code(), 1);
    EXPECT_NE(result.errors.find("stopped unexpectedly; see"), std::string::npos) << result.errors;
  }
  EXPECT_EQ(run({"echo", "alive"}).output, "alive\n");
}

TEST_F(ManagerTest, TerminateEndsSessions) {
  const pid_t pid = start({"wait"});
  await_output("waiting");
  EXPECT_EQ(system((std::string(LXSS_LAUNCHER) + " --terminate TEST").c_str()), 0);
  const Result result = finish(pid);
  EXPECT_EQ(result.exit_code(), 1);
  EXPECT_NE(result.errors.find("was ended"), std::string::npos) << result.errors;
}

TEST_F(ManagerTest, AMissingKernelIsExplained) {
  run({"--shutdown"});
  setenv("LXSS_KERNEL", "/nonexistent/lxcore", 1);
  const Result result = run({"echo"});
  EXPECT_EQ(result.exit_code(), 1);
  EXPECT_NE(result.errors.find("/nonexistent/lxcore"), std::string::npos) << result.errors;
}

TEST_F(ManagerTest, FailedImportsLeaveNothing) {
  test::write_file(directory_ / "bad.tar", "no archive");
  EXPECT_EQ(run({"--import", "bad", directory_ / "bad", directory_ / "bad.tar"}).exit_code(), 1);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "bad"));
  EXPECT_EQ(run({"--list"}).output, "test (Default)\n");
}

TEST_F(ManagerTest, UnregisterRemovesEverything) {
  run({"echo"});
  EXPECT_EQ(run({"--unregister", "Test"}).exit_code(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "test"));
  EXPECT_EQ(run({"-l", "-q"}).output, "");
}

TEST_F(ManagerTest, ExportAndImportAgain) {
  EXPECT_EQ(run({"--export", "test", directory_ / "out.tar.gz"}).exit_code(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out.tar.gz.partial"));
  EXPECT_EQ(run({"--import", "again", directory_ / "again", directory_ / "out.tar.gz"}).exit_code(),
            0);
  EXPECT_EQ(run({"-d", "again", "echo", "x"}).output, "x\n");
}

TEST_F(ManagerTest, GeneratedFilesAreThere) {
  run({"echo"});
  EXPECT_FALSE(test::read_file(directory_ / "test/rootfs/etc/hostname").empty());
  EXPECT_NE(test::read_file(directory_ / "test/rootfs/etc/hosts").find("localhost"),
            std::string::npos);
}

}  // namespace
}  // namespace lxss
