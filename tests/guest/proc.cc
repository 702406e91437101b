// The files of /proc that programs rely on.
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <map>
#include <sstream>

#include "check.h"

namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

std::vector<std::string> lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

/// The lines `Key: value` of a file.
std::map<std::string, std::string> fields(const std::string& path) {
  std::map<std::string, std::string> result;
  for (const std::string& line : lines(read_file(path))) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    std::string key = line.substr(0, colon);
    key.erase(key.find_last_not_of(" \t") + 1);
    result.emplace(key, value == std::string::npos ? "" : line.substr(value));
  }
  return result;
}

/// The fields of /proc/<pid>/stat behind the name; [0] is the state.
std::vector<std::string> stat_fields(const std::string& pid) {
  const std::string text = read_file("/proc/" + pid + "/stat");
  return words(text.substr(text.rfind(')') + 1));
}

std::string target(const std::string& link) { return std::filesystem::read_symlink(link); }

}  // namespace

TEST(self_and_thread_self) {
  CHECK_EQ(target("/proc/self"), std::to_string(getpid()));
  CHECK_EQ(target("/proc/thread-self"),
           std::to_string(getpid()) + "/task/" + std::to_string(syscall(SYS_gettid)));
}

TEST(stat_of_a_process) {
  OK(prctl(PR_SET_NAME, "odd ) name"));
  const std::string text = read_file("/proc/self/stat");
  CHECK(text.starts_with(std::to_string(getpid()) + " (odd ) name) R "));
  CHECK_EQ(text.back(), '\n');
  const std::vector<std::string> stat = stat_fields("self");
  CHECK_EQ(stat.size(), 50);
  CHECK_EQ(stat[1], std::to_string(getppid()));
  CHECK_EQ(stat[2], std::to_string(getpgrp()));
  CHECK_EQ(stat[3], std::to_string(getsid(0)));
  CHECK_EQ(stat[17], "1");            // threads
  CHECK(std::stol(stat[19]) > 0);     // start time
  CHECK(std::stol(stat[20]) > 4096);  // virtual size
  CHECK(std::stol(stat[21]) > 0);     // resident pages
}

TEST(statm_of_a_process) {
  const std::vector<std::string> statm = words(read_file("/proc/self/statm"));
  CHECK_EQ(statm.size(), 7);
  CHECK(std::stol(statm[0]) >= std::stol(statm[1]));
}

TEST(status_of_a_process) {
  auto status = fields("/proc/self/status");
  CHECK_EQ(status["Pid"], std::to_string(getpid()));
  CHECK_EQ(status["PPid"], std::to_string(getppid()));
  CHECK_EQ(status["Tgid"], std::to_string(getpid()));
  CHECK_EQ(status["State"], "R (running)");
  CHECK_EQ(words(status["Uid"])[1], std::to_string(geteuid()));
  CHECK_EQ(words(status["Gid"])[3], std::to_string(getegid()));
  CHECK_EQ(status["Threads"], "1");
  CHECK_EQ(status["Umask"], "0022");
  CHECK(status["VmRSS"].ends_with(" kB"));
  CHECK_EQ(status["SigBlk"], "0000000000000000");
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
  OK(raise(SIGUSR1));
  signal(SIGUSR2, SIG_IGN);
  signal(SIGTERM, [](int) {});
  status = fields("/proc/self/status");
  CHECK_EQ(status["SigBlk"], "0000000000000200");
  CHECK_EQ(status["SigPnd"], "0000000000000200");
  CHECK(std::stoul(status["SigIgn"], nullptr, 16) & 0x800);
  CHECK_EQ(std::stoul(status["SigCgt"], nullptr, 16) & 0x4000, 0x4000);
}

