// Processes, signals and System V semaphores where two things happen at once, and where there is
// much of something: nothing is lost, nobody escapes, and costs stay what they are.
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <atomic>
#include <new>
#include <set>

#include "check.h"

namespace {

/// Counters that forked processes share.
struct Shared {
  std::atomic<int> a{0}, b{0}, c{0};
};
Shared& shared() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) FAIL("mmap");
  return *new (memory) Shared;
}

void* as_argument(void (*body)()) { return reinterpret_cast<void*>(body); }
void* run_argument(void* body) {
  reinterpret_cast<void (*)()>(body)();
  return nullptr;
}
pthread_t start(void (*body)()) {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, run_argument, as_argument(body)) != 0)
    FAIL("pthread_create");
  return thread;
}

double seconds_of(auto body) {
  timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  body();
  clock_gettime(CLOCK_MONOTONIC, &to);
  return double(to.tv_sec - from.tv_sec) + double(to.tv_nsec - from.tv_nsec) * 1e-9;
}

std::atomic<int> taken{0};
void count_signal(int) { taken.fetch_add(1); }

int semaphore_call(int set, short change, short flags = 0, unsigned short number = 0) {
  sembuf operation = {number, change, flags};
  return semop(set, &operation, 1);
}

}  // namespace

TEST(nobody_escapes_the_kill_of_a_group) {
  Shared& state = shared();
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  for (int round = 0; round < 30; ++round) {
    const pid_t leader = in_child([&] {
      setpgid(0, 0);
      state.a = 1;
      // Each generation forks the next and goes: a kill that missed one would miss all to come.
      for (;;) {
        if (fork() > 0) _exit(0);
      }
    });
    while (state.a == 0) sched_yield();
    state.a = 0;
    usleep(round * 300 % 5000);
    while (kill(-leader, SIGKILL) == 0) {
      // Reaped here, as the subreaper.
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
    CHECK_EQ(errno, ESRCH);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    CHECK_EQ(errno, ECHILD);
  }
}

TEST(group_kill_leaves_no_fork_behind) {
  // One kill is enough: whoever is in the middle of a fork makes no survivor.
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  for (int round = 0; round < 30; ++round) {
    const pid_t leader = in_child([] {
      setpgid(0, 0);
      for (int i = 0; i < 3; ++i) {
        if (fork() == 0) break;
      }
      for (;;) {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, nullptr, 0);
      }
    });
    while (getpgid(leader) != leader) sched_yield();
    usleep(round * 700 % 4000);
    OK(kill(-leader, SIGKILL));
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    CHECK_EQ(errno, ECHILD);
  }
}

HELPER(succeed) { return 7; }

TEST(exec_while_threads_make_threads) {
  const std::string self = own_path();
  for (int round = 0; round < 20; ++round) {
    const pid_t child = in_child([&] {
      auto spawn = [] {
        for (;;) {
          pthread_t thread;
          pthread_attr_t attributes;
          pthread_attr_init(&attributes);
          pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
          pthread_attr_setstacksize(&attributes, 65536);
          (void)pthread_create(
              &thread, &attributes, [](void*) -> void* { return nullptr; }, nullptr);
        }
      };
      start(spawn);
      start(spawn);
      usleep(round * 100);
      execl(self.c_str(), self.c_str(), "--helper", "succeed", nullptr);
      FAIL("execl");
    });
    CHECK_EXIT(child, 7);
  }
}

TEST(two_threads_execute_at_once) {
  static std::string self;
  self = own_path();
  for (int round = 0; round < 20; ++round) {
    const pid_t child = in_child([] {
      static std::atomic<int> ready;
      ready = 0;
      auto execute = [] {
        ++ready;
        while (ready < 3) {
        }
        execl(self.c_str(), self.c_str(), "--helper", "succeed", nullptr);
      };
      start(execute);
      start(execute);
      execute();
    });
    CHECK_EXIT(child, 7);
  }
}

TEST(unblocking_never_misses_a_signal) {
  // A thread opens and closes its mask while another sends: each signal is taken in the end.
  struct sigaction action {};
  action.sa_handler = count_signal;
  OK(sigaction(SIGRTMIN, &action, nullptr));
  static std::atomic<bool> stop, blocked_only;
  static std::atomic<int> sent;
  stop = false;
  sent = 0;
  static pthread_t receiver;
  receiver = pthread_self();
  sigset_t one, none;
  sigemptyset(&none);
  sigemptyset(&one);
  sigaddset(&one, SIGRTMIN);
  const pthread_t sender = start([] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (int i = 0; i < 150; ++i) {
      // One at a time: the receiver must take it however it is just changing its mask.
      if (i % 2) {
        if (pthread_kill(receiver, SIGRTMIN) != 0) FAIL("pthread_kill");
      } else {
        OK(kill(getpid(), SIGRTMIN));
      }
      ++sent;
      while (taken < sent) sched_yield();
    }
    stop = true;
  });
  while (!stop) {
    pthread_sigmask(SIG_BLOCK, &one, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  }
  pthread_join(sender, nullptr);
  CHECK_EQ(taken.load(), 150);
}

