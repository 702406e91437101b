// wait4, waitid and what becomes of processes that end: status, zombies, reparenting, usage.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>

#include "check.h"

namespace {

pid_t pausing_child() {
  return in_child([] {
    while (true) pause();
  });
}

void* report_child_status(void* child) {
  CHECK_EXIT(*static_cast<pid_t*>(child), 3);
  return nullptr;
}

}  // namespace

TEST(exit_status_is_eight_bits) {
  CHECK_EXIT(in_child([] { _exit(0x1234); }), 0x34);
  CHECK_EXIT(in_child([] { _exit(-1); }), 255);
}

TEST(status_of_a_signal) {
  const pid_t child = pausing_child();
  OK(kill(child, SIGTERM));
  const int status = reap(child);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(status & 0x7f, SIGTERM);
  CHECK(!WCOREDUMP(status));
}

TEST(no_children) {
  CHECK_ERRNO(wait(nullptr), ECHILD);
  CHECK_ERRNO(waitpid(-1, nullptr, WNOHANG), ECHILD);
  CHECK_ERRNO(waitpid(getpid(), nullptr, 0), ECHILD);
  CHECK_ERRNO(waitpid(1, nullptr, WNOHANG), ECHILD);
  siginfo_t info;
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

TEST(invalid_arguments) {
  CHECK_ERRNO(waitpid(-1, nullptr, 0x100), EINVAL);
  siginfo_t info;
  CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
  CHECK_ERRNO(waitid(static_cast<idtype_t>(77), 0, &info, WEXITED), EINVAL);
  CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
  CHECK_ERRNO(waitpid(INT32_MIN, nullptr, 0), ESRCH);
}

TEST(bad_status_pointer_still_reaps) {
  const pid_t child = in_child([] {});
  CHECK_ERRNO(syscall(SYS_wait4, child, 1, 0, nullptr), EFAULT);
  CHECK_ERRNO(waitpid(child, nullptr, 0), ECHILD);
}

TEST(nohang_then_exit) {
  Signpost go;
  const pid_t child = in_child([&] { go.await(); });
  int status = 77;
  CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
  CHECK_EQ(status, 77);
  siginfo_t info = {};
  info.si_pid = 1;
  OK(waitid(P_PID, child, &info, WEXITED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(info.si_signo, 0);
  go.reach();
  CHECK_EXIT(child, 0);
}

TEST(waitid_fills_siginfo) {
  const pid_t child = in_child([] { _exit(7); });
  siginfo_t info = {};
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_signo, SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_uid, getuid());
  CHECK_EQ(info.si_status, 7);
  // WNOWAIT left it waitable.
  info = {};
  OK(waitid(P_ALL, 0, &info, WEXITED));
  CHECK_EQ(info.si_pid, child);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);

  const pid_t killed = pausing_child();
  OK(kill(killed, SIGKILL));
  OK(waitid(P_PID, killed, &info, WEXITED));
  CHECK_EQ(info.si_code, CLD_KILLED);
  CHECK_EQ(info.si_status, SIGKILL);
}

TEST(stop_and_continue) {
  const pid_t child = pausing_child();
  OK(kill(child, SIGSTOP));
  int status;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status));
  CHECK_EQ(WSTOPSIG(status), SIGSTOP);
  // Each stop is reported once.
  CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
  OK(kill(child, SIGCONT));
  CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(waitpid(child, &status, WCONTINUED | WNOHANG), 0);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(waitid_stop_and_continue) {
  const pid_t child = pausing_child();
  OK(kill(child, SIGTSTP));
  siginfo_t info = {};
  OK(waitid(P_PID, child, &info, WSTOPPED));
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK_EQ(info.si_status, SIGTSTP);
  OK(kill(child, SIGCONT));
  OK(waitid(P_PID, child, &info, WCONTINUED));
  CHECK_EQ(info.si_code, CLD_CONTINUED);
  CHECK_EQ(info.si_status, SIGCONT);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(a_stopped_child_can_be_killed) {
  const pid_t child = pausing_child();
  OK(kill(child, SIGSTOP));
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED), child);
  OK(kill(child, SIGTERM));
  CHECK_EQ(waitpid(child, nullptr, WNOHANG), 0);
  OK(kill(child, SIGCONT));
  CHECK_KILLED(child, SIGTERM);
}

