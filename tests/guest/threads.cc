// Threads: clone, POSIX threads, thread-local storage, futexes between threads and processes.
#include <asm/prctl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <climits>
#include <ctime>
#include <functional>
#include <memory>

#include "check.h"

namespace {

long futex(std::atomic<int>* word, int operation, int value, const timespec* timeout = nullptr,
           std::atomic<int>* second = nullptr, unsigned mask = 0) {
  return syscall(SYS_futex, word, operation, value, timeout, second, mask);
}

long futex_requeue(std::atomic<int>* from, int operation, int wake, long move, std::atomic<int>* to,
                   unsigned value) {
  return syscall(SYS_futex, from, operation, wake, move, to, value);
}

pid_t gettid_call() { return syscall(SYS_gettid); }

class Thread {
 public:
  template <typename Body>
  explicit Thread(Body body) : body_(body) {
    CHECK_EQ(pthread_create(
                 &thread_, nullptr,
                 [](void* self) -> void* {
                   auto* thread = static_cast<Thread*>(self);
                   thread->tid_ = gettid_call();
                   thread->body_();
                   return nullptr;
                 },
                 this),
             0);
  }
  ~Thread() { CHECK_EQ(pthread_join(thread_, nullptr), 0); }
  Thread(const Thread&) = delete;

  void await_sleep() const {
    while (tid_ == 0) sched_yield();
    await_state(tid_, 'S');
  }

 private:
  std::function<void()> body_;
  pthread_t thread_;
  std::atomic<pid_t> tid_ = 0;
};

struct Shared {
  std::atomic<int> word, other;
  pthread_mutex_t mutex;
  pthread_cond_t condition;
};

Shared* map_shared() {
  return static_cast<Shared*>(
      OK(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)));
}

thread_local int thread_local_value = 5;

}  // namespace

TEST(create_join_and_result) {
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr, [](void* value) -> void* { return static_cast<char*>(value) + 1; },
               reinterpret_cast<void*>(41)),
           0);
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  CHECK_EQ(reinterpret_cast<intptr_t>(result), 42);
}

TEST(many_threads) {
  static std::atomic<int> sum = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<Thread>> threads;
    for (int i = 0; i < 50; ++i) threads.push_back(std::make_unique<Thread>([] { ++sum; }));
  }
  CHECK_EQ(sum + 0, 500);
}

TEST(ids) {
  static const pid_t process = getpid(), main_thread = gettid_call();
  CHECK_EQ(process, main_thread);
  Thread([] {
    CHECK_EQ(getpid(), process);
    CHECK(gettid_call() != process);
    OK(syscall(SYS_tgkill, process, gettid_call(), 0));
    CHECK(std::filesystem::exists("/proc/self/task/" + std::to_string(gettid_call())));
  });
}

TEST(thread_local_storage) {
  thread_local_value = 6;
  Thread([] {
    CHECK_EQ(thread_local_value, 5);
    thread_local_value = 7;
  });
  CHECK_EQ(thread_local_value, 6);
  CHECK_EXIT(in_child([] { CHECK_EQ(thread_local_value, 6); }), 0);
}

TEST(arch_prctl_bases) {
  unsigned long fs, gs;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  CHECK_EQ(*reinterpret_cast<unsigned long*>(fs), fs);
  static unsigned long target[2] = {17, 18};
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, target));
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
  CHECK_EQ(gs, reinterpret_cast<unsigned long>(target));
  unsigned long value;
  asm volatile("mov %%gs:8, %0" : "=r"(value));
  CHECK_EQ(value, 18);
  CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000), EPERM);
  CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_FS, 1), EFAULT);
  CHECK_ERRNO(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
}

TEST(gs_base_survives_system_calls_and_signals) {
  static unsigned long target = 23;
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &target));
  signal(SIGUSR1, [](int) {});
  OK(raise(SIGUSR1));
  getppid();
  unsigned long value;
  asm volatile("mov %%gs:0, %0" : "=r"(value));
  CHECK_EQ(value, 23);
}

