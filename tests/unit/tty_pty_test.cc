// Pseudo-terminals and job control on the fake backend: pairs, hang-up, packet mode, signals.
// Expectations are what Linux does.
#include <gtest/gtest.h>

#include <string>

#include "lxcore/ipc/poller.h"
#include "lxcore/kernel.h"
#include "lxcore/tty/pty.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/devices.h"
#include "lxcore/vfs/vfs.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {
namespace {

using abi::PollFlag;

constexpr abi::OpenFlags kReadWrite{2};

class PtyTest : public testing::Test {
 protected:
  PtyTest() {
    give_session(*instance.kernel().init);
    leader = &new_leader();
    instance.run_as(*leader);
    master = MUST(devices::kTtyDevices[2].open(*leader, 2, kReadWrite));
    vfs::initialise_anonymous(*master, "ptmx", abi::kS_IFCHR | 0666, kReadWrite);
    i32 unlock = 0;
    MUST(ioctl(*master, abi::kTIOCSPTLCK, &unlock));
  }

  static void give_session(Process& process) {
    process.group = make_ref<ProcessGroup>(process.pid, make_ref<Session>(process.pid));
    kernel().groups[process.pid] = process.group.get();
    process.group->members.push_back(process);
  }
  /// SIGCONT is noticed only by who has a handler for it.
  Task& new_process() {
    Task& task = instance.new_process();
    task.actions->at(abi::kSIGCONT).handler = 0x1000;
    return task;
  }
  Task& new_leader() {
    Task& task = new_process();
    give_session(*task.process);
    return task;
  }
  /// A child of the leader, in a group of its own within the session.
  Task& new_job() {
    Task& task = new_process();
    Process& process = *task.process;
    process.set_parent(leader->process.get());
    process.group =
        make_ref<ProcessGroup>(process.pid, RefPtr<Session>(leader->process->group->session));
    kernel().groups[process.pid] = process.group.get();
    process.group->members.push_back(process);
    return task;
  }
  RefPtr<File> open_slave(Task& task, abi::OpenFlags flags = kReadWrite) {
    RefPtr<File> file = MUST(devices::kTtyDevices[3].open(task, number(), flags));
    vfs::initialise_anonymous(*file, "/dev/pts/0", abi::kS_IFCHR | 0620, flags);
    return file;
  }
  u32 number() {
    u32 result = 0;
    MUST(ioctl(*master, abi::kTIOCGPTN, &result));
    return result;
  }

  static Result<u64> ioctl(File& file, u32 request, void* argument) {
    return file.ioctl(Task::current(), request, reinterpret_cast<u64>(argument));
  }
  static Result<usize> write(File& file, std::string_view text) {
    IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
    return file.write(Task::current(), buffer, nullptr);
  }
  static std::string read(File& file, usize size = 8192) {
    std::string text(size, '\0');
    IoBuffer buffer = IoBuffer::kernel(text.data(), size);
    auto got = file.read(Task::current(), buffer, nullptr);
    if (!got.ok()) return errno_name(got.error());
    return text.substr(0, *got);
  }
  static void set_nonblocking(File& file) {
    file.set_status_flags(file.flags() | abi::OpenFlag::kO_NONBLOCK);
  }
  template <typename Change>
  static void change(File& file, Change what) {
    abi::Termios2 settings;
    MUST(ioctl(file, abi::kTCGETS2, &settings));
    what(settings);
    MUST(ioctl(file, abi::kTCSETS2, &settings));
  }
  static bool has_pending(Task& task, i32 signal) {
    return task.process->pending.set().has(signal) || task.pending.set().has(signal);
  }
  static void forget_signals(Task& task) {
    task.process->pending.discard(abi::SigSet::full_set());
    task.pending.discard(abi::SigSet::full_set());
  }