TEST(by_process_group) {
  const pid_t own = in_child([] { _exit(1); });
  const pid_t other = in_child([] { pause(); });
  OK(setpgid(other, other));
  CHECK_EQ(waitpid(0, nullptr, 0), own);
  CHECK_ERRNO(waitpid(0, nullptr, WNOHANG), ECHILD);
  CHECK_EQ(waitpid(-other, nullptr, WNOHANG), 0);
  OK(kill(other, SIGKILL));
  siginfo_t info;
  OK(waitid(P_PGID, other, &info, WEXITED));
  CHECK_EQ(info.si_pid, other);
}

TEST(by_pidfd) {
  const pid_t child = in_child([] { _exit(9); });
  const int fd = OK(syscall(SYS_pidfd_open, child, 0));
  siginfo_t info;
  OK(waitid(P_PIDFD, fd, &info, WEXITED));
  CHECK_EQ(info.si_status, 9);
  CHECK_ERRNO(waitid(P_PIDFD, STDIN_FILENO + 900, &info, WEXITED), EBADF);
}

TEST(zombie_is_visible_until_reaped) {
  const pid_t child = in_child([] {});
  siginfo_t info;
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  CHECK_EQ(check::thread_state(child), 'Z');
  OK(kill(child, 0));
  OK(kill(child, SIGKILL));
  CHECK_EQ(getpgid(child), getpgrp());
  CHECK_EXIT(child, 0);
  CHECK_ERRNO(kill(child, 0), ESRCH);
}

TEST(ignored_sigchld_reaps_by_itself) {
  signal(SIGCHLD, SIG_IGN);
  in_child([] {});
  CHECK_ERRNO(wait(nullptr), ECHILD);
}

TEST(nocldwait_reaps_by_itself) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_NOCLDWAIT;
  OK(sigaction(SIGCHLD, &action, nullptr));
  in_child([] {});
  int result;
  do result = wait(nullptr);
  while (result == -1 && errno == EINTR);
  CHECK_ERRNO(result, ECHILD);
}

TEST(sigchld_carries_siginfo) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
  const pid_t child = in_child([] { _exit(5); });
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_status, 5);
  CHECK_EXIT(child, 5);
}

TEST(nocldstop_suppresses_stop_notification) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_NOCLDSTOP;
  OK(sigaction(SIGCHLD, &action, nullptr));
  const pid_t child = pausing_child();
  OK(kill(child, SIGSTOP));
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED), child);
  sigset_t pending;
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGCHLD));
  OK(kill(child, SIGKILL));
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGCHLD);
  CHECK_EQ(info.si_code, CLD_KILLED);
  CHECK_KILLED(child, SIGKILL);
}

TEST(orphan_goes_to_the_subreaper) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  Signpost told, go;
  const pid_t child = in_child([&] {
    in_child([&] {
      const pid_t self = getpid();
      OK(write(told.write_end(), &self, sizeof self));
      go.await();
      _exit(getppid() == getpgrp() ? 11 : 12);
    });
  });
  CHECK_EXIT(child, 0);
  pid_t grandchild;
  CHECK_EQ(read(told.read_end(), &grandchild, sizeof grandchild), sizeof grandchild);
  go.reach();
  CHECK_EXIT(grandchild, 11);
}

TEST(orphan_gets_a_new_parent) {
  Signpost told, go;
  const pid_t child = in_child([&] {
    const pid_t parent = getpid();
    in_child([&, parent] {
      go.await();
      told.reach(getppid() != parent ? 'y' : 'n');
    });
  });
  CHECK_EXIT(child, 0);
  go.reach();
  CHECK_EQ(told.await(), 'y');
}

TEST(parent_death_signal) {
  Signpost died;
  const pid_t child = in_child([&] {
    Signpost ready;
    in_child([&] {
      sigset_t mask;
      sigemptyset(&mask);
      sigaddset(&mask, SIGUSR1);
      OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
      OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
      int signal = 0;
      OK(prctl(PR_GET_PDEATHSIG, &signal));
      CHECK_EQ(signal, SIGUSR1);
      ready.reach();
      siginfo_t info;
      CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR1);
      died.reach();
    });
    ready.await();
  });
  CHECK_EXIT(child, 0);
  died.await();
}

