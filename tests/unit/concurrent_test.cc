// Tasks on host threads of their own, at once in the same objects: what the answers must be
// whatever the order, and, with the tsan preset, whether each access is guarded.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "fs/tmpfs/tmpfs.h"
#include "lxcore/syscalls/event.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/poll.h"
#include "lxcore/vfs/vfs.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {
namespace {

using abi::OpenFlag;

constexpr int kTasks = 4;

/// A call as the dispatcher makes it: with the kernel lock, if its handler's first parameter is
/// Task&.
template <typename Handler, typename... Arguments>
i64 call(Task& task, Handler handler, Arguments... arguments) {
  KernelLock::Held held;
  return to_register(handler(task, arguments...));
}

u64 address(const void* memory) { return reinterpret_cast<u64>(memory); }
UserString text(const std::string& string) { return {UserAddr{address(string.c_str())}}; }

class ConcurrentTest : public testing::Test {
 protected:
  ConcurrentTest() {
    auto filesystem = make_ref<tmpfs::TmpFileSystem>(tmpfs::Options{.mode = 0755});
    MUST(vfs::mount(filesystem, {}, "root", {}));
    first_ = &instance_.new_process();
    instance_.run_as(*first_);
  }

  /// Threads of one process.
  std::vector<Task*> threads() {
    std::vector<Task*> tasks = {first_};
    while (tasks.size() < kTasks) tasks.push_back(&instance_.new_thread(*first_));
    return tasks;
  }
  /// Processes, the first with the files that the test has opened.
  std::vector<Task*> processes() {
    std::vector<Task*> tasks = {first_};
    while (tasks.size() < kTasks) tasks.push_back(&instance_.new_process());
    return tasks;
  }
  /// Which of the tasks it is, from 0.
  static int number(const std::vector<Task*>& tasks, const Task& task) {
    int at = 0;
    while (tasks[at] != &task) ++at;
    return at;
  }