  fake::Instance instance;
  Task* leader = nullptr;
  RefPtr<File> master;
};

TEST_F(PtyTest, BothWaysThroughTheLineDiscipline) {
  RefPtr<File> slave = open_slave(*leader);
  EXPECT_EQ(MUST(write(*master, "ls\r")), 3u);
  EXPECT_EQ(read(*slave), "ls\n");
  EXPECT_EQ(read(*master), "ls\r\n");
  EXPECT_EQ(MUST(write(*slave, "a\nb")), 3u);
  EXPECT_EQ(read(*master, 2), "a\r");
  EXPECT_EQ(read(*master), "\nb");
}

TEST_F(PtyTest, NumbersAndLocks) {
  EXPECT_EQ(number(), 0u);
  RefPtr<File> other = MUST(devices::kTtyDevices[2].open(*leader, 2, kReadWrite));
  u32 second = 9;
  MUST(ioctl(*other, abi::kTIOCGPTN, &second));
  EXPECT_EQ(second, 1u);
  EXPECT_TRUE(devices::kTtyDevices[3].open(*leader, 1, kReadWrite).is(Errno::kEIO));
  master = nullptr;
  EXPECT_TRUE(devices::kTtyDevices[3].open(*leader, 0, kReadWrite).is(Errno::kEIO));
  master = MUST(devices::kTtyDevices[2].open(*leader, 2, kReadWrite));
  EXPECT_EQ(number(), 0u) << "the lowest free number";
}

TEST_F(PtyTest, MasterSeesTheSlaveClose) {
  set_nonblocking(*master);
  EXPECT_EQ(read(*master), "EAGAIN") << "never opened is not closed";
  EXPECT_FALSE(master->poll(nullptr).has(PollFlag::kPOLLHUP));
  RefPtr<File> slave = open_slave(*leader);
  MUST(write(*slave, "bye"));
  slave = nullptr;
  EXPECT_TRUE(master->poll(nullptr).has(PollFlag::kPOLLHUP));
  EXPECT_EQ(read(*master), "bye");
  EXPECT_EQ(read(*master), "EIO");
  EXPECT_EQ(MUST(write(*master, "x\n")), 2u);
  slave = open_slave(*leader);
  EXPECT_FALSE(master->poll(nullptr).has(PollFlag::kPOLLHUP));
  EXPECT_EQ(read(*slave), "x\n");
}

TEST_F(PtyTest, ClosingTheMasterHangsUp) {
  RefPtr<File> slave = open_slave(*leader);
  EXPECT_EQ(leader->session().terminal, &file_as<TtyFile>(*slave)->tty());
  Task& job = new_job();
  i32 group = job.process->pid.value;
  MUST(ioctl(*slave, abi::kTIOCSPGRP, &group));
  MUST(write(*master, "lost\n"));
  master = nullptr;
  EXPECT_TRUE(has_pending(*leader, abi::kSIGHUP));
  EXPECT_TRUE(has_pending(*leader, abi::kSIGCONT));
  EXPECT_FALSE(has_pending(job, abi::kSIGHUP)) << "it hears of it when the leader ends";
  EXPECT_FALSE(leader->session().terminal);
  forget_signals(*leader);
  EXPECT_EQ(read(*slave), "");
  EXPECT_TRUE(write(*slave, "x").is(Errno::kEIO));
  EXPECT_TRUE(ioctl(*slave, abi::kTCGETS2, nullptr).is(Errno::kEIO));
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).is(Errno::kENOTTY));
  EXPECT_TRUE(slave->poll(nullptr).has(PollFlag::kPOLLHUP));
  tty::session_leader_exited(*leader);
  EXPECT_TRUE(has_pending(job, abi::kSIGHUP));
  EXPECT_TRUE(has_pending(job, abi::kSIGCONT));
}