TEST(usage_of_a_child) {
  const pid_t child = in_child([] {
    rusage own;
    do OK(getrusage(RUSAGE_SELF, &own));
    while (own.ru_utime.tv_sec * 1000000 + own.ru_utime.tv_usec + own.ru_stime.tv_usec < 30000);
  });
  int status;
  rusage usage = {};
  CHECK_EQ(wait4(child, &status, 0, &usage), child);
  CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + usage.ru_utime.tv_sec * 1000000 >= 20000);
  CHECK(usage.ru_maxrss > 0);
  rusage children;
  OK(getrusage(RUSAGE_CHILDREN, &children));
  CHECK(children.ru_utime.tv_usec + children.ru_stime.tv_usec +
            children.ru_utime.tv_sec * 1000000 >=
        20000);
}

TEST(short_lives_count) {
  constexpr int kChildren = 20, kMicroseconds = 1000;
  for (int i = 0; i < kChildren; ++i) {
    CHECK_EXIT(in_child([] {
                 timespec used;
                 do OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used));
                 while (used.tv_nsec < kMicroseconds * 1000);
               }),
               0);
  }
  rusage usage;
  OK(getrusage(RUSAGE_CHILDREN, &usage));
  CHECK(usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
            usage.ru_stime.tv_sec * 1'000'000 + usage.ru_stime.tv_usec >=
        kChildren * kMicroseconds);
}

TEST(time_in_the_kernel_is_told_apart) {
  const pid_t child = in_child([] {
    rusage own;
    do {
      char* memory = static_cast<char*>(
          OK(mmap(nullptr, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
      for (int i = 0; i < 16 << 20; i += 4096) memory[i] = 1;
      OK(munmap(memory, 16 << 20));
      OK(getrusage(RUSAGE_SELF, &own));
    } while (own.ru_stime.tv_sec == 0 && own.ru_stime.tv_usec < 100'000);
    tms used;
    times(&used);
    CHECK(used.tms_stime > 0);
    // utime and stime of man 5 proc, behind the name.
    const std::string stat = read_file("/proc/self/stat");
    unsigned long user = 0, system = 0;
    CHECK_EQ(std::sscanf(stat.c_str() + stat.rfind(')') + 1,
                         " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
             2);
    CHECK(system > 0);
  });
  rusage usage = {};
  int status;
  CHECK_EQ(wait4(child, &status, 0, &usage), child);
  CHECK_EQ(status, 0);
  CHECK(usage.ru_stime.tv_sec > 0 || usage.ru_stime.tv_usec >= 50'000);
}

TEST(any_thread_may_wait) {
  Signpost go;
  pid_t child = in_child([&] {
    go.await();
    _exit(3);
  });
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, nullptr, report_child_status, &child), 0);
  go.reach();
  CHECK_EQ(pthread_join(thread, nullptr), 0);
}

TEST(wnothread_sees_only_own_children) {
  static pid_t child = in_child([] { pause(); });
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 CHECK_ERRNO(waitpid(child, nullptr, WNOHANG | __WNOTHREAD), ECHILD);
                 CHECK_EQ(waitpid(child, nullptr, WNOHANG), 0);
                 return nullptr;
               },
               nullptr),
           0);
  CHECK_EQ(pthread_join(thread, nullptr), 0);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(wclone_waits_for_children_without_sigchld) {
  const pid_t child = OK(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0));
  if (child == 0) _exit(2);
  CHECK_ERRNO(waitpid(child, nullptr, WNOHANG), ECHILD);
  int status;
  CHECK_EQ(waitpid(child, &status, __WCLONE), child);
  CHECK_EQ(WEXITSTATUS(status), 2);

  const pid_t other = OK(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0));
  if (other == 0) _exit(2);
  CHECK_EQ(waitpid(other, &status, __WALL), other);
}

TEST(wait_is_interrupted_by_a_handler) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  const pid_t self = getpid();
  const pid_t child = in_child([&] {
    await_state(self, 'S');
    OK(kill(self, SIGUSR1));
    pause();
  });
  CHECK_ERRNO(waitpid(child, nullptr, 0), EINTR);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(init_is_process_one) { CHECK(kill(1, 0) == 0 || errno == EPERM); }
