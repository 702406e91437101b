// poll and epoll on the fake backend.
#include "lxcore/ipc/epoll.h"

#include <gtest/gtest.h>

#include "host/file.h"
#include "lxcore/ipc/eventfd.h"
#include "lxcore/ipc/pipe.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/syscalls/event.h"
#include "lxcore/syscalls/poll.h"
#include "tests/unit/fake_kernel.h"

#include <sys/socket.h>
#include <unistd.h>

namespace lxss {
namespace {

/// The value of a call that must succeed.
template <typename T>
T ok(Result<T> result) {
  return std::move(result).value();
}

using abi::EpollFlag;
using abi::PollFlag;

constexpr u32 kIn = 0x1, kOut = 0x4, kHangUp = 0x10;
constexpr u32 kEdge = 0x80000000, kOneShot = 0x40000000;

template <typename T>
UserAddr address(T* at) {
  return UserAddr{reinterpret_cast<u64>(at)};
}

/// A file that only the host knows: one end of a host socket pair.
class HostFile final : public File {
 public:
  HostFile() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    fd_ = host::UniqueFd(host::Fd{ends[0]});
    peer = ends[1];
  }
  ~HostFile() override { ::close(peer); }
  PollEvents poll(PollRegistration*) override {
    ++asked;
    abi::PollFd fd{fd_.get().value, static_cast<i16>(kReadable.raw()), 0};
    if (host::poll({&fd, 1}, 0).value_or(0) == 0) return {};
    return PollEvents(static_cast<u16>(fd.revents));
  }
  host::Fd host_poll_fd() const override { return fd_.get(); }
  int peer;
  int asked = 0;

 private:
  host::UniqueFd fd_;
};

class EpollTest : public testing::Test {
 protected:
  EpollTest() {
    task_ = &instance_.new_process();
    instance_.run_as(*task_);
    epoll_ = ok(sys::epoll_create1({*task_}, {}));
    event_fd_ = ok(sys::eventfd2({*task_}, 0, abi::EfdFlag::kEFD_NONBLOCK));
  }

  Result<> control(Fd epoll, i32 operation, Fd fd, u32 events, u64 data = 0) {
    abi::EpollEvent event{events, data};
    return sys::epoll_ctl({*task_}, epoll, operation, fd, {address(&event)});
  }
  Result<> add(Fd fd, u32 events, u64 data = 0) {
    return control(epoll_, abi::kEPOLL_CTL_ADD, fd, events, data);
  }
  /// Events there are, without waiting unless `timeout` is not 0.
  usize wait(Fd epoll, i32 timeout = 0, i32 room = 8) {
    auto count = sys::epoll_wait({*task_}, epoll, {address(events_)}, room, timeout);
    EXPECT_TRUE(count.ok());
    return count.value_or(0);
  }
  void signal_event(u64 count = 1) {
    IoBuffer buffer = IoBuffer::kernel(&count, sizeof count);
    EXPECT_EQ(ok(ok(task_->file(event_fd_))->write(*task_, buffer, nullptr)), 8u);
  }
  void drain_event() {
    u64 count;
    IoBuffer buffer = IoBuffer::kernel(&count, sizeof count);
    EXPECT_EQ(ok(ok(task_->file(event_fd_))->read(*task_, buffer, nullptr)), 8u);
  }

  fake::Instance instance_;
  Task* task_;
  Fd epoll_, event_fd_;
  abi::EpollEvent events_[8];
};

TEST_F(EpollTest, LevelTriggered) {
  ASSERT_TRUE(add(event_fd_, kIn, 7).ok());
  EXPECT_EQ(wait(epoll_), 0u);
  signal_event();
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(wait(epoll_), 1u);
    EXPECT_EQ(u32{events_[0].events}, kIn);
    EXPECT_EQ(u64{events_[0].data}, 7u);
  }
  drain_event();
  EXPECT_EQ(wait(epoll_), 0u);
}