TEST(a_process_signal_finds_a_thread_whatever_masks_do) {
  struct sigaction action {};
  action.sa_handler = count_signal;
  OK(sigaction(SIGUSR1, &action, nullptr));
  static std::atomic<bool> stop;
  stop = false;
  auto toggle = [] {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    while (!stop) {
      pthread_sigmask(SIG_BLOCK, &one, nullptr);
      pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    }
  };
  const pthread_t first = start(toggle), second = start(toggle);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
  for (int i = 1; i <= 150; ++i) {
    OK(kill(getpid(), SIGUSR1));
    while (taken < i) sched_yield();
  }
  stop = true;
  pthread_join(first, nullptr);
  pthread_join(second, nullptr);
}

TEST(many_queued_signals_keep_order_and_count) {
  constexpr int kMany = 900;
  sigset_t all;
  sigfillset(&all);
  OK(sigprocmask(SIG_BLOCK, &all, nullptr));
  for (int i = 0; i < kMany; ++i) {
    OK(sigqueue(getpid(), SIGRTMIN + i % 3, sigval{.sival_int = i}));
  }
  // Standard ones among them are kept once.
  OK(kill(getpid(), SIGUSR1));
  OK(kill(getpid(), SIGUSR1));
  int next[3] = {0, 1, 2}, standard = 0, count = 0;
  siginfo_t info;
  const timespec now{};
  for (;;) {
    const int signal = sigtimedwait(&all, &info, &now);
    if (signal == -1) break;
    if (signal == SIGUSR1) {
      ++standard;
      continue;
    }
    int& expected = next[signal - SIGRTMIN];
    CHECK_EQ(info.si_value.sival_int, expected);
    expected += 3;
    ++count;
  }
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(count, kMany);
  CHECK_EQ(standard, 1);
}

TEST(queued_signals_are_counted_for_the_user) {
  need_root();
  // A user of its own: others' signals do not count.
  const pid_t child = in_child([] {
    const rlimit limit = {100, 100};
    OK(setrlimit(RLIMIT_SIGPENDING, &limit));
    OK(setresuid(54321, 54321, 54321));
    sigset_t all;
    sigfillset(&all);
    OK(sigprocmask(SIG_BLOCK, &all, nullptr));
    Signpost full, go;
    const pid_t other = in_child([&] {
      for (int i = 0; i < 60; ++i) OK(sigqueue(getpid(), SIGRTMIN, {}));
      full.reach();
      go.await();
    });
    full.await();
    int own = 0;
    while (sigqueue(getpid(), SIGRTMIN, {}) == 0) ++own;
    CHECK_EQ(errno, EAGAIN);
    CHECK(own >= 38 && own <= 40);
    // What kill sends is told even so, without its sender.
    OK(kill(getpid(), SIGRTMIN + 1));
    sigset_t pending;
    OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGRTMIN + 1));
    // The other's end gives its share back.
    go.reach();
    CHECK_EXIT(other, 0);
    for (int i = 0; i < 55; ++i) OK(sigqueue(getpid(), SIGRTMIN, {}));
  });
  CHECK_EXIT(child, 0);
}

TEST(processes_are_counted_for_the_user) {
  need_root();
  const pid_t child = in_child([] {
    const rlimit limit = {5, 5};
    OK(setrlimit(RLIMIT_NPROC, &limit));
    OK(setresuid(54322, 54322, 54322));
    for (int round = 0; round < 3; ++round) {
      std::vector<pid_t> children;
      for (;;) {
        const pid_t pid = fork();
        if (pid == 0) {
          for (;;) pause();
        }
        if (pid == -1) break;
        children.push_back(pid);
      }
      CHECK_EQ(errno, EAGAIN);
      CHECK_EQ(children.size(), 4u);
      for (pid_t pid : children) OK(kill(pid, SIGKILL));
      for (pid_t pid : children) CHECK_KILLED(pid, SIGKILL);
    }
  });
  CHECK_EXIT(child, 0);
}

