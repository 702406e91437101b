// What the measuring programs share: the clock, checks, and the way they talk to the driver. A
// program reads one request a line from its standard input and answers each with one line of JSON;
// so both sides stay up and can take turns as finely as the driver likes.
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

using Operation = std::function<void()>;

inline long now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::exit(1);
}
#define REQUIRE(condition) ::bench::require(condition, #condition)

/// Nanoseconds of one of `count` operations.
inline double time_once(const Operation& operation, long count) {
  const long start = now_ns();
  for (long i = 0; i < count; ++i) operation();
  return static_cast<double>(now_ns() - start) / count;
}

/// How many operations fill `duration_ns`, at least one.
inline long count_for(const Operation& operation, double duration_ns) {
  operation();
  return std::max(1L, static_cast<long>(duration_ns / std::max(1.0, time_once(operation, 3))));
}

/// The cost of one operation, from short rounds that together take about `duration_ns`: the lower
/// quartile, as what other programs do to a round only makes it longer.
inline double cost_ns(const Operation& operation, long duration_ns) {
  constexpr int kRounds = 31;
  const long count = count_for(operation, static_cast<double>(duration_ns) / kRounds);
  std::vector<double> times;
  times.reserve(kRounds);
  const long end = now_ns() + 4 * duration_ns;
  while (times.size() < kRounds && (times.size() < 3 || now_ns() < end))
    times.push_back(time_once(operation, count));
  const auto quartile = times.begin() + static_cast<long>(times.size() / 4);
  std::nth_element(times.begin(), quartile, times.end());
  return *quartile;
}

inline void reap(pid_t pid) { REQUIRE(waitpid(pid, nullptr, 0) == pid); }

inline void fork_and_wait() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  REQUIRE(child > 0);
  reap(child);
}

/// Memory that a process shares with its children; zero at first.
template <typename T>
T* shared(size_t count = 1) {
  void* memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  return static_cast<T*>(memory);
}

/// Runs `body` in a child with a directory of its own, which goes with it.
inline bool in_fresh_process(const std::function<void()>& body) {
  static const std::string base = std::filesystem::current_path();
  const std::string directory = base + "/run." + std::to_string(now_ns());
  REQUIRE(std::filesystem::create_directory(directory));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    REQUIRE(chdir(directory.c_str()) == 0);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  std::filesystem::remove_all(directory);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// As many descriptors as this process may have; says how many.
inline long raise_descriptor_limit(long wanted) {
  rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit raised = {static_cast<rlim_t>(wanted),
                   std::max(static_cast<rlim_t>(wanted), limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  raised = {std::min(static_cast<rlim_t>(wanted), limit.rlim_max), limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &raised) == 0);
  return static_cast<long>(raised.rlim_cur);
}

/// Answers requests, in a directory that goes with the program, until the input ends.
inline void serve(const std::function<std::string(std::istringstream&)>& answer) {
  const char* base = std::getenv("TMPDIR");
  std::string directory = std::string(base ? base : "/tmp") + "/lxss-bench.XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  REQUIRE(chdir(directory.c_str()) == 0);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream request(line);
    std::cout << answer(request) << std::endl;
  }
  std::filesystem::remove_all(directory);
}

}  // namespace bench