TEST_F(EpollTest, EdgeTriggered) {
  signal_event();
  ASSERT_TRUE(add(event_fd_, kIn | kEdge).ok());
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(wait(epoll_), 0u);
  signal_event();
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(wait(epoll_), 0u);
}

TEST_F(EpollTest, OneShotUntilModified) {
  ASSERT_TRUE(add(event_fd_, kIn | kOneShot).ok());
  signal_event();
  EXPECT_EQ(wait(epoll_), 1u);
  signal_event();
  EXPECT_EQ(wait(epoll_), 0u);
  ASSERT_TRUE(control(epoll_, abi::kEPOLL_CTL_MOD, event_fd_, kIn | kOneShot).ok());
  EXPECT_EQ(wait(epoll_), 1u);
}

TEST_F(EpollTest, Errors) {
  EXPECT_TRUE(add(epoll_, kIn).is(Errno::kEINVAL));
  EXPECT_TRUE(add(Fd{99}, kIn).is(Errno::kEBADF));
  EXPECT_TRUE(control(event_fd_, abi::kEPOLL_CTL_ADD, epoll_, kIn).is(Errno::kEINVAL));
  EXPECT_TRUE(control(epoll_, abi::kEPOLL_CTL_MOD, event_fd_, kIn).is(Errno::kENOENT));
  EXPECT_TRUE(control(epoll_, abi::kEPOLL_CTL_DEL, event_fd_, kIn).is(Errno::kENOENT));
  EXPECT_TRUE(control(epoll_, 9, event_fd_, kIn).is(Errno::kEINVAL));
  ASSERT_TRUE(add(event_fd_, kIn).ok());
  EXPECT_TRUE(add(event_fd_, kIn).is(Errno::kEEXIST));
  EXPECT_TRUE(sys::epoll_wait({*task_}, epoll_, {address(events_)}, 0, 0).is(Errno::kEINVAL));
}

TEST_F(EpollTest, NestedAndLoops) {
  Fd outer = ok(sys::epoll_create1({*task_}, {}));
  ASSERT_TRUE(add(event_fd_, kIn).ok());
  ASSERT_TRUE(control(outer, abi::kEPOLL_CTL_ADD, epoll_, kIn, 1).ok());
  EXPECT_TRUE(control(epoll_, abi::kEPOLL_CTL_ADD, outer, kIn).is(Errno::kELOOP));
  EXPECT_EQ(wait(outer), 0u);
  signal_event();
  EXPECT_EQ(wait(outer), 1u);
  drain_event();
  EXPECT_EQ(wait(outer), 0u);

  Fd above = outer;
  for (int depth = 3; depth <= 5; ++depth) {
    Fd next = ok(sys::epoll_create1({*task_}, {}));
    ASSERT_TRUE(control(next, abi::kEPOLL_CTL_ADD, above, kIn).ok()) << depth;
    above = next;
  }
  Fd last = ok(sys::epoll_create1({*task_}, {}));
  EXPECT_TRUE(control(last, abi::kEPOLL_CTL_ADD, above, kIn).is(Errno::kELOOP));
}

TEST_F(EpollTest, ClosedFilesDropOut) {
  ASSERT_TRUE(add(event_fd_, kIn).ok());
  signal_event();
  (void)task_->files->remove(event_fd_);
  EXPECT_EQ(wait(epoll_), 0u);
}

TEST_F(EpollTest, EpollGoesBeforeItsFiles) {
  ASSERT_TRUE(add(event_fd_, kIn).ok());
  signal_event();
  (void)task_->files->remove(epoll_);
  signal_event();
  drain_event();
}

TEST_F(EpollTest, SleepsUntilNotified) {
  ASSERT_TRUE(add(event_fd_, kIn).ok());
  instance_.on_block = [&] { signal_event(); };
  EXPECT_EQ(wait(epoll_, -1), 1u);
}

