// The launcher's terminal and standard streams on the fake backend, with pipes and files of the
// host behind them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "lxcore/ipc/poller.h"
#include "lxcore/kernel.h"
#include "lxcore/tty/console.h"
#include "lxcore/tty/host_stream.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/devices.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {
namespace {

using abi::PollFlag;

constexpr abi::OpenFlags kReadWrite{2};

Result<usize> write(File& file, std::string_view text) {
  IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
  return file.write(Task::current(), buffer, nullptr);
}

std::string read(File& file, usize size = 4096) {
  std::string text(size, '\0');
  IoBuffer buffer = IoBuffer::kernel(text.data(), size);
  auto got = file.read(Task::current(), buffer, nullptr);
  if (!got.ok()) return errno_name(got.error());
  return text.substr(0, *got);
}

/// What the host has in a pipe.
std::string drain(int fd) {
  std::string text(1 << 17, '\0');
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const ssize_t got = ::read(fd, text.data(), text.size());
  return text.substr(0, got < 0 ? 0 : static_cast<usize>(got));
}

class HostTest : public testing::Test {
 protected:
  HostTest() {
    EXPECT_EQ(pipe(ends), 0);
    task = &instance.new_process();
    Process& process = *task->process;
    process.group = make_ref<ProcessGroup>(process.pid, make_ref<Session>(process.pid));
    kernel().groups[process.pid] = process.group.get();
    process.group->members.push_back(process);
    instance.run_as(*task);
  }
  ~HostTest() override {
    close(ends[0]);
    close(ends[1]);
  }
  host::UniqueFd write_end() { return host::UniqueFd(host::Fd{dup(ends[1])}); }
  host::UniqueFd read_end() { return host::UniqueFd(host::Fd{dup(ends[0])}); }
  bool has_pending(i32 signal) {
    return task->process->pending.set().has(signal) || task->pending.set().has(signal);
  }

  fake::Instance instance;
  Task* task = nullptr;
  int ends[2];
};

class ConsoleTest : public HostTest {
 protected:
  ConsoleTest() : console(make_ref<ConsoleTty>(write_end(), abi::Winsize{24, 80, 0, 0}, 1000u)) {
    file = MUST(tty::open_console(*console, kReadWrite));
    console->attach(task->session(), task->process->pid);
  }
  void type(std::string_view text) { console->input(std::as_bytes(std::span(text))); }

