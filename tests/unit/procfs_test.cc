// procfs, sysfs and devfs on the fake backend: formats, permissions, lifetimes.
#include "fs/procfs/procfs.h"

#include <sys/mman.h>

#include "fs/devfs/devfs.h"
#include "fs/sysfs/sysfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "lxcore/task/names_in_proc.h"
#include "tests/unit/volfs_fixture.h"

namespace lxss {
namespace {

class ProcFsTest : public TreeTest {
 protected:
  void SetUp() override {
    host::open_machine_files();
    root_inode_ = MUST((tree_ = make_ref<tmpfs::TmpFileSystem>(tmpfs::Options{}))->root());
    mount_root(tree_);
    auto group = make_ref<ProcessGroup>(Pid{1}, make_ref<Session>(Pid{1}));
    for (auto& [pid, process] : kernel().processes) {
      process->group = group;
      process->group->members.push_back(*process);
    }
    task().memory = make_ref<AddressSpace>();
    set_comm(task(), "guest");
    mount_at("proc", procfs::make());
    mount_at("sys", sysfs::make());
    mount_at("dev", MUST(devfs::make()));
  }

  void mount_at(std::string name, RefPtr<FileSystem> filesystem) {
    EXPECT_OK(root_inode_->create(name, made(S_IFDIR | 0755)));
    Path at = MUST(vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/" + name, {}));
    EXPECT_OK(vfs::mount(filesystem, at, name, abi::MountFlag::kMS_NOSUID));
  }
  static void set_comm(Task& of, std::string_view name) {
    std::copy(name.begin(), name.end(), of.comm.begin());
  }
  std::string content(const std::string& path) {
    auto file = open(path, O_RDONLY);
    std::string text;
    while (file) {
      std::string part = read(*file, 1000, text.size());
      if (part.empty()) break;
      text += part;
    }
    return text;
  }
  std::string link_text(const std::string& path) {
    auto found = vfs::resolve(task(), Fd{abi::kAT_FDCWD}, path, {});
    EXPECT_OK(found);
    if (!found) return {};
    auto text = found->inode().read_link();
    EXPECT_OK(text);
    return text.ok() ? std::move(text).value() : "";
  }
  Errno write_error(const std::string& path, std::string_view text) {
    auto file = vfs::open(task(), Fd{abi::kAT_FDCWD}, path, abi::OpenFlags(O_WRONLY | O_TRUNC), 0);
    if (!file) return file.error();
    IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
    u64 offset = 0;
    return error_of((*file)->write(task(), buffer, &offset));
  }
  static std::string line_of(const std::string& text, const std::string& name) {
    usize begin = ("\n" + text).find("\n" + name);
    if (begin == std::string::npos) return "(no " + name + ")";
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  std::string proc(const std::string& file) {
    return "/proc/" + std::to_string(task().process->pid.value) + "/" + file;
  }
  Task& new_user(u32 uid) {
    Task& user = instance_.new_process();
    auto who = make_ref<Credentials>();
    who->uid = who->euid = who->suid = who->fsuid = uid;
    who->gid = who->egid = who->sgid = who->fsgid = uid;
    who->permitted = who->effective = 0;
    user.credentials = who;
    user.process->group = task().process->group;
    return user;
  }

  RefPtr<FileSystem> tree_;
  RefPtr<Inode> root_inode_;
};

TEST_F(ProcFsTest, StatHasFiftyTwoFields) {
  task().process->start_time_ns = 12'340'000'000;
  task().process->group = make_ref<ProcessGroup>(Pid{77}, task().process->group->session);
  std::string text = content(proc("stat"));
  EXPECT_EQ(text.find("2 (guest) R 1 77 1 0 -1 4194304 "), 0u) << text;
  std::vector<std::string> fields;
  std::string rest = text.substr(text.find(')') + 2);
  for (usize at = 0; at < rest.size();) {
    usize end = rest.find_first_of(" \n", at);
    fields.push_back(rest.substr(at, end - at));
    at = end + 1;
  }
  ASSERT_EQ(fields.size(), 50u);
  EXPECT_EQ(fields[22 - 3], "1234");                  // starttime
  EXPECT_EQ(fields[25 - 3], "18446744073709551615");  // rsslim
  EXPECT_EQ(fields[38 - 3], "17");                    // exit_signal
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(ProcFsTest, StatusShowsIdsAndMasks) {
  auto who = task().credentials->copy();
  who->uid = 1, who->euid = 0, who->suid = 3, who->fsuid = 0;
  who->groups = {4, 24};
  task().credentials = who;
  task().blocked.add(2);
  std::string text = content("/proc/self/status");
  EXPECT_EQ(line_of(text, "Name:"), "Name:\tguest");
  EXPECT_EQ(line_of(text, "Umask:"), "Umask:\t0022");
  EXPECT_EQ(line_of(text, "State:"), "State:\tR (running)");
  EXPECT_EQ(line_of(text, "PPid:"), "PPid:\t1");
  EXPECT_EQ(line_of(text, "Uid:"), "Uid:\t1\t0\t3\t0");
  EXPECT_EQ(line_of(text, "Groups:"), "Groups:\t4 24 ");
  EXPECT_EQ(line_of(text, "FDSize:"), "FDSize:\t64");
  EXPECT_EQ(line_of(text, "SigBlk:"), "SigBlk:\t0000000000000002");
  EXPECT_EQ(line_of(text, "CapEff:"), "CapEff:\t000001ffffffffff");
  EXPECT_EQ(line_of(text, "VmSize:"), "VmSize:\t       0 kB");
  EXPECT_EQ(line_of(text, "Threads:"), "Threads:\t1");
}

TEST_F(ProcFsTest, LimitsAreInColumns) {
  std::string text = content("/proc/self/limits");
  EXPECT_EQ(line_of(text, "Limit"),
            "Limit                     Soft Limit           Hard Limit           Units     ");
  EXPECT_EQ(line_of(text, "Max open files"),
            "Max open files            1024                 4096                 files     ");
  EXPECT_EQ(line_of(text, "Max nice priority"),
            "Max nice priority         unlimited            unlimited            ");
}

TEST_F(ProcFsTest, MapsAreInColumns) {
  Area area;
  area.begin = 0x5614e55a2000;
  area.end = 0x5614e55a4000;
  area.protection = abi::ProtFlag::kPROT_READ | abi::ProtFlag::kPROT_EXEC;
  area.file = open("/a file", O_RDWR | O_CREAT);
  area.offset = 0x2000;
  Area heap;
  heap.begin = 0x5614e5600000;
  heap.end = 0x5614e5601000;
  heap.protection = abi::ProtFlag::kPROT_READ | abi::ProtFlag::kPROT_WRITE;
  heap.name = "[heap]";
  Area anonymous;
  anonymous.begin = 0x7fff00000000;
  anonymous.end = 0x7fff00001000;
  anonymous.shared = true;
  for (const Area& each : {area, heap, anonymous}) task().memory->areas[each.begin] = each;

  u64 device = area.file->inode().filesystem().device();
  char expected[400];
  snprintf(expected, sizeof expected,
           "%-73s/a file\n"
           "5614e5600000-5614e5601000 rw-p 00000000 00:00 0                          [heap]\n"
           "7fff00000000-7fff00001000 ---s 00000000 00:00 0 \n",
           ([&] {
             char header[100];
             snprintf(header, sizeof header,
                      "5614e55a2000-5614e55a4000 r-xp 00002000 %02x:%02x %llu ",
                      abi::dev_major(device), abi::dev_minor(device),
                      static_cast<unsigned long long>(area.file->inode().number()));
             return std::string(header);
           }())
               .c_str());
  EXPECT_EQ(content("/proc/self/maps"), expected);
  EXPECT_EQ(content("/proc/self/statm").substr(0, 2), "4 ");
  EXPECT_EQ(line_of(content("/proc/self/smaps"), "Size:"), "Size:                  8 kB");
  EXPECT_EQ(line_of(content("/proc/self/smaps_rollup"), "5614"),
            "5614e55a2000-7fff00001000 ---p 00000000 00:00 0                          [rollup]");
}

TEST_F(ProcFsTest, CommandLineIsReadFromMemory) {
  static char strings[] = "prog\0-x\0\0A=1\0B=2";
  u64 begin = reinterpret_cast<u64>(strings);
  AddressSpace& memory = *task().memory;
  memory.arguments_begin = begin;
  memory.arguments_end = memory.environment_begin = begin + 9;
  memory.environment_end = begin + sizeof strings;
  EXPECT_EQ(content("/proc/self/cmdline"), std::string("prog\0-x\0\0", 9));
  EXPECT_EQ(content("/proc/self/environ"), std::string("A=1\0B=2\0", 8));
  // A title: the arguments' last NUL is gone, the text goes on in the environment.
  std::copy_n("a long title", 13, strings);
  EXPECT_EQ(content("/proc/self/cmdline"), "a long title");
}

TEST_F(ProcFsTest, NamesOfTheDeadAreForgotten) {
  RefPtr<Process> process = new_user(1000).process;
  const auto references = process->reference_count();
  const std::string base = "/proc/" + std::to_string(process->pid.value);
  EXPECT_NE(content(base + "/stat"), "");
  EXPECT_NE(content(base + "/task/" + std::to_string(process->pid.value) + "/stat"), "");
  EXPECT_GT(process->reference_count(), references);
  procfs::forget_process(*process);
  task().epoch.drain();
  EXPECT_EQ(process->reference_count(), references);
}

TEST_F(ProcFsTest, MemoryIsReadAndWrittenAtItsAddress) {
  static char bytes[] = "secret";
  Area area;
  area.begin = reinterpret_cast<u64>(bytes);
  area.end = area.begin + sizeof bytes;
  area.protection = abi::ProtFlag::kPROT_READ | abi::ProtFlag::kPROT_WRITE;
  task().memory->areas[area.begin] = area;
  auto file = open("/proc/self/mem", O_RDWR);
  ASSERT_TRUE(file);
  u64 at = reinterpret_cast<u64>(bytes);
  EXPECT_EQ(read(*file, 6, at), "secret");
  EXPECT_EQ(write(*file, "public", at), 6u);
  EXPECT_STREQ(bytes, "public");
  char unused;
  IoBuffer buffer = IoBuffer::kernel(&unused, 1);
  u64 window = pico::kArenaBegin;
  EXPECT_ERROR(file->read(task(), buffer, &window), kEIO);
}

TEST_F(ProcFsTest, DescriptorsAreMagicLinks) {
  auto file = open("/x", O_RDWR | O_CREAT | O_APPEND);
  ASSERT_OK(task().files->install(file, true, 1024, 5));
  file->position = 9;
  EXPECT_EQ(link_text("/proc/self/fd/5"), "/x");
  EXPECT_EQ(inode("/proc/self/fd/5")->mode(), u32(S_IFLNK | 0700));
  EXPECT_ERROR(vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/proc/self/fd/6", {}), kENOENT);
  EXPECT_EQ(open_error("/proc/self/fd/05", O_RDONLY), Errno::kENOENT);
  auto followed = vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/proc/self/fd/5", vfs::Walk::kFollow);
  ASSERT_OK(followed);
  EXPECT_EQ(&followed->inode(), &file->inode());
  std::string info = content("/proc/self/fdinfo/5");
  EXPECT_EQ(line_of(info, "pos:"), "pos:\t9");
  EXPECT_EQ(line_of(info, "flags:"), "flags:\t02102002");
  EXPECT_EQ(list("/proc/self/fd").order, (std::vector<std::string>{".", "..", "5"}));
  EXPECT_OK(task().files->remove(Fd{5}));
  EXPECT_ERROR(vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/proc/self/fd/5", {}), kENOENT);
}

TEST_F(ProcFsTest, ProcessesAreListedAndGo) {
  Task& other = instance_.new_process();
  other.process->group = task().process->group;
  Task& thread = instance_.new_thread(task());
  std::string path = "/proc/" + std::to_string(other.tid.value);
  ListSink entries = list("/proc");
  EXPECT_TRUE(entries.entries.contains(path.substr(6)));
  EXPECT_FALSE(entries.entries.contains(std::to_string(thread.tid.value)));
  EXPECT_TRUE(exists("/proc/" + std::to_string(thread.tid.value) + "/status"));
  EXPECT_EQ(list("/proc/self/task").order,
            (std::vector<std::string>{".", "..", "2", std::to_string(thread.tid.value)}));
  EXPECT_EQ(link_text("/proc/self"), "2");
  EXPECT_EQ(link_text("/proc/thread-self"), "2/task/2");

  u64 number = inode(path)->number();
  EXPECT_EQ(number, entries.entries[path.substr(6)].number);
  EXPECT_EQ(number, inode(path)->number());
  auto links = open(path + "/mounts", O_RDONLY);
  instance_.forget(other);
  EXPECT_FALSE(exists(path));
  char byte;
  IoBuffer buffer = IoBuffer::kernel(&byte, 1);
  u64 start = 0;
  EXPECT_ERROR(links->read(task(), buffer, &start), kESRCH);
}

TEST_F(ProcFsTest, ListingGoesOnWhereItStopped) {
  auto directory = open("/proc", O_RDONLY | O_DIRECTORY);
  std::vector<std::string> pieces;
  for (u64 offset = 0;;) {
    ListSink sink;
    sink.limit = 3;
    ASSERT_OK(directory->read_directory(task(), offset, sink));
    if (sink.order.empty()) break;
    pieces.insert(pieces.end(), sink.order.begin(), sink.order.end());
    offset = sink.position;
  }
  EXPECT_EQ(pieces, list("/proc").order);
}

TEST_F(ProcFsTest, ReadsContinueInOneSnapshot) {
  auto file = open("/proc/self/comm", O_RDONLY);
  EXPECT_EQ(read(*file, 2, 0), "gu");
  set_comm(task(), "other");
  EXPECT_EQ(read(*file, 9, 2), "est\n");
  EXPECT_EQ(read(*file, 9, 0), "other\n");
}

TEST_F(ProcFsTest, MountsFollowLinux) {
  std::string text = content("/proc/mounts");
  EXPECT_EQ(line_of(text, "proc "), "proc /proc proc rw,nosuid 0 0");
  EXPECT_EQ(line_of(text, "dev "), "dev /dev devtmpfs rw,nosuid,mode=755 0 0");
  std::string info = content("/proc/self/mountinfo");
  EXPECT_NE(info.find(" / /proc rw,nosuid - proc proc rw\n"), std::string::npos) << info;
}

TEST_F(ProcFsTest, ControlsAreCheckedAndTakeEffect) {
  EXPECT_EQ(write_error("/proc/self/oom_score_adj", " 13\n"), Errno{0});
  EXPECT_EQ(content("/proc/self/oom_score_adj"), "13\n");
  EXPECT_EQ(write_error("/proc/self/oom_score_adj", "5000"), Errno::kEINVAL);
  EXPECT_EQ(write_error("/proc/self/oom_score_adj", ""), Errno::kEINVAL);
  EXPECT_EQ(write_error("/proc/self/comm", "a name that is too long"), Errno{0});
  EXPECT_EQ(content("/proc/self/comm"), "a name that is \n");
  EXPECT_EQ(write_error("/proc/version", "x"), Errno::kEIO);
  EXPECT_EQ(write_error("/proc/self/uid_map", "0 0 1"), Errno::kEPERM);
  EXPECT_EQ(open_error("/proc/new", O_WRONLY | O_CREAT), Errno::kENOENT);
}

TEST_F(ProcFsTest, ParametersThatAreFixedAreReadOnlyForRoot) {
  EXPECT_EQ(content("/proc/sys/kernel/pid_max"), "4194304\n");
  EXPECT_EQ(open_error("/proc/sys/kernel/pid_max", O_WRONLY), Errno::kEACCES);
  EXPECT_EQ(write_error("/proc/sys/kernel/hostname", "box\n"), Errno{0});
  EXPECT_EQ(kernel().hostname, "box");
  std::string boot = content("/proc/sys/kernel/random/boot_id");
  EXPECT_EQ(boot.size(), 37u);
  EXPECT_EQ(boot[14], '4');
  EXPECT_EQ(content("/proc/sys/kernel/random/boot_id"), boot);
  EXPECT_NE(content("/proc/sys/kernel/random/uuid"), content("/proc/sys/kernel/random/uuid"));
}

TEST_F(ProcFsTest, SecretsNeedTheSameUser) {
  std::string mine = proc("");
  Task& user = new_user(1000);
  std::string theirs = "/proc/" + std::to_string(user.tid.value) + "/";
  EXPECT_EQ(inode(theirs + "environ")->uid(), 1000u);
  user.process->dumpable = false;
  EXPECT_EQ(inode(theirs + "environ")->uid(), 0u);
  EXPECT_EQ(inode(theirs)->uid(), 1000u);
  instance_.run_as(user);
  auto open_as = [&](const std::string& path) {
    return error_of(vfs::open(user, Fd{abi::kAT_FDCWD}, path, abi::OpenFlags(O_RDONLY), 0));
  };
  EXPECT_EQ(open_as(mine + "maps"), Errno::kEACCES);
  EXPECT_EQ(open_as(mine + "environ"), Errno::kEACCES);
  EXPECT_EQ(open_as(mine + "fd"), Errno::kEACCES);
  EXPECT_EQ(open_as(mine + "stat"), Errno{0});
  auto exe = vfs::resolve(user, Fd{abi::kAT_FDCWD}, mine + "exe", {});
  ASSERT_OK(exe);
  EXPECT_ERROR(exe->inode().read_link(), kEACCES);
  // One's own descriptors stay open to oneself.
  EXPECT_EQ(open_as("/proc/self/fd"), Errno{0});
  instance_.run_as(task());
}

TEST_F(ProcFsTest, MachineFilesLookLikeLinux) {
  EXPECT_EQ(content("/proc/version").find("Linux version "), 0u);
  EXPECT_NE(content("/proc/meminfo").find("MemTotal:"), std::string::npos);
  std::string stat = content("/proc/stat");
  EXPECT_EQ(line_of(stat, "processes"), "processes 0");
  EXPECT_EQ(line_of(stat, "procs_running"), "procs_running 2");
  double up = 0, idle = 0;
  EXPECT_EQ(sscanf(content("/proc/uptime").c_str(), "%lf %lf\n", &up, &idle), 2);
  EXPECT_GT(up, 0);
  int running = 0, threads = 0, last = 0;
  float load[3];
  EXPECT_EQ(sscanf(content("/proc/loadavg").c_str(), "%f %f %f %d/%d %d\n", load, load + 1,
                   load + 2, &running, &threads, &last),
            6);
  EXPECT_EQ(threads, 2);
  EXPECT_EQ(last, 2);
  EXPECT_EQ(content("/proc/net/unix"), "Num       RefCount Protocol Flags    Type St Inode Path\n");
}

TEST_F(ProcFsTest, SysfsTellsTheCpus) {
  std::string online = content("/sys/devices/system/cpu/online");
  EXPECT_EQ(online[0], '0');
  EXPECT_EQ(online.back(), '\n');
  EXPECT_TRUE(exists("/sys/devices/system/cpu/cpu0/topology/core_id"));
  EXPECT_FALSE(exists("/sys/devices/system/cpu/cpu1023"));
  EXPECT_TRUE(list("/sys/devices/system/cpu").entries.contains("cpu0"));
}

TEST_F(ProcFsTest, MemoryDevices) {
  auto null = open("/dev/null", O_RDWR);
  ASSERT_TRUE(null);
  EXPECT_EQ(read(*null, 4, 0), "");
  EXPECT_EQ(write(*null, "gone", 0), 4u);
  auto zero = open("/dev/zero", O_RDWR);
  EXPECT_EQ(read(*zero, 4, 0), std::string(4, '\0'));
  EXPECT_EQ(read(*zero, 100000, 0), std::string(100000, '\0'));
  auto full = open("/dev/full", O_RDWR);
  IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span("x")));
  u64 offset = 0;
  EXPECT_ERROR(full->write(task(), buffer, &offset), kENOSPC);
  auto random = open("/dev/urandom", O_RDONLY);
  EXPECT_NE(read(*random, 3000, 0), read(*random, 3000, 0));
  EXPECT_EQ(link_text("/dev/fd"), "/proc/self/fd");
  EXPECT_EQ(inode("/dev/ptmx")->rdev(), abi::make_dev(5, 2));
}

}  // namespace
}  // namespace lxss
