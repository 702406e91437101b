// Pipes, FIFO ends and eventfd on the fake backend.
#include "lxcore/ipc/pipe.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "lxcore/ipc/eventfd.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/syscalls/event.h"
#include "lxcore/syscalls/ipc.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {
namespace {

/// The value of a call that must succeed.
template <typename T>
T ok(Result<T> result) {
  return std::move(result).value();
}

using abi::OpenFlag;
using abi::PollFlag;

class PipeTest : public testing::Test {
 protected:
  PipeTest() {
    task_ = &instance_.new_process();
    instance_.run_as(*task_);
    make({});
  }
  ~PipeTest() override { ends_ = {}; }

  void make(abi::OpenFlags flags) { ends_ = make_pipe(flags); }
  Pipe& pipe() { return static_cast<PipeFile&>(*ends_.read_end).pipe(); }

  Result<usize> write(std::string_view text) {
    IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
    return ends_.write_end->write(*task_, buffer, nullptr);
  }
  Result<std::string> read(usize size) {
    std::string text(size, '\0');
    IoBuffer buffer = IoBuffer::kernel(text.data(), size);
    text.resize(TRY(ends_.read_end->read(*task_, buffer, nullptr)));
    return text;
  }

  fake::Instance instance_;
  Task* task_;
  PipeEnds ends_;
};

std::string numbered(usize size) {
  std::string text(size, '\0');
  for (usize i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

TEST_F(PipeTest, KeepsOrderAcrossPagesAndLaps) {
  const std::string data = numbered(1 << 20);
  std::string out;
  usize in = 0;
  // Sizes that share no factor with the page or the ring.
  while (out.size() < data.size()) {
    while (in < data.size() && pipe().free() >= 3001) {
      in += ok(write(data.substr(in, 3001)));
    }
    out += ok(read(2003));
  }
  EXPECT_EQ(out, data);
  EXPECT_EQ(pipe().used(), 0u);
}

TEST_F(PipeTest, FillsToItsCapacityAndBlocks) {
  make(OpenFlag::kO_NONBLOCK);
  EXPECT_EQ(ok(write(numbered(70000))), 65536u);
  EXPECT_TRUE(write("x").is(Errno::kEAGAIN));
  EXPECT_FALSE(ends_.write_end->poll(nullptr).any(kWritable));
  EXPECT_EQ(ok(read(4095)).size(), 4095u);
  EXPECT_FALSE(ends_.write_end->poll(nullptr).any(kWritable));
  EXPECT_EQ(ok(read(1)).size(), 1u);
  EXPECT_TRUE(ends_.write_end->poll(nullptr).any(kWritable));
  EXPECT_EQ(ok(read(70000)), numbered(70000).substr(4096, 61440));
  EXPECT_TRUE(read(1).is(Errno::kEAGAIN));
}

TEST_F(PipeTest, SmallWritesAreAtomic) {
  make(OpenFlag::kO_NONBLOCK);
  EXPECT_EQ(ok(write(std::string(65436, 'x'))), 65436u);
  EXPECT_TRUE(write(std::string(101, 'y')).is(Errno::kEAGAIN));
  EXPECT_EQ(ok(write(std::string(100, 'y'))), 100u);
}

TEST_F(PipeTest, ReaderSleepsUntilSomeoneWrites) {
  Task& other = instance_.new_process();
  instance_.on_block = [&] {
    instance_.run_as(other);
    IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span("hi", 2)));
    EXPECT_EQ(ok(ends_.write_end->write(other, buffer, nullptr)), 2u);
    instance_.run_as(*task_);
  };
  EXPECT_EQ(ok(read(10)), "hi");
}

TEST_F(PipeTest, WriterSleepsUntilThereIsRoom) {
  std::string got;
  instance_.on_block = [&] { got += ok(read(5000)); };
  const std::string data = numbered(100000);
  EXPECT_EQ(ok(write(data)), data.size());
  instance_.on_block = nullptr;
  while (pipe().used() != 0) got += ok(read(100000));
  EXPECT_EQ(got, data);
}

TEST_F(PipeTest, WhoHasToWaitWaitsForAPage) {
  EXPECT_EQ(ok(write(numbered(65536))), 65536u);
  int times = 0;
  instance_.on_block = [&] {
    ++times;
    const u32 word = task_->wait_word;
    EXPECT_EQ(ok(read(2048)).size(), 2048u);
    EXPECT_EQ(u32{task_->wait_word}, word);
    EXPECT_EQ(ok(read(2048)).size(), 2048u);
    EXPECT_NE(u32{task_->wait_word}, word);
  };
  EXPECT_EQ(ok(write("x")), 1u);
  instance_.on_block = nullptr;
  EXPECT_EQ(times, 1);
  // What need not wait does not.
  EXPECT_EQ(ok(write(std::string(4095, 'y'))), 4095u);
}

TEST_F(PipeTest, HeldContentStaysInFront) {
  make(OpenFlag::kO_NONBLOCK);
  EXPECT_EQ(ok(write("abc")), 3u);
  ASSERT_TRUE(pipe().hold());
  EXPECT_FALSE(pipe().hold());
  EXPECT_TRUE(read(1).is(Errno::kEAGAIN));
  EXPECT_FALSE(ends_.read_end->poll(nullptr).any(kReadable));
  EXPECT_EQ(ok(write("d")), 1u);
  std::byte front[2];
  EXPECT_EQ(pipe().peek(front, 2), 2u);
  pipe().consume(2);
  pipe().release();
  EXPECT_EQ(ok(read(9)), "cd");
}

TEST_F(PipeTest, EndsThatClose) {
  EXPECT_EQ(ok(write("rest")), 4u);
  ends_.write_end = nullptr;
  EXPECT_EQ(ends_.read_end->poll(nullptr), kReadable | PollFlag::kPOLLHUP);
  EXPECT_EQ(ok(read(10)), "rest");
  EXPECT_EQ(ok(read(10)), "");
  EXPECT_EQ(ends_.read_end->poll(nullptr), PollEvents(PollFlag::kPOLLHUP));

  make({});
  ends_.read_end = nullptr;
  EXPECT_EQ(ends_.write_end->poll(nullptr), kWritable | PollFlag::kPOLLERR);
  EXPECT_TRUE(write("x").is(Errno::kEPIPE));
  EXPECT_TRUE((task_->pending.set() | task_->process->pending.set()).has(abi::kSIGPIPE));
}

TEST_F(PipeTest, PacketsKeepTheirBoundaries) {
  make(OpenFlag::kO_DIRECT);
  EXPECT_EQ(ok(write("abc")), 3u);
  EXPECT_EQ(ok(write(std::string(5000, 'd'))), 5000u);
  EXPECT_EQ(ok(write("ef")), 2u);
  EXPECT_EQ(ok(read(2)), "ab");
  EXPECT_EQ(ok(read(9000)).size(), 4096u);
  EXPECT_EQ(ok(read(9000)).size(), 904u);
  EXPECT_EQ(ok(read(9000)), "ef");
  EXPECT_EQ(pipe().used(), 0u);
}

TEST_F(PipeTest, ResizesWithItsContent) {
  make(OpenFlag::kO_NONBLOCK);
  const std::string data = numbered(30000);
  EXPECT_EQ(ok(write(data)), 30000u);
  EXPECT_EQ(ok(read(1000)).size(), 1000u);
  EXPECT_EQ(ok(pipe().resize(*task_->credentials, 200000)), 262144u);
  EXPECT_TRUE(pipe().resize(*task_->credentials, 4096).is(Errno::kEBUSY));
  EXPECT_EQ(ok(read(100000)), data.substr(1000));
  EXPECT_EQ(ok(pipe().resize(*task_->credentials, 1)), 4096u);
  EXPECT_TRUE(pipe().resize(*task_->credentials, 0).is(Errno::kEINVAL));
}

TEST_F(PipeTest, FaultingMemory) {
  static std::array<char, 8192> memory;
  instance_.make_inaccessible(memory.data() + 4096, 4096);
  IoBuffer buffer = ok(IoBuffer::user(UserAddr{reinterpret_cast<u64>(memory.data())}, 8192));
  EXPECT_EQ(ok(ends_.write_end->write(*task_, buffer, nullptr)), 4096u);
  IoBuffer bad = ok(IoBuffer::user(UserAddr{reinterpret_cast<u64>(memory.data()) + 4096}, 10));
  EXPECT_TRUE(ends_.write_end->write(*task_, bad, nullptr).is(Errno::kEFAULT));
  EXPECT_EQ(ok(read(8192)).size(), 4096u);
}

TEST_F(PipeTest, SpliceAndTee) {
  i32 a[2], b[2];
  auto ends = [](i32* at) { return UserOut<i32>{UserAddr{reinterpret_cast<u64>(at)}}; };
  ASSERT_TRUE(sys::pipe2({*task_}, ends(a), OpenFlag::kO_NONBLOCK).ok());
  ASSERT_TRUE(sys::pipe2({*task_}, ends(b), OpenFlag::kO_NONBLOCK).ok());
  IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span("0123456789", 10)));
  RefPtr<File> in = ok(task_->file(Fd{a[1]}));
  EXPECT_EQ(ok(in->write(*task_, buffer, nullptr)), 10u);
  EXPECT_EQ(ok(sys::tee({*task_}, Fd{a[0]}, Fd{b[1]}, 4, {})), 4u);
  EXPECT_EQ(ok(sys::splice({*task_}, Fd{a[0]}, {}, Fd{b[1]}, {}, 100, {})), 10u);
  EXPECT_TRUE(sys::splice({*task_}, Fd{a[0]}, {}, Fd{b[1]}, {}, 100, {}).is(Errno::kEAGAIN));
  EXPECT_TRUE(sys::splice({*task_}, Fd{b[0]}, {}, Fd{b[1]}, {}, 100, {}).is(Errno::kEINVAL));
  std::string text(20, '\0');
  IoBuffer out = IoBuffer::kernel(text.data(), text.size());
  RefPtr<File> end = ok(task_->file(Fd{b[0]}));
  text.resize(ok(end->read(*task_, out, nullptr)));
  EXPECT_EQ(text, "01230123456789");
}