TEST(clone_with_own_stack_and_tid_words) {
  static char stack[64 * 1024];
  static std::atomic<int> parent_tid, child_tid = -1, seen;
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  const int tid = OK(clone(
      [](void*) {
        seen = gettid_call();
        syscall(SYS_exit, 0);
        return 0;
      },
      stack + sizeof stack, flags, nullptr, &parent_tid, nullptr, &child_tid));
  CHECK_EQ(parent_tid + 0, tid);
  // The kernel clears the word and wakes it as a shared futex.
  int value;
  while ((value = child_tid) != 0) futex(&child_tid, FUTEX_WAIT, value);
  CHECK_EQ(seen + 0, tid);
}

TEST(clone_errors) {
  CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND, nullptr, nullptr, nullptr, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD, nullptr, nullptr, nullptr, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, nullptr, nullptr, nullptr, 0), EINVAL);
}

TEST(clone_shares_files_and_directory_on_request) {
  static char stack[64 * 1024];
  OK(mkdir("inner", 0755));
  static int opened;
  const pid_t child = OK(clone(
      [](void*) {
        opened = open("/dev/null", O_RDONLY);
        return chdir("inner");
      },
      stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, nullptr));
  CHECK_EXIT(child, 0);
  OK(fcntl(opened, F_GETFD));
  CHECK(std::filesystem::current_path().filename() == "inner");
}

TEST(clone_parent) {
  const pid_t test = getpid();
  const pid_t middle = in_child([=] {
    const long sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0);
    if (sibling == 0) _exit(getppid() == test ? 21 : 22);
  });
  CHECK_EXIT(middle, 0);
  int status;
  OK(waitpid(-1, &status, 0));
  CHECK_EQ(WEXITSTATUS(status), 21);
}

TEST(clone3) {
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } arguments = {};
  arguments.exit_signal = SIGCHLD;
  const long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == -1 && errno == ENOSYS) skip("no clone3 here");
  OK(child);
  if (child == 0) _exit(12);
  CHECK_EXIT(child, 12);
  CHECK_ERRNO(syscall(SYS_clone3, &arguments, 8), EINVAL);
  arguments.exit_signal = 1000;
  CHECK_ERRNO(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
}

TEST(exit_group_from_a_thread) {
  CHECK_EXIT(in_child([] {
               Thread thread([] { _exit(13); });
               pause();
             }),
             13);
}

TEST(main_thread_may_leave_first) {
  CHECK_EXIT(in_child([] {
               static Thread thread([] {
                 await_state(getpid(), 'Z');
                 _exit(14);
               });
               syscall(SYS_exit, 0);
             }),
             14);
}

TEST(mutex_contention) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static int counter = 0;
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (int i = 0; i < 4; ++i) {
      threads.push_back(std::make_unique<Thread>([] {
        for (int k = 0; k < 20000; ++k) {
          pthread_mutex_lock(&mutex);
          ++counter;
          pthread_mutex_unlock(&mutex);
        }
      }));
    }
  }
  CHECK_EQ(counter, 80000);
}

TEST(condition_variable) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  static int turn = 0;
  const auto play = [](int own) {
    for (int i = 0; i < 500; ++i) {
      pthread_mutex_lock(&mutex);
      while (turn != own) pthread_cond_wait(&condition, &mutex);
      turn = 1 - own;
      pthread_cond_broadcast(&condition);
      pthread_mutex_unlock(&mutex);
    }
  };
  Thread first([=] { play(0); });
  Thread second([=] { play(1); });
}

TEST(condition_variable_timeout) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  pthread_mutex_lock(&mutex);
  timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 2000000;
  if (soon.tv_nsec >= 1000000000) soon = {soon.tv_sec + 1, soon.tv_nsec - 1000000000};
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &soon), ETIMEDOUT);
}

TEST(barrier_and_rwlock) {
  static pthread_barrier_t barrier;
  static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  static std::atomic<int> serial = 0;
  static int value = 0;
  pthread_barrier_init(&barrier, nullptr, 4);
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (int i = 0; i < 4; ++i) {
      threads.push_back(std::make_unique<Thread>([] {
        for (int k = 0; k < 50; ++k) {
          serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
          pthread_rwlock_wrlock(&lock);
          ++value;
          pthread_rwlock_unlock(&lock);
          pthread_rwlock_rdlock(&lock);
          CHECK(value > 0);
          pthread_rwlock_unlock(&lock);
        }
      }));
    }
  }
  CHECK_EQ(serial + 0, 50);
  CHECK_EQ(value, 200);
}

