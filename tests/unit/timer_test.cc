// Kernel timers, timers that send signals, timerfd, sleeping and System V semaphores on the
// fake backend.
#include "lxcore/time/timer.h"

#include <gtest/gtest.h>

#include "lxcore/ipc/poller.h"
#include "lxcore/ipc/sysv.h"
#include "lxcore/syscalls/event.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/syscalls/time.h"
#include "lxcore/time/clocks.h"
#include "lxcore/time/posix_timers.h"
#include "pico/fake/fake.h"

namespace lxss {
namespace {

/// The value of a call that must succeed.
template <typename T>
T ok(Result<T> result) {
  return std::move(result).value();
}

constexpr u64 kMillisecond = 1'000'000;

template <typename T>
UserAddr address(T* at) {
  return UserAddr{reinterpret_cast<u64>(at)};
}

class TimerTest : public testing::Test {
 protected:
  TimerTest() {
    task_ = &instance_.new_process();
    instance_.run_as(*task_);
    kernel().monitor = kernel().init->leader;
    task_->blocked = abi::SigSet::full_set();
  }
  /// The monitor looks as if `ms` had passed.
  u64 run_after(u64 ms) { return kernel().timers.run(host::monotonic_ns() + ms * kMillisecond); }
  bool pending(i32 signal) { return task_->process->pending.set().has(signal); }