TEST_F(PipeTest, EventFdCountsAndBlocks) {
  EXPECT_TRUE(sys::eventfd2({*task_}, 0, abi::EfdFlags(0x8)).is(Errno::kEINVAL));
  Fd fd =
      ok(sys::eventfd2({*task_}, 3, abi::EfdFlag::kEFD_SEMAPHORE | abi::EfdFlag::kEFD_NONBLOCK));
  RefPtr<File> file = ok(task_->file(fd));
  u64 value = 0;
  auto take = [&] {
    IoBuffer buffer = IoBuffer::kernel(&value, sizeof value);
    return file->read(*task_, buffer, nullptr);
  };
  auto add = [&](u64 count) {
    IoBuffer buffer = IoBuffer::kernel(&count, sizeof count);
    return file->write(*task_, buffer, nullptr);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ok(take()), 8u);
    EXPECT_EQ(value, 1u);
  }
  EXPECT_TRUE(take().is(Errno::kEAGAIN));
  EXPECT_EQ(file->poll(nullptr), PollEvents(abi::PollFlag::kPOLLOUT));
  EXPECT_TRUE(add(~u64{0}).is(Errno::kEINVAL));
  EXPECT_EQ(ok(add(~u64{0} - 1)), 8u);
  EXPECT_TRUE(add(1).is(Errno::kEAGAIN));
  EXPECT_EQ(file->poll(nullptr), PollEvents(abi::PollFlag::kPOLLIN));
}

}  // namespace
}  // namespace lxss