TEST_F(PtyTest, TheLeadersEndFreesTheTerminal) {
  RefPtr<File> slave = open_slave(*leader);
  Task& job = new_job();
  i32 group = job.process->pid.value;
  MUST(ioctl(*slave, abi::kTIOCSPGRP, &group));
  tty::session_leader_exited(*leader);
  EXPECT_TRUE(has_pending(job, abi::kSIGHUP));
  EXPECT_FALSE(has_pending(job, abi::kSIGCONT));
  EXPECT_FALSE(leader->session().terminal);
  Task& next = new_leader();
  instance.run_as(next);
  open_slave(next);
  EXPECT_TRUE(next.session().terminal) << "it can be somebody else's now";
}

TEST_F(PtyTest, AcquiringATerminal) {
  RefPtr<File> slave = open_slave(*leader, kReadWrite | abi::OpenFlag::kO_NOCTTY);
  EXPECT_FALSE(leader->session().terminal);
  i32 value = 0;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCGPGRP, &value).is(Errno::kENOTTY));
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCGSID, &value).is(Errno::kENOTTY));
  Task& job = new_job();
  instance.run_as(job);
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, nullptr).is(Errno::kEPERM));
  instance.run_as(*leader);
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, nullptr).ok());
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, nullptr).ok());
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCGSID, &value).ok());
  EXPECT_EQ(value, leader->process->pid.value);
  MUST(ioctl(*master, abi::kTIOCGPGRP, &value));
  EXPECT_EQ(value, leader->process->pid.value);
  EXPECT_TRUE(devices::kTtyDevices[0].open(*leader, 0, kReadWrite).ok());

  Task& other = new_leader();
  instance.run_as(other);
  EXPECT_TRUE(devices::kTtyDevices[0].open(other, 0, kReadWrite).is(Errno::kENXIO));
  auto creds = make_ref<Credentials>();
  creds->effective = 0;
  other.credentials = creds;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, reinterpret_cast<void*>(1)).is(Errno::kEPERM));
  other.credentials = make_ref<Credentials>();
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, nullptr).is(Errno::kEPERM));
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSCTTY, reinterpret_cast<void*>(1)).ok());
  EXPECT_FALSE(leader->session().terminal);
}

TEST_F(PtyTest, TheBackgroundIsStopped) {
  RefPtr<File> slave = open_slave(*leader);
  Task& job = new_job();
  instance.run_as(job);
  EXPECT_EQ(read(*slave), "ERESTARTSYS");
  EXPECT_TRUE(has_pending(job, abi::kSIGTTIN));
  forget_signals(job);
  EXPECT_EQ(MUST(write(*slave, "x")), 1u);
  abi::Termios2 settings;
  EXPECT_TRUE(ioctl(*slave, abi::kTCGETS2, &settings).ok());
  EXPECT_TRUE(ioctl(*slave, abi::kTCSETS2, &settings).is(Errno::kERESTARTSYS));
  EXPECT_TRUE(has_pending(job, abi::kSIGTTOU));
  forget_signals(job);
  job.actions->at(abi::kSIGTTOU).handler = abi::kSIG_IGN;
  settings.c_lflag |= abi::kTOSTOP;
  EXPECT_TRUE(ioctl(*slave, abi::kTCSETS2, &settings).ok());
  EXPECT_EQ(MUST(write(*slave, "x")), 1u);
  job.actions->at(abi::kSIGTTOU).handler = abi::kSIG_DFL;
  EXPECT_TRUE(write(*slave, "x").is(Errno::kERESTARTSYS));
  forget_signals(job);
  job.blocked.add(abi::kSIGTTIN);
  EXPECT_EQ(read(*slave), "EIO");
  job.blocked = abi::SigSet{};
  job.process->set_parent(kernel().init.get());  // nobody in the session is left to continue it
  EXPECT_EQ(read(*slave), "EIO");
  EXPECT_TRUE(write(*slave, "x").is(Errno::kEIO));
  i32 group = job.process->pid.value;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).is(Errno::kENOTTY));
}

