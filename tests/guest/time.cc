// Clocks, sleeping, timers and accounting of processor time.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

#include <ctime>

#include "check.h"

namespace {

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1000000000 + time.tv_nsec; }

int64_t now(clockid_t clock) {
  timespec time;
  OK(clock_gettime(clock, &time));
  return nanoseconds(time);
}

void use_processor(int64_t amount_ns) {
  const int64_t end = now(CLOCK_PROCESS_CPUTIME_ID) + amount_ns;
  while (now(CLOCK_PROCESS_CPUTIME_ID) < end) {
  }
}

void block(int signal) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
}

siginfo_t await_signal(int signal) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&mask, &info), signal);
  return info;
}

struct Timer {
  explicit Timer(clockid_t clock, sigevent event) { OK(timer_create(clock, &event, &id)); }
  ~Timer() { OK(timer_delete(id)); }
  timer_t id;
};

sigevent by_signal(int signal, int value) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal;
  event.sigev_value.sival_int = value;
  return event;
}

}  // namespace

TEST(clocks_run) {
  for (clockid_t clock :
       {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE,
        CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_TAI}) {
    const int64_t first = now(clock);
    CHECK(now(clock) >= first);
    timespec resolution;
    OK(clock_getres(clock, &resolution));
    CHECK(nanoseconds(resolution) > 0);
    timespec by_call;
    OK(syscall(SYS_clock_gettime, clock, &by_call));
    CHECK(nanoseconds(by_call) >= first);
  }
}

TEST(clock_errors) {
  timespec time;
  CHECK_ERRNO(clock_gettime(99, &time), EINVAL);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
  CHECK_ERRNO(clock_getres(99, &time), EINVAL);
  CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &time), EINVAL);
}

TEST(realtime_sources_agree) {
  const time_t seconds = time(nullptr);
  timeval day;
  OK(gettimeofday(&day, nullptr));
  CHECK(day.tv_sec - seconds <= 5);
  CHECK(now(CLOCK_REALTIME) / 1000000000 - day.tv_sec <= 5);
  write_file("file", "");
  struct stat status;
  OK(stat("file", &status));
  CHECK(std::abs(status.st_mtim.tv_sec - day.tv_sec) <= 5);
}

TEST(sleeping_takes_its_time) {
  const int64_t start = now(CLOCK_MONOTONIC);
  const timespec time = {0, 20000000};
  OK(nanosleep(&time, nullptr));
  CHECK(now(CLOCK_MONOTONIC) - start >= 20000000);
}

TEST(sleeping_until) {
  for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
    const int64_t end = now(clock) + 10000000;
    const timespec until = {end / 1000000000, end % 1000000000};
    CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &until, nullptr), 0);
    CHECK(now(clock) >= end);
    CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &until, nullptr), 0);
  }
}

TEST(sleep_errors) {
  const timespec negative = {-1, 0}, large = {0, 1000000000}, fine = {0, 1};
  CHECK_ERRNO(nanosleep(&negative, nullptr), EINVAL);
  CHECK_ERRNO(nanosleep(&large, nullptr), EINVAL);
  CHECK_ERRNO(syscall(SYS_nanosleep, 8, nullptr), EFAULT);
  CHECK_EQ(clock_nanosleep(99, 0, &fine, nullptr), EINVAL);
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &fine, nullptr), EINVAL);
}

TEST(interrupted_sleep_tells_the_rest) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  const pid_t parent = getpid();
  const pid_t child = in_child([=] {
    await_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  const timespec time = {500, 0};
  timespec rest;
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &rest), EINTR);
  CHECK(rest.tv_sec > 400 && rest.tv_sec < 500);
  CHECK_EXIT(child, 0);
}

TEST(alarm_counts_down) {
  block(SIGALRM);
  alarm(0);
  CHECK_EQ(alarm(100), 0u);
  const unsigned rest = alarm(1);
  CHECK(rest == 100 || rest == 99);
  await_signal(SIGALRM);
  CHECK_EQ(alarm(check::kTimeoutSeconds), 0u);
}

TEST(interval_timer_of_real_time) {
  block(SIGALRM);
  const itimerval timer = {{0, 2000}, {0, 1000}};
  OK(setitimer(ITIMER_REAL, &timer, nullptr));
  for (int i = 0; i < 3; ++i) CHECK_EQ(await_signal(SIGALRM).si_code, SI_KERNEL);
  itimerval current;
  OK(getitimer(ITIMER_REAL, &current));
  CHECK_EQ(current.it_interval.tv_usec, 2000);
  const itimerval off = {};
  OK(setitimer(ITIMER_REAL, &off, &current));
  const itimerval invalid = {{0, 0}, {0, 1000000}};
  CHECK_ERRNO(setitimer(ITIMER_REAL, &invalid, nullptr), EINVAL);
  CHECK_ERRNO(syscall(SYS_setitimer, 9, &off, nullptr), EINVAL);
}