TEST(cmdline_and_environ) {
  const std::string self = own_path();
  const Signpost running;
  const pid_t child = in_child([&] {
    dup2(running.write_end(), STDOUT_FILENO);
    const char* argv[] = {"zero", "--helper", "announce_and_pause", "", "last", nullptr};
    const char* envp[] = {"A=1", "B=two words", nullptr};
    execve(self.c_str(), const_cast<char**>(argv), const_cast<char**>(envp));
  });
  running.await();
  const std::string base = "/proc/" + std::to_string(child);
  CHECK_EQ(read_file(base + "/cmdline"),
           std::string("zero\0--helper\0announce_and_pause\0\0last\0", 39));
  CHECK_EQ(read_file(base + "/environ"), std::string("A=1\0B=two words\0", 16));
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

HELPER(announce_and_pause) {
  OK(write(STDOUT_FILENO, ".", 1));
  return pause();
}

TEST(zombies_have_empty_files) {
  const pid_t child = in_child([] {});
  await_state(child, 'Z');
  const std::string base = "/proc/" + std::to_string(child);
  CHECK_EQ(read_file(base + "/cmdline"), "");
  CHECK_EQ(stat_fields(std::to_string(child))[0], "Z");
  CHECK_EXIT(child, 0);
  CHECK_ERRNO(open(base.c_str(), O_RDONLY), ENOENT);
}

TEST(files_of_a_dead_process) {
  const pid_t child = in_child([] { pause(); });
  const int directory = OK(open(("/proc/" + std::to_string(child)).c_str(), O_RDONLY));
  const int file = OK(openat(directory, "stat", O_RDONLY));
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
  char byte;
  CHECK_ERRNO(read(file, &byte, 1), ESRCH);
  CHECK_ERRNO(openat(directory, "status", O_RDONLY), ESRCH);
}

TEST(links_of_a_process) {
  OK(mkdir("inner", 0755));
  OK(chdir("inner"));
  CHECK_EQ(target("/proc/self/cwd"), std::filesystem::current_path().string());
  CHECK_EQ(target("/proc/self/root"), "/");
  struct stat by_link, by_path;
  OK(stat("/proc/self/cwd", &by_link));
  OK(stat(".", &by_path));
  CHECK_EQ(by_link.st_ino, by_path.st_ino);
}

TEST(descriptors_of_a_process) {
  write_file("file", "0123456789");
  const int fd = OK(open("file", O_RDONLY | O_CLOEXEC));
  OK(lseek(fd, 4, SEEK_SET));
  const std::string number = std::to_string(fd);
  CHECK_EQ(target("/proc/self/fd/" + number), std::filesystem::canonical("file").string());
  auto info = fields("/proc/self/fdinfo/" + number);
  CHECK_EQ(info["pos"], "4");
  CHECK_EQ(std::stol(info["flags"], nullptr, 8), O_RDONLY | O_CLOEXEC | 0100000);
  bool listed = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    listed |= entry.path().filename() == number;
  }
  CHECK(listed);
  // A link of this kind leads to the file itself, whatever its name has become.
  OK(unlink("file"));
  CHECK_EQ(read_file("/proc/self/fd/" + number), "0123456789");
  CHECK(target("/proc/self/fd/" + number).ends_with("/file (deleted)"));
  OK(close(fd));
  CHECK_ERRNO(open(("/proc/self/fd/" + number).c_str(), O_RDONLY), ENOENT);
}

TEST(dev_links) {
  CHECK_EQ(target("/dev/fd"), "/proc/self/fd");
  CHECK_EQ(target("/dev/stdin"), "/proc/self/fd/0");
}

TEST(limits_of_a_process) {
  const rlimit limit = {17, 170};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  for (const std::string& line : lines(read_file("/proc/self/limits"))) {
    if (!line.starts_with("Max open files")) continue;
    CHECK_EQ(words(line)[3], "17");
    CHECK_EQ(words(line)[4], "170");
    return;
  }
  FAIL("no line for open files");
}

TEST(mounts_of_a_process) {
  bool has_root = false, has_proc = false;
  for (const std::string& line : lines(read_file("/proc/self/mounts"))) {
    const std::vector<std::string> mount = words(line);
    CHECK_EQ(mount.size(), 6);
    has_root |= mount[1] == "/";
    has_proc |= mount[1] == "/proc" && mount[2] == "proc";
  }
  CHECK(has_root);
  CHECK(has_proc);
  for (const std::string& line : lines(read_file("/proc/self/mountinfo"))) {
    CHECK(words(line).size() >= 9);
    CHECK(line.find(" - ") != std::string::npos);
  }
}

TEST(comm_may_be_written) {
  write_file("/proc/self/comm", "a_new_name_that_is_long");
  CHECK_EQ(read_file("/proc/self/comm"), "a_new_name_that\n");
  char name[16];
  OK(prctl(PR_GET_NAME, name));
  CHECK_EQ(std::string(name), "a_new_name_that");
}

TEST(tasks_of_a_process) {
  const Signpost go;
  static const Signpost* post = &go;
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 post->await();
                 return nullptr;
               },
               nullptr),
           0);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const auto status = fields(entry.path().string() + "/status");
    CHECK_EQ(status.at("Tgid"), std::to_string(getpid()));
    CHECK_EQ(status.at("Pid"), entry.path().filename().string());
    ++count;
  }
  CHECK_EQ(count, 2);
  CHECK_EQ(fields("/proc/self/status")["Threads"], "2");
  go.reach();
  CHECK_EQ(pthread_join(thread, nullptr), 0);
}