TEST_F(PtyTest, ForegroundGroup) {
  RefPtr<File> slave = open_slave(*leader);
  Task& job = new_job();
  Task& stranger = new_leader();
  i32 group = -5;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).is(Errno::kEINVAL));
  group = 99999;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).is(Errno::kESRCH));
  group = stranger.process->pid.value;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).is(Errno::kEPERM));
  group = job.process->pid.value;
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCSPGRP, &group).ok());
  MUST(write(*master, "\x03"));
  EXPECT_TRUE(has_pending(job, abi::kSIGINT));
  EXPECT_FALSE(has_pending(*leader, abi::kSIGINT));
  const abi::Winsize size{10, 20, 0, 0};
  abi::Winsize seen{};
  MUST(ioctl(*master, abi::kTIOCSWINSZ, const_cast<abi::Winsize*>(&size)));
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCGWINSZ, &seen).ok());
  EXPECT_EQ(seen.ws_col, 20);
}

TEST_F(PtyTest, RawReads) {
  RefPtr<File> slave = open_slave(*leader);
  set_nonblocking(*slave);
  auto raw = [&](u8 least, u8 tenths) {
    change(*slave, [&](auto& s) {
      s.c_lflag = s.c_iflag = 0;
      s.c_cc[abi::kVMIN] = least;
      s.c_cc[abi::kVTIME] = tenths;
    });
  };
  raw(0, 0);
  EXPECT_EQ(read(*slave), "");
  raw(5, 0);
  EXPECT_EQ(read(*slave), "EAGAIN");
  MUST(write(*master, "abc"));
  EXPECT_FALSE(slave->poll(nullptr).has(PollFlag::kPOLLIN));
  EXPECT_EQ(read(*slave), "abc");
  raw(5, 1);
  MUST(write(*master, "a"));
  EXPECT_TRUE(slave->poll(nullptr).has(PollFlag::kPOLLIN));
  slave->set_status_flags(kReadWrite);
  raw(2, 0);
  instance.on_block = [&] { MUST(write(*master, "b")); };
  EXPECT_EQ(read(*slave), "ab");
}

TEST_F(PtyTest, FullBuffersAreSaid) {
  RefPtr<File> slave = open_slave(*leader);
  set_nonblocking(*slave);
  set_nonblocking(*master);
  usize out = 0;
  for (;;) {
    auto done = write(*slave, std::string(100, 'x'));
    if (!done.ok()) break;
    out += *done;
  }
  EXPECT_EQ(out, Tty::kOutputLimit);
  EXPECT_FALSE(slave->poll(nullptr).has(PollFlag::kPOLLOUT));
  EXPECT_EQ(read(*master, 20000).size(), Tty::kOutputLimit);
  EXPECT_TRUE(slave->poll(nullptr).has(PollFlag::kPOLLOUT));

  change(*slave, [](auto& s) { s.c_lflag = 0; });
  usize in = 0;
  for (;;) {
    auto done = write(*master, std::string(100, 'y'));
    if (!done.ok()) break;
    in += *done;
  }
  EXPECT_EQ(in, Tty::kInputLimit + LineDiscipline::kLimit);
  EXPECT_FALSE(master->poll(nullptr).has(PollFlag::kPOLLOUT));
  usize got = 0;
  for (;;) {
    const std::string text = read(*slave);
    if (text == "EAGAIN") break;
    got += text.size();
  }
  EXPECT_EQ(got, in);
}

TEST_F(PtyTest, ABlockedWriterGoesOn) {
  RefPtr<File> slave = open_slave(*leader);
  std::string got;
  instance.on_block = [&] { got += read(*master, 30000); };
  const std::string text(50000, 'z');
  EXPECT_EQ(MUST(write(*slave, text)), text.size());
  got += read(*master, 30000);
  EXPECT_EQ(got, text);
}

