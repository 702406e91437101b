// A test framework for programs that ask a kernel what it does.
//
// TEST(name) { ... } runs in a forked child of its own, leader of its own process group, in a
// fresh empty directory, with umask 022 and an alarm of 20 seconds, so that one crash does not
// stop the rest. The first check that fails prints file, line and values and ends the process
// that made it; a process that a test forks reports through its exit status.
// HELPER(name) { ... } is what the program does when a test executes it again, as
// `program --helper name arguments`; it returns the exit status.
//
// The program runs all tests, or those named on its command line, and prints
// `PASS|FAIL|SKIP name` for each and `N passed, M failed, K skipped` at the end. It exits with 0,
// with 1 if a test failed, or with 77 if all were skipped. `--list` prints the names;
// `--no-fork name` runs one test without the child, for a debugger.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

inline constexpr int kSkipped = 77;
inline constexpr unsigned kTimeoutSeconds = 20;

struct Test {
  const char* name;
  void (*body)();
};
struct Helper {
  const char* name;
  int (*body)(std::vector<std::string> arguments);
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
inline std::vector<Helper>& helpers() {
  static std::vector<Helper> all;
  return all;
}

struct RegisterTest {
  RegisterTest(const char* name, void (*body)()) { tests().push_back({name, body}); }
};
struct RegisterHelper {
  RegisterHelper(const char* name, int (*body)(std::vector<std::string>)) {
    helpers().push_back({name, body});
  }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
  std::fflush(nullptr);
  _exit(1);
}

[[noreturn]] inline void skip(const std::string& reason) {
  std::printf("skipped: %s\n", reason.c_str());
  std::fflush(nullptr);
  _exit(kSkipped);
}

template <typename T>
std::string to_text(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return '"' + std::string(value) + '"';
  } else {
    char text[32];
    std::snprintf(text, sizeof text, "%p", reinterpret_cast<const void*>(value));
    return text;
  }
}

template <typename A, typename B>
bool equal(const A& a, const B& b) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {
    return std::cmp_equal(+a, +b);
  } else {
    return a == b;
  }
}

template <typename A, typename B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!equal(a, b)) fail(file, line, std::string(text) + ": " + to_text(a) + " != " + to_text(b));
}

/// Both the -1 of system calls and MAP_FAILED.
template <typename T>
bool is_failure(T value) {
  return (intptr_t)value == -1;
}

template <typename T>
T check_ok(T value, const char* text, const char* file, int line) {
  if (is_failure(value)) fail(file, line, std::string(text) + ": " + std::strerror(errno));
  return value;
}

template <typename T>
void check_errno(T value, int expected, const char* text, const char* file, int line) {
  const int error = errno;
  if (!is_failure(value)) {
    fail(file, line,
         std::string(text) + ": succeeded with " + to_text(value) + ", expected " +
             std::strerror(expected));
  }
  if (error != expected) {
    fail(file, line,
         std::string(text) + ": " + std::strerror(error) + ", expected " + std::strerror(expected));
  }
}

/// Waits for `pid` and returns its wait status.
inline int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) == -1) {
    if (errno != EINTR) fail(__FILE__, __LINE__, std::string("waitpid: ") + std::strerror(errno));
  }
  return status;
}

inline std::string describe_status(int status) {
  if (WIFEXITED(status)) return "exit " + std::to_string(WEXITSTATUS(status));
  return std::string("signal ") + strsignal(WTERMSIG(status));
}

inline void check_exit(pid_t pid, int code, const char* file, int line) {
  const int status = reap(pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == code) return;
  fail(file, line, describe_status(status) + ", expected exit " + std::to_string(code));
}

inline void check_killed(pid_t pid, int signal, const char* file, int line) {
  const int status = reap(pid);
  if (WIFSIGNALED(status) && WTERMSIG(status) == signal) return;
  fail(file, line, describe_status(status) + ", expected " + strsignal(signal));
}

/// Forks; the child runs `body` and exits with 0 (a failed check exits with 1).
template <typename Body>
pid_t in_child(Body body) {
  std::fflush(nullptr);
  const pid_t pid = check_ok(fork(), "fork", __FILE__, __LINE__);
  if (pid == 0) {
    body();
    _exit(0);
  }
  return pid;
}

/// A pipe on which one process tells another that it has come so far.
class Signpost {
 public:
  Signpost() { check_ok(pipe2(ends_, O_CLOEXEC), "pipe2", __FILE__, __LINE__); }
  ~Signpost() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Signpost(const Signpost&) = delete;
  Signpost& operator=(const Signpost&) = delete;

  void reach(char what = '.') const {
    check_ok(write(ends_[1], &what, 1), "reach", __FILE__, __LINE__);
  }
  char await() const {
    char what = 0;
    ssize_t count;
    do count = read(ends_[0], &what, 1);
    while (count == -1 && errno == EINTR);
    if (count != 1) fail(__FILE__, __LINE__, "the other side has gone");
    return what;
  }
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }

 private:
  int ends_[2];
};

inline std::string read_fd(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, count);
  return text;
}