TEST(each_of_many_children_is_waited_for_once) {
  std::set<pid_t> children;
  for (int i = 0; i < 300; ++i) children.insert(in_child([i] { _exit(i & 1); }));
  // By id, in any order; then whatever there is.
  auto middle = std::next(children.begin(), 150);
  const pid_t chosen = *middle;
  int status = 0;
  CHECK_EQ(waitpid(chosen, &status, 0), chosen);
  children.erase(middle);
  while (!children.empty()) {
    siginfo_t info{};
    OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
    CHECK(children.contains(info.si_pid));
    const pid_t pid = OK(waitpid(-1, &status, 0));
    CHECK_EQ(children.erase(pid), 1u);
  }
  CHECK_ERRNO(waitpid(-1, nullptr, 0), ECHILD);
}

TEST(waits_sort_children_by_what_they_report) {
  const pid_t runs = in_child([] {
    for (;;) pause();
  });
  const pid_t stops = in_child([] {
    for (;;) pause();
  });
  int status = 0;
  OK(kill(stops, SIGSTOP));
  CHECK_EQ(waitpid(-1, &status, WUNTRACED), stops);
  CHECK(WIFSTOPPED(status));
  // Told once.
  CHECK_EQ(waitpid(-1, &status, WUNTRACED | WNOHANG), 0);
  OK(kill(stops, SIGCONT));
  // Not asked for.
  CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
  CHECK_EQ(waitpid(-1, &status, WCONTINUED), stops);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(waitpid(-1, &status, WCONTINUED | WNOHANG), 0);
  const pid_t ends = in_child([] { _exit(4); });
  CHECK_EQ(waitpid(-1, &status, 0), ends);
  CHECK_EQ(WEXITSTATUS(status), 4);
  CHECK_ERRNO(waitpid(-1, &status, WNOHANG | __WCLONE), ECHILD);
  OK(kill(runs, SIGKILL));
  OK(kill(stops, SIGKILL));
  CHECK_KILLED(runs, SIGKILL);
  CHECK_KILLED(stops, SIGKILL);
}

TEST(a_wait_costs_the_same_with_many_children) {
  Signpost go;
  // All but one wait; that one is waited for again and again.
  auto cost = [&](int waiting) {
    std::vector<pid_t> children;
    for (int i = 0; i < waiting; ++i) {
      children.push_back(in_child([] {
        for (;;) pause();
      }));
    }
    const double time = seconds_of([] {
      for (int i = 0; i < 2000; ++i) (void)waitpid(-1, nullptr, WNOHANG);
    });
    for (pid_t pid : children) kill(pid, SIGKILL);
    for (pid_t pid : children) reap(pid);
    return time;
  };
  const double few = cost(2), many = cost(300);
  // On Linux it is linear; here neither side may be worse than that.
  CHECK(many < few * 300 + 0.05);
}

TEST(semaphore_sets_in_numbers) {
  constexpr int kSets = 2000;
  std::vector<int> sets;
  const double time = seconds_of([&] {
    for (int i = 0; i < kSets; ++i) {
      const int set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
      if (set == -1) break;
      sets.push_back(set);
    }
  });
  CHECK(sets.size() > 100);
  CHECK(time < 5);
  std::set<int> different(sets.begin(), sets.end());
  CHECK_EQ(different.size(), sets.size());
  for (int set : sets) OK(semctl(set, 0, IPC_RMID));
}