TEST_F(PtyTest, PacketMode) {
  RefPtr<File> slave = open_slave(*leader);
  set_nonblocking(*master);
  i32 on = 1;
  MUST(ioctl(*master, abi::kTIOCPKT, &on));
  auto flush = [&](i32 queues) {
    MUST(slave->ioctl(Task::current(), abi::kTCFLSH, static_cast<u64>(queues)));
  };
  auto flow = [&](i32 action) {
    MUST(slave->ioctl(Task::current(), abi::kTCXONC, static_cast<u64>(action)));
  };
  flush(abi::kTCIOFLUSH);
  EXPECT_TRUE(master->poll(nullptr).has(PollFlag::kPOLLPRI));
  EXPECT_EQ(read(*master), "\x03");
  EXPECT_EQ(read(*master), "EAGAIN");
  flow(abi::kTCOOFF);
  EXPECT_EQ(read(*master), "\x04");
  flow(abi::kTCOON);
  EXPECT_EQ(read(*master), "\x08");
  flow(abi::kTCIOFF);
  EXPECT_EQ(read(*master), std::string("\0\x13", 2));
  MUST(write(*master, "\x03"));
  EXPECT_EQ(read(*master), "\x03");
  EXPECT_EQ(read(*master), std::string("\0^C", 3));
  forget_signals(*leader);
  change(*slave, [](auto& s) { s.c_iflag &= ~abi::kIXON; });
  EXPECT_EQ(read(*master), "\x10");
  change(*slave, [](auto& s) { s.c_iflag |= abi::kIXON; });
  EXPECT_EQ(read(*master), "\x20");
  MUST(write(*slave, "data"));
  EXPECT_EQ(read(*master), std::string("\0data", 5));
}

TEST_F(PtyTest, Settings) {
  RefPtr<File> slave = open_slave(*leader);
  abi::Termios2 settings;
  MUST(ioctl(*slave, abi::kTCGETS2, &settings));
  EXPECT_EQ(settings.c_iflag, 0x500u);
  EXPECT_EQ(settings.c_oflag, 0x5u);
  EXPECT_EQ(settings.c_cflag, 0xbfu);
  EXPECT_EQ(settings.c_lflag, 0x8a3bu);
  EXPECT_EQ(settings.c_ospeed, 38400u);
  settings.c_cflag = abi::kB115200 | abi::kCS5 | abi::kPARENB | abi::kCREAD;
  MUST(ioctl(*slave, abi::kTCSETS2, &settings));
  MUST(ioctl(*master, abi::kTCGETS2, &settings));
  EXPECT_EQ(settings.c_cflag, abi::kB115200 | abi::kCS8 | abi::kCREAD);
  EXPECT_EQ(settings.c_ospeed, 115200u);
  settings.c_cflag = abi::kBOTHER | abi::kCS8;
  settings.c_ispeed = 12345;
  settings.c_ospeed = 23456;
  MUST(ioctl(*slave, abi::kTCSETS2, &settings));
  MUST(ioctl(*slave, abi::kTCGETS2, &settings));
  EXPECT_EQ(settings.c_ispeed, 23456u);
  MUST(write(*master, "typed\n"));
  MUST(ioctl(*slave, abi::kTCSETSF2, &settings));
  i32 queued = -1;
  MUST(ioctl(*slave, abi::kFIONREAD, &queued));
  EXPECT_EQ(queued, 0);
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCMGET, &queued).is(Errno::kENOTTY));
  EXPECT_TRUE(ioctl(*slave, abi::kTIOCGPTN, &queued).is(Errno::kENOTTY));
}

TEST_F(PtyTest, Vhangup) {
  RefPtr<File> slave = open_slave(*leader);
  MUST(ioctl(*slave, abi::kTIOCVHANGUP, nullptr));
  EXPECT_EQ(read(*slave), "");
  EXPECT_FALSE(leader->session().terminal);
  forget_signals(*leader);
  RefPtr<File> again = open_slave(*leader);
  EXPECT_EQ(MUST(write(*again, "x")), 1u);
  EXPECT_EQ(read(*master), "x");
}

}  // namespace
}  // namespace lxss