  RefPtr<ConsoleTty> console;
  RefPtr<File> file;
};

TEST_F(ConsoleTest, TypingAndPrinting) {
  type("ls\r");
  EXPECT_EQ(drain(ends[0]), "ls\r\n");
  EXPECT_EQ(read(*file), "ls\n");
  EXPECT_EQ(MUST(write(*file, "a\nb")), 3u);
  EXPECT_EQ(drain(ends[0]), "a\r\nb");
  const std::string much(50000, 'x');
  EXPECT_EQ(MUST(write(*file, much)), much.size());
  EXPECT_EQ(drain(ends[0]), much);
}

TEST_F(ConsoleTest, FlowControlKeepsOutput) {
  type("\x13");
  file->set_status_flags(kReadWrite | abi::OpenFlag::kO_NONBLOCK);
  EXPECT_TRUE(write(*file, "x").is(Errno::kEAGAIN));
  type("e");
  EXPECT_EQ(drain(ends[0]), "");
  type("\x11");
  EXPECT_EQ(drain(ends[0]), "e");
}

TEST_F(ConsoleTest, SignalsAndSize) {
  type("\x03");
  EXPECT_TRUE(has_pending(abi::kSIGINT));
  EXPECT_EQ(drain(ends[0]), "^C");
  task->actions->at(abi::kSIGWINCH).handler = 0x1000;
  console->resize({24, 80, 0, 0});
  EXPECT_FALSE(has_pending(abi::kSIGWINCH));
  console->resize({50, 80, 0, 0});
  EXPECT_TRUE(has_pending(abi::kSIGWINCH));
}

TEST_F(ConsoleTest, AHostThatTakesNothingStopsNobodyElse) {
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  while (::write(ends[1], "full", 4) > 0) {
  }
  type("echo");
  EXPECT_TRUE(console->output_pending());
  drain(ends[0]);
  console->output_ready();
  EXPECT_FALSE(console->output_pending());
  EXPECT_EQ(drain(ends[0]), "echo");
}

TEST_F(ConsoleTest, NumbersAndHangUp) {
  EXPECT_EQ(console->number(), 0u);
  EXPECT_EQ(PtySystem::get().find(0), console);
  EXPECT_EQ(console->node().uid, 1000u);
  EXPECT_TRUE(devices::kTtyDevices[1].open(*task, 1, kReadWrite).ok());
  console->hang_up();
  EXPECT_TRUE(has_pending(abi::kSIGHUP));
  EXPECT_FALSE(task->session().terminal);
  EXPECT_EQ(PtySystem::get().find(0), nullptr);
  EXPECT_TRUE(devices::kTtyDevices[1].open(*task, 1, kReadWrite).is(Errno::kENODEV));
  task->process->pending.discard(abi::SigSet::full_set());
  EXPECT_EQ(read(*file), "");
  EXPECT_TRUE(write(*file, "x").is(Errno::kEIO));
  type("ignored");
}

TEST_F(HostTest, PipesEndAndBreak) {
  RefPtr<File> in = MUST(tty::make_host_stream(read_end(), Credentials()));
  ASSERT_EQ(::write(ends[1], "hello", 5), 5);
  i32 queued = 0;
  MUST(in->ioctl(*task, abi::kFIONREAD, reinterpret_cast<u64>(&queued)));
  EXPECT_EQ(queued, 5);
  EXPECT_EQ(read(*in, 3), "hel");
  EXPECT_EQ(read(*in), "lo");
  in->set_status_flags(kReadWrite | abi::OpenFlag::kO_NONBLOCK);
  EXPECT_EQ(read(*in), "EAGAIN");
  EXPECT_FALSE(in->poll(nullptr).has(PollFlag::kPOLLIN));
  EXPECT_TRUE(in->seek(0, abi::kSEEK_CUR).is(Errno::kESPIPE));
  EXPECT_EQ(in->inode().type(), abi::kS_IFIFO);
  close(ends[1]);
  EXPECT_EQ(read(*in), "");
  EXPECT_TRUE(in->poll(nullptr).has(PollFlag::kPOLLHUP));
  ends[1] = dup(ends[0]);

  int other[2];
  ASSERT_EQ(pipe(other), 0);
  RefPtr<File> out = MUST(tty::make_host_stream(host::UniqueFd(host::Fd{other[1]}), Credentials()));
  close(other[0]);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_TRUE(write(*out, "x").is(Errno::kEPIPE));
  EXPECT_TRUE(has_pending(abi::kSIGPIPE));
}

TEST_F(HostTest, PipesEndWithTheLastFile) {
  // At once: a program of the host waits for it.
  RefPtr<File> out = MUST(tty::make_host_stream(write_end(), Credentials()));
  close(ends[1]);
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  char byte;
  EXPECT_EQ(::read(ends[0], &byte, 1), -1);
  out = nullptr;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ends[1] = dup(ends[0]);
}

TEST_F(HostTest, AFilesPositionIsSharedWithTheHost) {
  char name[] = "/tmp/lxss-stream-XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  unlink(name);
  ASSERT_EQ(::write(fd, "before ", 7), 7);
  RefPtr<File> file = MUST(tty::make_host_stream(host::UniqueFd(host::Fd{dup(fd)}), Credentials()));
  EXPECT_TRUE(file->seekable() && file->position_is_shared());
  EXPECT_EQ(MUST(write(*file, "guest ")), 6u);
  ASSERT_EQ(::write(fd, "after", 5), 5);
  EXPECT_EQ(MUST(file->seek(0, abi::kSEEK_CUR)), 18u);
  EXPECT_EQ(MUST(file->seek(7, abi::kSEEK_SET)), 7u);
  EXPECT_EQ(read(*file, 5), "guest");
  EXPECT_EQ(MUST(file->inode().attributes()).size, 18u);
  u64 offset = 0;
  char text[6];
  IoBuffer buffer = IoBuffer::kernel(text, sizeof text);
  EXPECT_EQ(MUST(file->read(*task, buffer, &offset)), 6u);
  EXPECT_EQ(std::string(text, 6), "before");
  EXPECT_EQ(MUST(file->seek(0, abi::kSEEK_CUR)), 12u);
  close(fd);
}

TEST_F(HostTest, TheNullDeviceIsTheEnd) {
  RefPtr<File> file = MUST(
      tty::make_host_stream(host::UniqueFd(host::Fd{open("/dev/null", O_RDWR)}), Credentials()));
  EXPECT_EQ(read(*file), "");
  EXPECT_EQ(MUST(write(*file, "x")), 1u);
  EXPECT_EQ(file->inode().rdev(), abi::make_dev(1, 3));
}

}  // namespace
}  // namespace lxss