inline std::string read_file(const std::string& path) {
  const int fd =
      check_ok(open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str(), __FILE__, __LINE__);
  std::string text = read_fd(fd);
  close(fd);
  return text;
}

inline void write_file(const std::string& path, std::string_view text, mode_t mode = 0644) {
  const int fd = check_ok(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode),
                          path.c_str(), __FILE__, __LINE__);
  if (write(fd, text.data(), text.size()) != (ssize_t)text.size()) {
    fail(__FILE__, __LINE__, "write to " + path);
  }
  close(fd);
}

/// The state letter in /proc/<tid>/stat, or 0 once the thread has gone.
inline char thread_state(pid_t tid) {
  const int fd = open(("/proc/" + std::to_string(tid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) return 0;
  const std::string stat = read_fd(fd);
  close(fd);
  const size_t end = stat.rfind(')');
  return end == std::string::npos ? 0 : stat[end + 2];
}

/// Returns when the thread is in `state`: 'S' once it waits in a system call.
inline void await_state(pid_t tid, char state) {
  while (thread_state(tid) != state) sched_yield();
}

inline std::string own_path() { return std::filesystem::read_symlink("/proc/self/exe"); }

inline void need_root() {
  if (geteuid() != 0) skip("needs root");
}

inline void run_test(const Test& test, int& passed, int& failed, int& skipped) {
  const char* base = std::getenv("TMPDIR");
  std::string directory = std::string(base ? base : "/tmp") + "/" + test.name + ".XXXXXX";
  check_ok((intptr_t)mkdtemp(directory.data()) == 0 ? -1 : 0, "mkdtemp", __FILE__, __LINE__);
  std::fflush(nullptr);
  const pid_t pid = check_ok(fork(), "fork", __FILE__, __LINE__);
  if (pid == 0) {
    setpgid(0, 0);
    umask(022);
    check_ok(chdir(directory.c_str()), "chdir", __FILE__, __LINE__);
    alarm(kTimeoutSeconds);
    test.body();
    std::fflush(nullptr);
    _exit(0);
  }
  const int status = reap(pid);
  kill(-pid, SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  if (status == 0) {
    ++passed;
    std::printf("PASS %s\n", test.name);
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
    ++skipped;
    std::printf("SKIP %s\n", test.name);
  } else {
    ++failed;
    std::printf("FAIL %s (%s)\n", test.name, describe_status(status).c_str());
  }
}

inline int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "--list") {
    for (const Test& test : tests()) std::puts(test.name);
    return 0;
  }
  if (arguments.size() >= 2 && arguments[0] == "--helper") {
    for (const Helper& helper : helpers()) {
      if (arguments[1] == helper.name) return helper.body({arguments.begin() + 2, arguments.end()});
    }
    std::fprintf(stderr, "no helper %s\n", arguments[1].c_str());
    return 2;
  }
  const bool no_fork = arguments.size() == 2 && arguments[0] == "--no-fork";
  for (size_t i = no_fork; i < arguments.size(); ++i) {
    bool known = false;
    for (const Test& test : tests()) known |= arguments[i] == test.name;
    if (!known) {
      std::fprintf(stderr, "no test %s\n", arguments[i].c_str());
      return 2;
    }
  }
  int passed = 0, failed = 0, skipped = 0;
  for (const Test& test : tests()) {
    bool wanted = arguments.empty();
    for (const std::string& argument : arguments) wanted |= argument == test.name;
    if (!wanted) continue;
    if (no_fork) {
      test.body();
      return 0;
    }
    run_test(test, passed, failed, skipped);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  if (failed != 0) return 1;
  return passed == 0 && skipped != 0 ? kSkipped : 0;
}

}  // namespace check

#define TEST(name)                                                \
  static void test_##name();                                      \
  static check::RegisterTest register_##name(#name, test_##name); \
  static void test_##name()

#define HELPER(name)                                                  \
  static int helper_##name(std::vector<std::string> arguments);       \
  static check::RegisterHelper register_##name(#name, helper_##name); \
  static int helper_##name([[maybe_unused]] std::vector<std::string> arguments)

#define FAIL(message) check::fail(__FILE__, __LINE__, message)
#define CHECK(condition)                \
  do {                                  \
    if (!(condition)) FAIL(#condition); \
  } while (false)
#define CHECK_EQ(a, b) check::check_equal(a, b, #a " == " #b, __FILE__, __LINE__)
/// The value of a call that must not return -1.
#define OK(call) check::check_ok(call, #call, __FILE__, __LINE__)
#define CHECK_ERRNO(call, error) check::check_errno(call, error, #call, __FILE__, __LINE__)
#define CHECK_EXIT(pid, code) check::check_exit(pid, code, __FILE__, __LINE__)
#define CHECK_KILLED(pid, signal) check::check_killed(pid, signal, __FILE__, __LINE__)

int main(int argc, char** argv) { return check::run({argv + 1, argv + argc}); }

using check::await_state;
using check::in_child;
using check::need_root;
using check::own_path;
using check::read_fd;
using check::read_file;
using check::reap;
using check::Signpost;
using check::skip;
using check::write_file;