  fake::Instance instance_;
  Task* task_;
};

class CountingTimer final : public Timer {
 public:
  void fire() override { ++fired; }
  int fired = 0;
};

TEST_F(TimerTest, FiresInOrderAndOnce) {
  CountingTimer a, b;
  a.arm(100);
  b.arm(200);
  EXPECT_EQ(kernel().timers.run(50), 100u);
  EXPECT_EQ(kernel().timers.run(150), 200u);
  EXPECT_EQ(a.fired, 1);
  EXPECT_FALSE(a.armed());
  a.arm(300);
  a.arm(200);
  b.cancel();
  EXPECT_EQ(kernel().timers.run(1000), 0u);
  EXPECT_EQ(a.fired, 2);
  EXPECT_EQ(b.fired, 0);
}

TEST_F(TimerTest, CancelsWhenDestroyed) {
  {
    CountingTimer timer;
    timer.arm(10);
  }
  EXPECT_EQ(kernel().timers.run(100), 0u);
}

TEST_F(TimerTest, ClockArguments) {
  EXPECT_TRUE(clocks::to_ns(abi::Timespec{-1, 0}).is(Errno::kEINVAL));
  EXPECT_TRUE(clocks::to_ns(abi::Timespec{0, 1'000'000'000}).is(Errno::kEINVAL));
  EXPECT_EQ(ok(clocks::to_ns(abi::Timespec{i64(~u64{0} >> 1), 0})), clocks::kMaxTime);
  EXPECT_EQ(clocks::add(clocks::kMaxTime, 5), clocks::kMaxTime);
  abi::Timespec time;
  EXPECT_TRUE(sys::clock_gettime({*task_}, 12, {address(&time)}).is(Errno::kEINVAL));
  EXPECT_TRUE(sys::clock_gettime({*task_}, 1, {address(&time)}).ok());
  EXPECT_TRUE(sys::clock_settime({*task_}, 0, {address(&time)}).is(Errno::kEPERM));
  EXPECT_TRUE(sys::clock_settime({*task_}, 1, {address(&time)}).is(Errno::kEINVAL));
}

TEST_F(TimerTest, Alarm) {
  EXPECT_EQ(ok(sys::alarm({*task_}, 10)), 0u);
  EXPECT_EQ(ok(sys::alarm({*task_}, 1)), 10u);
  EXPECT_NE(run_after(1), 0u);
  EXPECT_FALSE(pending(abi::kSIGALRM));
  // The timer looks at the real clock: only a deadline that has passed counts.
  abi::Itimerval soon{{0, 0}, {0, 1}};
  ASSERT_TRUE(sys::setitimer({*task_}, 0, {address(&soon)}, {}).ok());
  while (!pending(abi::kSIGALRM)) kernel().timers.run(host::monotonic_ns());
  abi::Itimerval left;
  ASSERT_TRUE(sys::getitimer({*task_}, 0, {address(&left)}).ok());
  EXPECT_EQ(left.it_value.tv_sec + left.it_value.tv_usec, 0);
}

TEST_F(TimerTest, PosixTimerCountsOverruns) {
  abi::SigEvent event{};
  event.notify = abi::kSIGEV_SIGNAL;
  event.signo = abi::kSIGRTMIN + 3;
  event.value.sival_int = 42;
  i32 id = -1;
  ASSERT_TRUE(sys::timer_create({*task_}, 1, {address(&event)}, {address(&id)}).ok());
  abi::Itimerspec setting{{0, 1000}, {0, 1}};
  ASSERT_TRUE(sys::timer_settime({*task_}, id, 0, {address(&setting)}, {}).ok());
  const u64 end = host::monotonic_ns() + 3 * kMillisecond;
  while (host::monotonic_ns() < end) kernel().timers.run(host::monotonic_ns());
  ASSERT_TRUE(pending(event.signo));
  abi::SigInfo info = signals::take(*task_, abi::SigSet::of(event.signo));
  EXPECT_EQ(info.code, abi::kSI_TIMER);
  EXPECT_EQ(info.timer.sigval.sival_int, 42);
  timer_signal_taken(*task_->process, info);
  EXPECT_GT(info.timer.overrun, 500);
  EXPECT_EQ(ok(sys::timer_getoverrun({*task_}, id)), info.timer.overrun);
  EXPECT_FALSE(pending(event.signo));
  EXPECT_TRUE(sys::timer_delete({*task_}, id).ok());
  EXPECT_TRUE(sys::timer_delete({*task_}, id).is(Errno::kEINVAL));
  EXPECT_EQ(run_after(1000), 0u);
}

TEST_F(TimerTest, TimersGoWithExecAndExit) {
  i32 id;
  ASSERT_TRUE(sys::timer_create({*task_}, 1, {}, {address(&id)}).ok());
  abi::Itimerspec setting{{}, {100, 0}};
  ASSERT_TRUE(sys::timer_settime({*task_}, id, 0, {address(&setting)}, {}).ok());
  EXPECT_EQ(ok(sys::alarm({*task_}, 50)), 0u);
  timers_on_exec(*task_->process);
  EXPECT_TRUE(sys::timer_gettime({*task_}, id, {address(&setting)}).is(Errno::kEINVAL));
  EXPECT_EQ(ok(sys::alarm({*task_}, 50)), 50u);
  timers_on_exit(*task_->process);
  EXPECT_EQ(run_after(0), 0u);
}

TEST_F(TimerTest, TimerFd) {
  Fd fd = ok(sys::timerfd_create(*task_, 1, abi::TfdCreateFlag::kTFD_NONBLOCK));
  RefPtr<File> file = ok(task_->file(fd));
  u64 count = 0;
  auto read = [&] {
    IoBuffer buffer = IoBuffer::kernel(&count, sizeof count);
    return file->read(*task_, buffer, nullptr);
  };
  EXPECT_TRUE(read().is(Errno::kEAGAIN));
  abi::Itimerspec setting{{0, 0}, {0, 1}};
  ASSERT_TRUE(
      sys::timerfd_settime(*task_, fd, abi::TfdFlag::kTFD_TIMER_ABSTIME, {address(&setting)}, {})
          .ok());
  EXPECT_EQ(file->poll(nullptr), PollEvents(abi::PollFlag::kPOLLIN));
  EXPECT_EQ(ok(read()), 8u);
  EXPECT_EQ(count, 1u);
  setting = {{0, i64(kMillisecond)}, {0, i64(kMillisecond)}};
  ASSERT_TRUE(sys::timerfd_settime(*task_, fd, {}, {address(&setting)}, {}).ok());
  instance_.on_block = [] { kernel().timers.run(host::monotonic_ns()); };
  file->set_status_flags({});
  const u64 end = host::monotonic_ns() + 5 * kMillisecond;
  while (host::monotonic_ns() < end) {
  }
  EXPECT_EQ(ok(read()), 8u);
  EXPECT_GE(count, 4u);
  EXPECT_TRUE(sys::timerfd_create(*task_, 2, {}).is(Errno::kEINVAL));
}

TEST_F(TimerTest, SleepsAndTellsTheRest) {
  abi::Timespec request{0, 1000}, rest{};
  EXPECT_TRUE(sys::nanosleep({*task_}, {address(&request)}, {address(&rest)}).ok());
  request = {100, 0};
  task_->blocked = abi::SigSet{};
  instance_.on_block = [&] { signals::send(*task_, signals::kernel_info(abi::kSIGTERM)); };
  EXPECT_TRUE(sys::nanosleep({*task_}, {address(&request)}, {address(&rest)})
                  .is(Errno::kERESTART_RESTARTBLOCK));
  EXPECT_EQ(rest.tv_sec, 99);
  // Goes on where it was.
  EXPECT_TRUE(sys::restart_syscall({*task_}).is(Errno::kERESTART_RESTARTBLOCK));
  task_->restart = {};
  EXPECT_TRUE(sys::restart_syscall({*task_}).is(Errno::kEINTR));
  EXPECT_TRUE(sys::clock_nanosleep({*task_}, 5, 0, {address(&request)}, {}).is(Errno::kEOPNOTSUPP));
}

TEST_F(TimerTest, SemaphoresAreAtomicAndUndone) {
  i32 id = ok(sys::semget({*task_}, abi::kIPC_PRIVATE, 2, 0600));
  abi::SemBuf up[] = {{0, 2, 0}, {1, 1, i16(abi::kSEM_UNDO)}};
  ASSERT_TRUE(sys::semop({*task_}, id, {address(up)}, 2).ok());
  abi::SemBuf both[] = {{0, -1, 0}, {1, -2, 04000}};
  EXPECT_TRUE(sys::semop({*task_}, id, {address(both)}, 2).is(Errno::kEAGAIN));
  EXPECT_EQ(ok(sys::semctl({*task_}, id, 0, abi::kGETVAL, 0)), 2);
  EXPECT_EQ(ok(sys::semctl({*task_}, id, 1, abi::kGETVAL, 0)), 1);
  abi::SemBuf down{0, -3, 0};
  instance_.on_block = [&] {
    EXPECT_EQ(ok(sys::semctl({*task_}, id, 0, abi::kGETNCNT, 0)), 1);
    ASSERT_TRUE(sys::semctl({*task_}, id, 0, abi::kSETVAL, 3).ok());
  };
  EXPECT_TRUE(sys::semop({*task_}, id, {address(&down)}, 1).ok());
  instance_.on_block = nullptr;
  ipc::task_exited(*task_);
  EXPECT_EQ(ok(sys::semctl({*task_}, id, 1, abi::kGETVAL, 0)), 0);
  EXPECT_TRUE(sys::semctl({*task_}, id, 0, abi::kIPC_RMID, 0).ok());
  EXPECT_TRUE(sys::semop({*task_}, id, {address(&down)}, 1).is(Errno::kEINVAL));
}

TEST_F(TimerTest, MessagesByType) {
  i32 id = ok(sys::msgget({*task_}, 1234, 01600));
  EXPECT_TRUE(sys::msgget({*task_}, 1234, 03600).is(Errno::kEEXIST));
  struct {
    i64 type;
    char text[8];
  } message;
  for (i64 type : {3, 1, 2}) {
    message = {type, "text"};
    ASSERT_TRUE(sys::msgsnd({*task_}, id, address(&message), 5, 0).ok());
  }
  EXPECT_EQ(ok(sys::msgrcv({*task_}, id, address(&message), 8, -2, 0)), 5u);
  EXPECT_EQ(message.type, 1);
  EXPECT_TRUE(sys::msgrcv({*task_}, id, address(&message), 2, 0, 0).is(Errno::kE2BIG));
  EXPECT_EQ(ok(sys::msgrcv({*task_}, id, address(&message), 2, 0, 010000)), 2u);
  EXPECT_EQ(message.type, 3);
  EXPECT_TRUE(sys::msgrcv({*task_}, id, address(&message), 8, 7, 04000).is(Errno::kENOMSG));
  EXPECT_TRUE(sys::msgctl({*task_}, id, abi::kIPC_RMID, {}).ok());
}

}  // namespace
}  // namespace lxss