TEST(processes_are_listed) {
  const pid_t child = in_child([] { pause(); });
  bool has_self = false, has_child = false, has_init = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    has_self |= entry.path().filename() == std::to_string(getpid());
    has_child |= entry.path().filename() == std::to_string(child);
    has_init |= entry.path().filename() == "1";
  }
  CHECK(has_self && has_child && has_init);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(meminfo) {
  auto memory = fields("/proc/meminfo");
  for (const char* key :
       {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"}) {
    CHECK(memory[key].ends_with(" kB"));
  }
  CHECK(std::stol(memory["MemTotal"]) > std::stol(memory["MemFree"]));
}

TEST(cpuinfo_and_stat) {
  int processors = 0;
  for (const std::string& line : lines(read_file("/proc/cpuinfo"))) {
    processors += line.starts_with("processor");
    if (line.starts_with("flags")) CHECK(line.find(" sse2 ") != std::string::npos);
  }
  CHECK(processors >= 1);
  const std::vector<std::string> stat = lines(read_file("/proc/stat"));
  CHECK(stat[0].starts_with("cpu "));
  CHECK(words(stat[0]).size() >= 8);
  bool has_boot_time = false;
  for (const std::string& line : stat) has_boot_time |= line.starts_with("btime ");
  CHECK(has_boot_time);
}

TEST(uptime_and_load) {
  const std::vector<std::string> uptime = words(read_file("/proc/uptime"));
  CHECK_EQ(uptime.size(), 2);
  CHECK(std::stod(uptime[0]) > 0);
  CHECK_EQ(words(read_file("/proc/loadavg")).size(), 5);
}

TEST(version_and_names) {
  utsname name;
  OK(uname(&name));
  if (access("/proc/version", R_OK) == -1) skip("/proc/version is closed to this user here");
  CHECK(read_file("/proc/version").starts_with("Linux version " + std::string(name.release)));
  CHECK_EQ(read_file("/proc/sys/kernel/osrelease"), std::string(name.release) + "\n");
  CHECK_EQ(read_file("/proc/sys/kernel/hostname"), std::string(name.nodename) + "\n");
  CHECK_EQ(read_file("/proc/sys/kernel/ostype"), "Linux\n");
}

TEST(sys_kernel) {
  CHECK(std::stol(read_file("/proc/sys/kernel/pid_max")) >= 32768);
  CHECK(std::stol(read_file("/proc/sys/kernel/threads-max")) > 0);
  CHECK_EQ(std::stol(read_file("/proc/sys/kernel/ngroups_max")), 65536);
  CHECK(std::stol(read_file("/proc/sys/fs/file-max")) > 0);
  CHECK(std::stol(read_file("/proc/sys/fs/pipe-max-size")) >= 65536);
  CHECK_EQ(read_file("/proc/sys/kernel/random/uuid").size(), 37);
  CHECK(read_file("/proc/sys/kernel/random/boot_id") ==
        read_file("/proc/sys/kernel/random/boot_id"));
  CHECK(read_file("/proc/sys/kernel/random/uuid") != read_file("/proc/sys/kernel/random/uuid"));
  CHECK(!read_file("/proc/sys/vm/overcommit_memory").empty());
}

TEST(filesystems) {
  bool has_proc = false;
  for (const std::string& line : lines(read_file("/proc/filesystems")))
    has_proc |= line == "nodev\tproc";
  CHECK(has_proc);
}

TEST(reading_in_small_pieces) {
  const std::string whole = read_file("/proc/self/limits");
  const int fd = OK(open("/proc/self/limits", O_RDONLY));
  std::string pieces;
  char piece[7];
  ssize_t count;
  while ((count = OK(read(fd, piece, sizeof piece))) > 0) pieces.append(piece, count);
  CHECK_EQ(pieces, whole);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(read_fd(fd), whole);
}

TEST(attributes_and_errors) {
  struct stat status;
  OK(stat("/proc/self/status", &status));
  CHECK(S_ISREG(status.st_mode));
  CHECK_EQ(status.st_size, 0);
  CHECK_EQ(status.st_mode & 0777, 0444);
  CHECK_EQ(status.st_uid, geteuid());
  CHECK_ERRNO(open("/proc/0x3fffffff", O_RDONLY), ENOENT);
  CHECK_ERRNO(mkdir("/proc/new", 0755), ENOENT);
  CHECK_ERRNO(unlink("/proc/self/status"), EPERM);
  OK(open("/proc/self/../self/./stat", O_RDONLY));
}