TEST(robust_mutex_of_a_dead_process) {
  Shared* shared = map_shared();
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  CHECK_EQ(pthread_mutex_init(&shared->mutex, &attributes), 0);
  CHECK_EXIT(in_child([=] { CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0); }), 0);
  CHECK_EQ(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(&shared->mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);

  // Killed while holding it.
  Signpost held;
  const pid_t child = in_child([&] {
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    held.reach();
    pause();
  });
  held.await();
  CHECK_EQ(pthread_mutex_trylock(&shared->mutex), EBUSY);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
  CHECK_EQ(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
}

TEST(robust_list_calls) {
  void* head;
  size_t length;
  OK(syscall(SYS_get_robust_list, 0, &head, &length));
  CHECK_EQ(length, 24);
  CHECK(head != nullptr);
  CHECK_ERRNO(syscall(SYS_set_robust_list, head, 23), EINVAL);
  CHECK_ERRNO(syscall(SYS_get_robust_list, 0x3fffffff, &head, &length), ESRCH);
}

TEST(mutex_and_condition_between_processes) {
  Shared* shared = map_shared();
  pthread_mutexattr_t mutex_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex_attributes);
  pthread_condattr_t condition_attributes;
  pthread_condattr_init(&condition_attributes);
  pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &condition_attributes);
  const auto play = [=](int own) {
    for (int i = 0; i < 300; ++i) {
      pthread_mutex_lock(&shared->mutex);
      while (shared->word % 2 != own) pthread_cond_wait(&shared->condition, &shared->mutex);
      ++shared->word;
      pthread_cond_broadcast(&shared->condition);
      pthread_mutex_unlock(&shared->mutex);
    }
  };
  const pid_t child = in_child([=] { play(1); });
  play(0);
  CHECK_EXIT(child, 0);
  CHECK_EQ(shared->word + 0, 600);
}

TEST(priority_inheriting_mutex) {
  static pthread_mutex_t mutex;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  if (pthread_mutex_init(&mutex, &attributes) == ENOTSUP) skip("no PI futexes here");
  static int counter = 0;
  {
    const auto work = [] {
      for (int i = 0; i < 1000; ++i) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        ++counter;
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
      }
    };
    Thread first(work), second(work);
  }
  CHECK_EQ(counter, 2000);
}

TEST(futex_wait_errors) {
  std::atomic<int> word = 1;
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0), EAGAIN);
  const timespec invalid = {0, 1000000000}, negative = {-1, 0};
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &invalid), EINVAL);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &negative), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex, 8, FUTEX_WAIT_PRIVATE, 0, nullptr), EFAULT);
  CHECK_ERRNO(
      syscall(SYS_futex, reinterpret_cast<char*>(&word) + 1, FUTEX_WAIT_PRIVATE, 0, nullptr),
      EINVAL);
  CHECK_ERRNO(futex(&word, 99, 0), ENOSYS);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, nullptr, nullptr, 0), EINVAL);
}

TEST(futex_timeouts) {
  std::atomic<int> word = 0;
  const timespec relative = {0, 3000000};
  timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &relative), ETIMEDOUT);
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 3000000);
  // FUTEX_WAIT_BITSET takes an absolute time.
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &after, nullptr, ~0u), ETIMEDOUT);
  timespec realtime;
  clock_gettime(CLOCK_REALTIME, &realtime);
  CHECK_ERRNO(
      futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &realtime, nullptr, ~0u),
      ETIMEDOUT);
}

TEST(futex_wake_counts) {
  static std::atomic<int> word = 0;
  CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10), 0);
  const auto wait_once = [] { OK(futex(&word, FUTEX_WAIT_PRIVATE, 0)); };
  Thread a(wait_once), b(wait_once), c(wait_once);
  a.await_sleep();
  b.await_sleep();
  c.await_sleep();
  CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2), 2);
  CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX), 1);
}

TEST(futex_bitset) {
  static std::atomic<int> word = 0;
  static std::atomic<int> woken = 0;
  Thread first([] {
    OK(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 1));
    woken = woken * 10 + 1;
  });
  Thread second([] {
    OK(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 2));
    woken = woken * 10 + 2;
  });
  first.await_sleep();
  second.await_sleep();
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, nullptr, nullptr, 4), 0);
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, nullptr, nullptr, 2), 1);
  while (woken != 2) sched_yield();
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, nullptr, nullptr, 3), 1);
}

