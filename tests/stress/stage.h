// What every scene of the stress is played on.
//
// SCENE(name) { ... } is a game that many workers - processes, and threads in each - play with the
// same few kernel objects. It runs in a forked child, the director, leader of its own process
// group, in a fresh empty directory, for its share of the time. A scene consists of rounds
// (`stage.rounds`): the director sets the objects up, `stage.everyone` plays, and when all is quiet
// the director checks what must hold. What must hold all the time the workers check themselves.
//
// What a worker does is a function of seed, scene, round and the worker's number alone; only the
// interleaving is the machine's. Each announces its steps, so that a failure, or a worker that
// hangs (a lost wake-up shows so), is told with seed, round, worker, step and what it was about.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace stress {

using u8 = uint8_t;
using u32 = uint32_t;
using u64 = uint64_t;

/// A mixing function of good quality (splitmix64's finaliser).
constexpr u64 mix(u64 value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

class Random {
 public:
  explicit Random(u64 seed = 0) : state_(seed) {}
  u64 next() { return mix(state_ += 0x9e3779b97f4a7c15); }
  /// 0 to bound - 1.
  u64 below(u64 bound) { return next() % bound; }
  u64 between(u64 low, u64 high) { return low + below(high - low + 1); }
  bool one_in(u64 bound) { return below(bound) == 0; }

 private:
  u64 state_;
};

u64 now_ns();
void sleep_us(u64 microseconds);

/// One T in memory that all processes forked later share.
template <typename T>
class Shared {
 public:
  template <typename... Arguments>
  explicit Shared(Arguments&&... arguments) {
    void* memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) abort();
    // A T may be an array, which placement new by itself would take for many objects.
    struct Box {
      T object;
    };
    if constexpr (sizeof...(arguments) == 0) {
      object_ = &(new (memory) Box{})->object;
    } else {
      object_ = &(new (memory) Box{T(std::forward<Arguments>(arguments)...)})->object;
    }
  }
  ~Shared() { munmap(object_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

/// A barrier for `count` workers of any processes; it lies in shared memory.
class Gate {
 public:
  explicit Gate(u32 count) : count_(count) {}
  /// Returns when all have come. Those that come last leave at nearly the same time.
  void pass();

 private:
  const u32 count_;
  std::atomic<u32> arrived_ = 0, generation_ = 0;
};

struct Worker {
  int number;   // of all
  int process;  // of which process
  int thread;   // in the process
  Random random;

  /// Announces what comes next, as a literal.
  void step(const char* doing);
};

struct Options {
  u64 seed = 1;
  double seconds = 75;
  int threads = 3;
  int processes = 3;
  u64 first_round = 0;
  double patience = 40;
};

class Stage {
 public:
  Stage(const Options& options, const char* scene, double seconds);

  const int processes, threads;
  int workers() const { return processes * threads; }
  /// The director's; seeded anew in each round.
  Random random;
  u64 round = 0;

  /// Plays rounds until the time is over, at least one.
  void rounds(const std::function<void()>& body);
  bool time_left() const { return now_ns() < end_ns_; }

  /// Forks `processes` with `threads` each, which run `body`, and returns when all have ended well.
  /// Once they are forked, the director does `meanwhile`: it closes its ends of pipes, say.
  void everyone(
      int processes, int threads, const std::function<void(Worker&)>& body,
      const std::function<void()>& meanwhile = [] {});
  void everyone(const std::function<void(Worker&)>& body) { everyone(processes, threads, body); }
  /// Threads of the director itself, which is the first of them.
  void own_threads(int threads, const std::function<void(Worker&)>& body);

 private:
  Worker make_worker(int number, int process, int thread) const;
  void play(int process, int threads, const std::function<void(Worker&)>& body);

  const char* scene_;
  u64 seed_, end_ns_, first_round_;
};

/// Ends the scene with a message; the first failure is the one that is told.
[[noreturn]] void fail(const char* file, int line, const std::string& message);
/// Ends the scene: it cannot be played here.
[[noreturn]] void skip(const std::string& reason);

struct Scene {
  const char* name;
  void (*play)(Stage&);
};
std::vector<Scene>& scenes();
struct RegisterScene {
  RegisterScene(const char* name, void (*play)(Stage&)) { scenes().push_back({name, play}); }
};
/// What the program does when a scene executes it as `stress --helper name arguments`.
struct Helper {
  const char* name;
  int (*play)(const std::vector<std::string>& arguments);
};
std::vector<Helper>& helpers();
struct RegisterHelper {
  RegisterHelper(const char* name, int (*play)(const std::vector<std::string>&)) {
    helpers().push_back({name, play});
  }
};

template <typename T>
T check_ok(T value, const char* text, const char* file, int line) {
  if ((intptr_t)value == -1) fail(file, line, std::string(text) + ": " + strerror(errno));
  return value;
}

template <typename A, typename B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (std::cmp_equal(+a, +b)) return;
  fail(file, line, std::string(text) + ": " + std::to_string(a) + " != " + std::to_string(b));
}

/// Waits for `pid`, which must end with status `code`.
void reap(pid_t pid, int code, const char* file, int line);
std::string describe_status(int status);

/// Forks; the child runs `body` and exits with 0.
template <typename Body>
pid_t in_child(Body body) {
  const pid_t pid = check_ok(fork(), "fork", __FILE__, __LINE__);
  if (pid == 0) {
    body();
    _exit(0);
  }
  return pid;
}

/// All of `size` bytes, however many calls it takes.
void write_all(int fd, const void* data, size_t size);
/// Reads until `size` bytes or the end; how many came.
size_t read_all(int fd, void* data, size_t size);

}  // namespace stress

#define SCENE(scene)                                                    \
  static void scene_##scene(stress::Stage& stage);                      \
  static stress::RegisterScene register_##scene(#scene, scene_##scene); \
  static void scene_##scene([[maybe_unused]] stress::Stage& stage)
#define HELPER(helper)                                                              \
  static int helper_##helper(const std::vector<std::string>& arguments);            \
  static stress::RegisterHelper register_helper_##helper(#helper, helper_##helper); \
  static int helper_##helper([[maybe_unused]] const std::vector<std::string>& arguments)

#define FAIL(message) stress::fail(__FILE__, __LINE__, message)
#define CHECK(condition)                \
  do {                                  \
    if (!(condition)) FAIL(#condition); \
  } while (false)
#define CHECK_EQ(a, b) stress::check_equal(a, b, #a " == " #b, __FILE__, __LINE__)
/// The value of a call that must not return -1.
#define OK(call) stress::check_ok(call, #call, __FILE__, __LINE__)
/// A call that may succeed or fail with `condition` on errno; whether it succeeded.
#define OK_OR(call, condition)                                                       \
  [&] {                                                                              \
    if ((intptr_t)(call) != -1) return true;                                         \
    const int error = errno;                                                         \
    if (!(condition))                                                                \
      stress::fail(__FILE__, __LINE__, std::string(#call) + ": " + strerror(error)); \
    return false;                                                                    \
  }()
#define REAP(pid, code) stress::reap(pid, code, __FILE__, __LINE__)