TEST(interval_timers_of_processor_time) {
  static volatile sig_atomic_t signal_seen;
  for (const auto& [which, number] :
       {std::pair{ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}}) {
    signal_seen = 0;
    signal(number, [](int signal) { signal_seen = signal; });
    const itimerval timer = {{0, 0}, {0, 5000}};
    OK(setitimer(which, &timer, nullptr));
    while (signal_seen == 0) {
    }
    CHECK_EQ(signal_seen + 0, number);
  }
}

TEST(posix_timer_signals) {
  block(SIGRTMIN);
  const Timer timer(CLOCK_MONOTONIC, by_signal(SIGRTMIN, 77));
  itimerspec spec = {{0, 0}, {0, 1000000}};
  OK(timer_settime(timer.id, 0, &spec, nullptr));
  const siginfo_t info = await_signal(SIGRTMIN);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_value.sival_int, 77);
  CHECK_EQ(timer_getoverrun(timer.id), 0);
  OK(timer_gettime(timer.id, &spec));
  CHECK_EQ(nanoseconds(spec.it_value), 0);
}

TEST(posix_timer_overruns) {
  block(SIGRTMIN);
  const Timer timer(CLOCK_MONOTONIC, by_signal(SIGRTMIN, 1));
  const itimerspec spec = {{0, 100000}, {0, 100000}};
  OK(timer_settime(timer.id, 0, &spec, nullptr));
  const timespec pause = {0, 5000000};
  OK(nanosleep(&pause, nullptr));
  await_signal(SIGRTMIN);
  CHECK(timer_getoverrun(timer.id) >= 10);
}

TEST(posix_timer_absolute_and_rest) {
  const Timer timer(CLOCK_REALTIME, by_signal(SIGRTMIN, 1));
  itimerspec spec = {{0, 0}, {1000, 0}};
  OK(timer_settime(timer.id, 0, &spec, nullptr));
  itimerspec rest;
  OK(timer_gettime(timer.id, &rest));
  CHECK(rest.it_value.tv_sec >= 900);
  block(SIGRTMIN);
  spec.it_value = {1, 0};
  OK(timer_settime(timer.id, TIMER_ABSTIME, &spec, &rest));
  CHECK(rest.it_value.tv_sec >= 900);
  await_signal(SIGRTMIN);
}

TEST(posix_timer_errors) {
  timer_t id;
  sigevent event = by_signal(SIGRTMIN, 0);
  CHECK_ERRNO(timer_create(99, &event, &id), EINVAL);
  event.sigev_signo = 99;
  CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &id), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_gettime, 12345, &event), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
  const Timer timer(CLOCK_MONOTONIC, by_signal(SIGRTMIN, 0));
  const itimerspec invalid = {{0, 0}, {0, -1}};
  CHECK_ERRNO(timer_settime(timer.id, 0, &invalid, nullptr), EINVAL);
}

TEST(timers_are_not_inherited) {
  const itimerval timer = {{0, 0}, {1000, 0}};
  OK(setitimer(ITIMER_REAL, &timer, nullptr));
  CHECK_EXIT(in_child([] {
               itimerval current;
               OK(getitimer(ITIMER_REAL, &current));
               CHECK_EQ(current.it_value.tv_sec, 0);
             }),
             0);
}

TEST(processor_time_is_accounted) {
  use_processor(50000000);
  CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= 50000000);
  rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 40000);
  OK(getrusage(RUSAGE_THREAD, &usage));
  CHECK_ERRNO(getrusage(static_cast<__rusage_who>(99), &usage), EINVAL);
  tms times_used;
  CHECK(times(&times_used) > 0);
  CHECK(times_used.tms_utime + times_used.tms_stime >= 3);
  CHECK_EQ(times_used.tms_cutime, 0);
  CHECK_EXIT(in_child([] { use_processor(50000000); }), 0);
  times(&times_used);
  CHECK(times_used.tms_cutime + times_used.tms_cstime >= 3);
}

TEST(processor_time_limit) {
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  CHECK_KILLED(in_child([] {
                 const rlimit limit = {1, 2};
                 OK(setrlimit(RLIMIT_CPU, &limit));
                 while (true) {
                 }
               }),
               SIGXCPU);
}

TEST(clock_of_another_process) {
  const pid_t child = in_child([] { pause(); });
  clockid_t clock;
  CHECK_EQ(clock_getcpuclockid(child, &clock), 0);
  CHECK(now(clock) >= 0);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}