  fake::Instance instance_;
  Task* first_;
};

TEST_F(ConcurrentTest, OneOfManyExclusiveCreatorsWins) {
  constexpr int kNames = 100;
  std::atomic<int> made{0}, removed{0};
  instance_.run_at_once(processes(), [&](Task& task) {
    for (int i = 0; i < kNames; ++i) {
      const std::string name = "/name" + std::to_string(i);
      const abi::OpenFlags flags = OpenFlag::kO_CREAT | OpenFlag::kO_EXCL | OpenFlag::kO_WRONLY;
      const i64 fd = call(task, sys::open, text(name), flags, 0644u);
      if (fd >= 0) {
        ++made;
        EXPECT_EQ(call(task, sys::close, Fd{i32(fd)}), 0);
      } else {
        EXPECT_EQ(Errno(-fd), Errno::kEEXIST);
      }
    }
  });
  EXPECT_EQ(made, kNames);
  instance_.run_at_once(processes(), [&](Task& task) {
    for (int i = 0; i < kNames; ++i) {
      removed += call(task, sys::unlink, text("/name" + std::to_string(i))) == 0;
    }
  });
  EXPECT_EQ(removed, kNames);
}

TEST_F(ConcurrentTest, WhatIsReplacedNeverDisappears) {
  const abi::OpenFlags create = OpenFlag::kO_CREAT | OpenFlag::kO_WRONLY;
  const i64 fd = to_register(sys::open(*first_, text("/name"), create, 0644));
  ASSERT_GE(fd, 0);
  ASSERT_EQ(to_register(sys::close(*first_, Fd{i32(fd)})), 0);
  const auto tasks = processes();
  instance_.run_at_once(tasks, [&](Task& task) {
    for (int i = 0; i < 300; ++i) {
      if (number(tasks, task) != 0) {
        abi::Stat status;
        EXPECT_EQ(
            call(task, sys::stat, text("/name"), UserOut<abi::Stat>{UserAddr{address(&status)}}),
            0);
        continue;
      }
      const i64 made = call(task, sys::open, text("/new"), create, 0644u);
      EXPECT_GE(made, 0);
      call(task, sys::close, Fd{i32(made)});
      EXPECT_EQ(call(task, sys::rename, text("/new"), text("/name")), 0);
    }
  });
}

TEST_F(ConcurrentTest, APipeCarriesEverything) {
  i32 ends[2];
  ASSERT_EQ(to_register(sys::pipe2(*first_, UserOut<i32>{UserAddr{address(ends)}}, {})), 0);
  constexpr u64 kWords = 3000;
  const auto tasks = threads();
  std::atomic<u64> sum{0};
  instance_.run_at_once(tasks, [&](Task& task) {
    const int which = number(tasks, task);
    for (u64 i = 1; i <= kWords; ++i) {
      u64 word = i;
      if (which % 2 == 0) {
        EXPECT_EQ(call(task, sys::write, Fd{ends[1]}, UserIn<std::byte>{UserAddr{address(&word)}},
                       sizeof word),
                  8);
      } else {
        EXPECT_EQ(call(task, sys::read, Fd{ends[0]}, UserOut<std::byte>{UserAddr{address(&word)}},
                       sizeof word),
                  8);
        sum += word;
      }
    }
  });
  EXPECT_EQ(sum, kTasks / 2 * kWords * (kWords + 1) / 2);
}

TEST_F(ConcurrentTest, NumbersAreGivenOnce) {
  const abi::OpenFlags create = OpenFlag::kO_CREAT | OpenFlag::kO_RDWR;
  const i64 file = to_register(sys::open(*first_, text("/file"), create, 0644));
  ASSERT_GE(file, 0);
  std::atomic<int> owners[64] = {};
  instance_.run_at_once(threads(), [&](Task& task) {
    for (int i = 0; i < 1000; ++i) {
      const i64 fd = call(task, sys::dup, Fd{i32(file)});
      ASSERT_GT(fd, file);
      ASSERT_LT(fd, file + 1 + kTasks);
      EXPECT_EQ(++owners[fd], 1);
      --owners[fd];
      EXPECT_EQ(call(task, sys::close, Fd{i32(fd)}), 0);
    }
  });
}

TEST_F(ConcurrentTest, ASetTellsOfEveryEvent) {
  const i64 set = to_register(sys::epoll_create1(*first_, {}));
  const i64 counter = to_register(
      sys::eventfd2(*first_, 0, abi::EfdFlag::kEFD_SEMAPHORE | abi::EfdFlag::kEFD_NONBLOCK));
  ASSERT_GE(counter, 0);
  abi::EpollEvent event{};
  event.events = u32(abi::PollFlag::kPOLLIN);
  ASSERT_EQ(to_register(sys::epoll_ctl(*first_, Fd{i32(set)}, abi::kEPOLL_CTL_ADD, Fd{i32(counter)},
                                       UserIn<abi::EpollEvent>{UserAddr{address(&event)}})),
            0);
  constexpr u64 kEvents = 1000;
  constexpr u64 kTotal = kEvents * kTasks / 2;
  const auto tasks = threads();
  std::atomic<u64> taken{0};
  instance_.run_at_once(tasks, [&](Task& task) {
    u64 one = 1;
    if (number(tasks, task) % 2 == 0) {
      for (u64 i = 0; i < kEvents; ++i) {
        EXPECT_EQ(call(task, sys::write, Fd{i32(counter)},
                       UserIn<std::byte>{UserAddr{address(&one)}}, sizeof one),
                  8);
      }
      return;
    }
    while (taken < kTotal) {
      abi::EpollEvent told;
      const i64 count = call(task, sys::epoll_wait, Fd{i32(set)},
                             UserOut<abi::EpollEvent>{UserAddr{address(&told)}}, 1, -1);
      ASSERT_EQ(count, 1);
      u64 word;
      if (call(task, sys::read, Fd{i32(counter)}, UserOut<std::byte>{UserAddr{address(&word)}},
               sizeof word) != 8)
        continue;
      if (++taken < kTotal) continue;
      // One more for each who waits still.
      for (int i = 0; i < kTasks; ++i) {
        call(task, sys::write, Fd{i32(counter)}, UserIn<std::byte>{UserAddr{address(&one)}},
             sizeof one);
      }
    }
  });
  EXPECT_GE(taken, kTotal);
}

#ifdef __SANITIZE_THREAD__
TEST_F(ConcurrentTest, TheSanitizerSeesWhatNoLockGuards) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  constexpr int kStatusOfRaces = 66;
  auto race = [this] {
    instance_.run_at_once(threads(), [&](Task&) { kernel().last_pid.value += 1; });
    std::exit(0);
  };
  EXPECT_EXIT(race(), testing::ExitedWithCode(kStatusOfRaces), "data race");
}
#endif

}  // namespace
}  // namespace lxss