TEST(futex_requeue_moves_waiters) {
  static std::atomic<int> from = 0, to = 0;
  const auto wait_once = [] { OK(futex(&from, FUTEX_WAIT_PRIVATE, 0)); };
  Thread a(wait_once), b(wait_once), c(wait_once);
  a.await_sleep();
  b.await_sleep();
  c.await_sleep();
  CHECK_ERRNO(futex_requeue(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &to, 7), EAGAIN);
  // One woken, one moved, one left.
  CHECK_EQ(futex_requeue(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &to, 0), 2);
  CHECK_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 10), 1);
  CHECK_EQ(futex_requeue(&from, FUTEX_REQUEUE_PRIVATE, 0, 10, &to, 0), 1);
  CHECK_EQ(futex(&from, FUTEX_WAKE_PRIVATE, 10), 0);
  CHECK_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 10), 1);
}

TEST(futex_wake_op) {
  static std::atomic<int> first = 0, second = 5;
  Thread a([] { OK(futex(&first, FUTEX_WAIT_PRIVATE, 0)); });
  Thread b([] {
    long result;
    do result = futex(&second, FUTEX_WAIT_PRIVATE, 5);
    while (result == -1 && errno == EINTR);
    OK(result);
  });
  a.await_sleep();
  b.await_sleep();
  // second += 3, and its waiters wake because the old value was 5.
  CHECK_EQ(futex_requeue(&first, FUTEX_WAKE_OP_PRIVATE, 10, 10, &second,
                         FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)),
           2);
  CHECK_EQ(second + 0, 8);
  CHECK_EQ(futex_requeue(&first, FUTEX_WAKE_OP_PRIVATE, 1, 1, &second,
                         FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 100)),
           0);
  CHECK_EQ(second + 0, 1);
}

TEST(futex_between_processes) {
  Shared* shared = map_shared();
  const pid_t child = in_child([=] {
    while (shared->word == 0) futex(&shared->word, FUTEX_WAIT, 0);
    shared->other = 9;
    futex(&shared->other, FUTEX_WAKE, 1);
  });
  await_state(child, 'S');
  shared->word = 1;
  CHECK_EQ(futex(&shared->word, FUTEX_WAKE, 1), 1);
  while (shared->other == 0) futex(&shared->other, FUTEX_WAIT, 0);
  CHECK_EXIT(child, 0);
}

TEST(futex_on_a_shared_file) {
  // The same word at two addresses of two mappings.
  write_file("file", std::string(4096, '\0'));
  const int fd = OK(open("file", O_RDWR));
  const auto map = [=] {
    return static_cast<std::atomic<int>*>(
        OK(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  };
  auto* here = map();
  auto* there = map();
  Thread waiter([=] { OK(futex(there, FUTEX_WAIT, 0)); });
  waiter.await_sleep();
  CHECK_EQ(futex(here, FUTEX_WAKE, 1), 1);
}

TEST(private_futexes_of_a_fork_are_separate) {
  auto* word = static_cast<std::atomic<int>*>(
      OK(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  *word = 0;
  const pid_t child = in_child([=] { futex(word, FUTEX_WAIT, 0); });
  await_state(child, 'S');
  CHECK_EQ(futex(word, FUTEX_WAKE, 1), 0);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(thread_names) {
  OK(prctl(PR_SET_NAME, "main"));
  Thread thread([] {
    OK(prctl(PR_SET_NAME, "a_name_that_is_too_long"));
    char name[16];
    OK(prctl(PR_GET_NAME, name));
    CHECK_EQ(std::string(name), "a_name_that_is_");
  });
  char name[16];
  OK(prctl(PR_GET_NAME, name));
  CHECK_EQ(std::string(name), "main");
}

TEST(fork_in_a_busy_process) {
  static std::atomic<bool> stop = false;
  const auto work = [] {
    while (!stop) {
      void* page =
          OK(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      std::memset(page, 1, 8192);
      OK(munmap(page, 8192));
    }
  };
  Thread first(work), second(work);
  for (int i = 0; i < 30; ++i) CHECK_EXIT(in_child([] { _exit(5); }), 5);
  stop = true;
}