TEST_F(EpollTest, AllHaveTheirTurn) {
  Fd second = ok(sys::eventfd2({*task_}, 1, {}));
  ASSERT_TRUE(add(event_fd_, kIn, 1).ok());
  ASSERT_TRUE(add(second, kIn, 2).ok());
  signal_event();
  ASSERT_EQ(wait(epoll_, 0, 1), 1u);
  u64 first = events_[0].data;
  ASSERT_EQ(wait(epoll_, 0, 1), 1u);
  EXPECT_NE(first, u64{events_[0].data});
}

TEST_F(EpollTest, FilesThatOnlyTheHostKnows) {
  auto file = make_ref<HostFile>();
  const int peer = file->peer;
  Fd fd = ok(task_->files->install(file, false, 1024));
  ASSERT_TRUE(add(fd, kIn | kEdge, 5).ok());
  EXPECT_EQ(wait(epoll_), 0u);
  ASSERT_EQ(::write(peer, "x", 1), 1);
  ASSERT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(u64{events_[0].data}, 5u);
  // The edge was told; another byte is another edge.
  EXPECT_EQ(wait(epoll_), 0u);
  ASSERT_EQ(::write(peer, "y", 1), 1);
  EXPECT_EQ(wait(epoll_), 1u);
  // Level-triggered it is told again and again.
  ASSERT_TRUE(control(epoll_, abi::kEPOLL_CTL_MOD, fd, kIn, 6).ok());
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(wait(epoll_), 1u);
  Fd outer = ok(sys::epoll_create1({*task_}, {}));
  ASSERT_TRUE(control(outer, abi::kEPOLL_CTL_ADD, epoll_, kIn).ok());
  EXPECT_EQ(wait(outer), 1u);
  // The host's event set is believed.
  EXPECT_EQ(file->asked, 0);
  file = nullptr;
  (void)task_->files->remove(fd);
  EXPECT_EQ(wait(epoll_), 0u);
  EXPECT_EQ(wait(outer), 0u);
}

TEST_F(EpollTest, AnInnerEpollLearnsOfTheHostLater) {
  Fd outer = ok(sys::epoll_create1({*task_}, {}));
  ASSERT_TRUE(control(outer, abi::kEPOLL_CTL_ADD, epoll_, kIn).ok());
  auto file = make_ref<HostFile>();
  Fd fd = ok(task_->files->install(file, false, 1024));
  ASSERT_TRUE(add(fd, kIn).ok());
  EXPECT_EQ(wait(outer), 0u);
  ASSERT_EQ(::write(file->peer, "x", 1), 1);
  EXPECT_EQ(wait(outer), 1u);
}

TEST_F(EpollTest, WhatTheHostToldIsKeptWhenTheGuestsMemoryFaults) {
  auto file = make_ref<HostFile>();
  Fd fd = ok(task_->files->install(file, false, 1024));
  ASSERT_TRUE(add(fd, kIn | kEdge | kOneShot, 5).ok());
  ASSERT_EQ(::write(file->peer, "x", 1), 1);
  instance_.make_inaccessible(events_, sizeof events_);
  EXPECT_TRUE(sys::epoll_wait({*task_}, epoll_, {address(events_)}, 8, -1).is(Errno::kEFAULT));
  instance_.make_inaccessible(nullptr, 0);
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(u64{events_[0].data}, 5u);
  EXPECT_EQ(wait(epoll_), 0u);
  // Armed again, the level counts.
  ASSERT_TRUE(control(epoll_, abi::kEPOLL_CTL_MOD, fd, kIn | kOneShot, 6).ok());
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(wait(epoll_), 0u);
}

TEST_F(EpollTest, EventsOfTheHostWakeAWait) {
  auto file = make_ref<HostFile>();
  Fd fd = ok(task_->files->install(file, false, 1024));
  ASSERT_TRUE(add(fd, kIn, 5).ok());
  ASSERT_TRUE(add(event_fd_, kIn, 6).ok());
  instance_.on_block = [&] { EXPECT_EQ(::write(file->peer, "x", 1), 1); };
  EXPECT_EQ(wait(epoll_, -1), 1u);
  EXPECT_EQ(u64{events_[0].data}, 5u);
  // With room for one, neither kind keeps the other out.
  signal_event();
  u64 seen = 0;
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(wait(epoll_, 0, 1), 1u);
    seen |= u64{1} << events_[0].data;
  }
  EXPECT_EQ(seen, u64{1} << 5 | u64{1} << 6);
}