TEST(keys_of_semaphore_sets) {
  const key_t key = 0x4c580000 + getpid() % 0xffff;
  const int set = OK(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  CHECK_ERRNO(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(semget(key, 1, 0), set);
  CHECK_ERRNO(semget(key, 3, 0), EINVAL);
  OK(semctl(set, 0, IPC_RMID));
  CHECK_ERRNO(semget(key, 1, 0), ENOENT);
  const int again = OK(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  CHECK(again != set);
  OK(semctl(again, 0, IPC_RMID));
}

TEST(semaphore_waiters_go_on_as_far_as_they_can) {
  const int set = OK(semget(IPC_PRIVATE, 3, IPC_CREAT | 0600));
  Shared& state = shared();
  std::vector<pid_t> takers;
  for (int i = 0; i < 6; ++i) {
    takers.push_back(in_child([&] {
      OK(semaphore_call(set, -2));
      ++state.a;
    }));
  }
  while (semctl(set, 0, GETNCNT) != 6) sched_yield();
  const pid_t waits_for_zero = in_child([&] {
    OK(semaphore_call(set, 1, 0, 1));
    OK(semaphore_call(set, 0, 0, 1));
    ++state.b;
  });
  while (semctl(set, 1, GETZCNT) != 1) sched_yield();
  // One after the other, all or nothing.
  const pid_t both = in_child([&] {
    sembuf operations[] = {{1, -1, 0}, {2, -1, 0}};
    OK(semop(set, operations, 2));
    ++state.c;
  });
  while (semctl(set, 2, GETNCNT) != 1) sched_yield();
  CHECK_EQ(state.b.load(), 0);
  // Enough for two takers and half a third.
  OK(semaphore_call(set, 5));
  while (state.a != 2) sched_yield();
  CHECK_EQ(semctl(set, 0, GETVAL), 1);
  CHECK_EQ(semctl(set, 0, GETNCNT), 4);
  OK(semaphore_call(set, 7));
  while (state.a != 6) sched_yield();
  CHECK_EQ(semctl(set, 0, GETVAL), 0);
  // What it makes possible makes another thing possible.
  OK(semaphore_call(set, 1, 0, 2));
  CHECK_EXIT(both, 0);
  CHECK_EXIT(waits_for_zero, 0);
  for (pid_t pid : takers) CHECK_EXIT(pid, 0);
  OK(semctl(set, 0, IPC_RMID));
}

TEST(semaphores_hand_a_token_around) {
  // Each process waits for its own semaphore and gives the next: nothing is lost or doubled.
  constexpr int kProcesses = 6, kRounds = 300;
  const int set = OK(semget(IPC_PRIVATE, kProcesses, IPC_CREAT | 0600));
  Shared& state = shared();
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(in_child([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        OK(semaphore_call(set, -1, 0, static_cast<unsigned short>(i)));
        if (state.a.fetch_add(1) != 0) FAIL("two have the token");
        ++state.b;
        state.a.fetch_sub(1);
        OK(semaphore_call(set, 1, 0, static_cast<unsigned short>((i + 1) % kProcesses)));
      }
    }));
  }
  OK(semaphore_call(set, 1, 0, 0));
  for (pid_t pid : children) CHECK_EXIT(pid, 0);
  CHECK_EQ(state.b.load(), kProcesses * kRounds);
  OK(semctl(set, 0, IPC_RMID));
}

TEST(undo_wakes_those_who_wait) {
  const int set = OK(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
  OK(semctl(set, 0, SETVAL, 1));
  Signpost holds, go;
  const pid_t holder = in_child([&] {
    OK(semaphore_call(set, -1, SEM_UNDO));
    holds.reach();
    go.await();
    kill(getpid(), SIGKILL);
  });
  holds.await();
  const pid_t waiter = in_child([&] { OK(semaphore_call(set, -1, SEM_UNDO)); });
  while (semctl(set, 0, GETNCNT) != 1) sched_yield();
  go.reach();
  CHECK_KILLED(holder, SIGKILL);
  CHECK_EXIT(waiter, 0);
  CHECK_EQ(semctl(set, 0, GETVAL), 1);
  OK(semctl(set, 0, IPC_RMID));
}

TEST(a_signal_ends_a_semop) {
  const int set = OK(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
  const pid_t waiter = in_child([&] {
    struct sigaction action {};
    action.sa_handler = count_signal;
    action.sa_flags = SA_RESTART;
    OK(sigaction(SIGUSR1, &action, nullptr));
    CHECK_ERRNO(semaphore_call(set, -1), EINTR);
    sembuf operation = {0, -1, 0};
    const timespec soon = {0, 20'000'000};
    CHECK_ERRNO(semtimedop(set, &operation, 1, &soon), EAGAIN);
  });
  while (semctl(set, 0, GETNCNT) != 1) sched_yield();
  await_state(waiter, 'S');
  OK(kill(waiter, SIGUSR1));
  CHECK_EXIT(waiter, 0);
  CHECK_EQ(semctl(set, 0, GETNCNT), 0);
  OK(semctl(set, 0, IPC_RMID));
}

TEST(parents_id_follows_the_parent) {
  // Read by one process while others end and adopt.
  Signpost result;
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  const pid_t self = getpid();
  for (int round = 0; round < 50; ++round) {
    const pid_t middle = in_child([&] {
      const pid_t parent = getpid();
      if (fork() == 0) {
        pid_t seen = getppid();
        while (seen == parent) seen = getppid();
        result.reach(seen == self ? 'y' : 'n');
        _exit(0);
      }
      _exit(0);
    });
    CHECK_EXIT(middle, 0);
    CHECK_EQ(result.await(), 'y');
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  }
}