TEST_F(EpollTest, ExclusiveWatchersAreWokenOneByOne) {
  constexpr u32 kExclusive = 0x10000000;
  Fd second = ok(sys::epoll_create1({*task_}, {}));
  ASSERT_TRUE(add(event_fd_, kIn | kExclusive).ok());
  ASSERT_TRUE(control(second, abi::kEPOLL_CTL_ADD, event_fd_, kIn | kExclusive).ok());
  EXPECT_TRUE(control(second, abi::kEPOLL_CTL_MOD, event_fd_, kIn).is(Errno::kEINVAL));
  // Nobody waits in either: both remember.
  signal_event();
  EXPECT_EQ(wait(epoll_), 1u);
  EXPECT_EQ(wait(second), 1u);
  drain_event();
  EXPECT_EQ(wait(second), 0u);
  // Somebody waits in the second, which takes it; the first looks for itself all the same.
  instance_.on_block = [&] { signal_event(); };
  EXPECT_EQ(wait(second, -1), 1u);
  EXPECT_EQ(wait(epoll_), 1u);
}

TEST_F(EpollTest, PollReportsAndSleeps) {
  PipeEnds ends = make_pipe(abi::OpenFlag::kO_NONBLOCK);
  Fd in = ok(task_->files->install(ends.read_end, false, 1024));
  Fd out = ok(task_->files->install(ends.write_end, false, 1024));
  abi::PollFd fds[] = {{in.value, i16(kIn), 0}, {out.value, i16(kOut), 0}, {99, 1, 0}, {-1, 1, 9}};
  EXPECT_EQ(ok(sys::poll({*task_}, address(fds), 4, -1)), 2u);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[1].revents, i16(kOut));
  EXPECT_EQ(fds[2].revents, 0x20);
  EXPECT_EQ(fds[3].revents, 0);

  abi::PollFd both[] = {{in.value, i16(kIn), 0}, {event_fd_.value, i16(kIn), 0}};
  instance_.on_block = [&] { signal_event(); };
  EXPECT_EQ(ok(sys::poll({*task_}, address(both), 2, -1)), 1u);
  EXPECT_EQ(both[1].revents, i16(kIn));
  EXPECT_FALSE(task_->wait_entry.linked());
  instance_.on_block = nullptr;
  drain_event();
  EXPECT_EQ(ok(sys::poll({*task_}, address(both), 2, 1)), 0u);
  (void)task_->files->remove(out);
  ends.write_end = nullptr;
  EXPECT_EQ(ok(sys::poll({*task_}, address(both), 2, -1)), 1u);
  EXPECT_EQ(both[0].revents, i16(kHangUp));
}

TEST_F(EpollTest, SelectUpdatesSetsAndTimeout) {
  u64 in[16] = {}, out[16] = {};
  in[0] = out[0] = u64{1} << event_fd_.value;
  abi::Timeval timeout{1, 0};
  EXPECT_EQ(ok(sys::select({*task_}, event_fd_.value + 1, address(in), address(out), {},
                           {address(&timeout)})),
            1u);
  EXPECT_EQ(in[0], 0u);
  EXPECT_EQ(out[0], u64{1} << event_fd_.value);
  EXPECT_EQ(timeout.tv_sec, 0);
  in[0] = u64{1} << 40;
  EXPECT_TRUE(sys::select({*task_}, 64, address(in), {}, {}, {}).is(Errno::kEBADF));
  EXPECT_TRUE(sys::select({*task_}, -1, {}, {}, {}, {}).is(Errno::kEINVAL));
}

}  // namespace
}  // namespace lxss
