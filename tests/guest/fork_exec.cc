// fork, vfork, posix_spawn and execve: what a new process and a new program image inherit.
#include <elf.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <climits>

#include "check.h"

namespace {

/// Executes this program's helper in a child and returns what it wrote to standard output.
std::string run_helper(std::vector<std::string> arguments,
                       std::vector<std::string> environment = {}) {
  Signpost output;
  const pid_t pid = in_child([&] {
    const std::string self = own_path();
    std::vector<char*> argv, envp;
    arguments.insert(arguments.begin(), {self, "--helper"});
    for (std::string& argument : arguments) argv.push_back(argument.data());
    for (std::string& variable : environment) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    dup2(output.write_end(), STDOUT_FILENO);
    OK(execve(self.c_str(), argv.data(), envp.data()));
  });
  close(output.write_end());
  std::string text = read_fd(output.read_end());
  CHECK_EXIT(pid, 0);
  return text;
}

int exec_path(const char* path) {
  char* const argv[] = {const_cast<char*>("name"), nullptr};
  char* const envp[] = {nullptr};
  return execve(path, argv, envp);
}

void* exec_helper_exit_5(void*) {
  const std::string self = own_path();
  execl(self.c_str(), "name", "--helper", "exit_with", "5", nullptr);
  return nullptr;
}

}  // namespace

HELPER(exit_with) { return std::stoi(arguments[0]); }

HELPER(print_arguments) {
  for (const std::string& argument : arguments) std::printf("[%s]", argument.c_str());
  for (char** variable = environ; *variable != nullptr; ++variable) std::printf("{%s}", *variable);
  return 0;
}

HELPER(is_open) { return fcntl(std::stoi(arguments[0]), F_GETFD) == -1 ? 1 : 0; }

HELPER(print_signals) {
  sigset_t blocked;
  OK(sigprocmask(SIG_SETMASK, nullptr, &blocked));
  struct sigaction usr1, usr2, hup;
  OK(sigaction(SIGUSR1, nullptr, &usr1));
  OK(sigaction(SIGUSR2, nullptr, &usr2));
  OK(sigaction(SIGHUP, nullptr, &hup));
  sigset_t pending;
  OK(sigpending(&pending));
  std::printf("term blocked %d pending %d, usr1 default %d, usr2 ignored %d, hup default %d",
              sigismember(&blocked, SIGTERM), sigismember(&pending, SIGTERM),
              usr1.sa_handler == SIG_DFL, usr2.sa_handler == SIG_IGN, hup.sa_handler == SIG_DFL);
  return 0;
}

HELPER(print_auxv) {
  CHECK_EQ(getauxval(AT_PAGESZ), sysconf(_SC_PAGESIZE));
  CHECK_EQ(getauxval(AT_CLKTCK), 100);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_GID), getgid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_FLAGS), 0);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
  CHECK_EQ(std::string(reinterpret_cast<char*>(getauxval(AT_PLATFORM))), "x86_64");
  CHECK_EQ(std::string(reinterpret_cast<char*>(getauxval(AT_EXECFN))), own_path());
  const auto* random = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM));
  int bits = 0;
  for (int i = 0; i < 16; ++i) bits |= random[i];
  CHECK(bits != 0);
  const auto* headers = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
  bool has_load = false;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); ++i) has_load |= headers[i].p_type == PT_LOAD;
  CHECK(has_load);
  CHECK(getauxval(AT_ENTRY) != 0);
  const auto* vdso = reinterpret_cast<const char*>(getauxval(AT_SYSINFO_EHDR));
  if (vdso != nullptr) CHECK(std::memcmp(vdso, ELFMAG, SELFMAG) == 0);
  return 0;
}

HELPER(find_auxv) {
  // On the stack, the auxiliary vector follows the environment without a gap.
  char** end = environ;
  while (*end != nullptr) ++end;
  const auto* auxv = reinterpret_cast<const Elf64_auxv_t*>(end + 1);
  bool has_pagesz = false;
  for (; auxv->a_type != AT_NULL; ++auxv) has_pagesz |= auxv->a_type == AT_PAGESZ;
  CHECK(has_pagesz);
  return 0;
}

HELPER(print_limits) {
  rlimit files;
  OK(getrlimit(RLIMIT_NOFILE, &files));
  char name[16] = {};
  OK(prctl(PR_GET_NAME, name));
  char directory[PATH_MAX];
  OK(getcwd(directory, sizeof directory) == nullptr ? -1 : 0);
  const mode_t mask = umask(0);
  std::printf("%ld %s %s %03o %d", (long)files.rlim_cur, name, directory, mask, getpid());
  return 0;
}

TEST(fork_returns_pid_and_zero) {
  const pid_t parent = getpid();
  Signpost told;
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(getppid(), parent);
    CHECK(getpid() != parent);
    const pid_t self = getpid();
    OK(write(told.write_end(), &self, sizeof self));
    _exit(3);
  }
  pid_t seen = 0;
  CHECK_EQ(read(told.read_end(), &seen, sizeof seen), sizeof seen);
  CHECK_EQ(seen, child);
  CHECK_EXIT(child, 3);
}

TEST(fork_copies_memory) {
  static int global = 1;
  int local = 2;
  auto* heap = new int(3);
  CHECK_EXIT(in_child([&] {
               CHECK_EQ(global + local + *heap, 6);
               global = local = *heap = 100;
             }),
             0);
  CHECK_EQ(global, 1);
  CHECK_EQ(local, 2);
  CHECK_EQ(*heap, 3);
  delete heap;
}

TEST(fork_shares_file_offset) {
  write_file("file", "abcdef");
  const int fd = OK(open("file", O_RDONLY));
  CHECK_EXIT(in_child([&] {
               char byte;
               CHECK_EQ(read(fd, &byte, 1), 1);
               OK(close(fd));
             }),
             0);
  char byte;
  CHECK_EQ(read(fd, &byte, 1), 1);
  CHECK_EQ(byte, 'b');
}

TEST(fork_clears_pending_signals_alarm_and_timers) {
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &usr1, nullptr));
  OK(raise(SIGUSR1));
  alarm(1000);
  CHECK_EXIT(in_child([] {
               sigset_t pending, blocked;
               OK(sigpending(&pending));
               CHECK(!sigismember(&pending, SIGUSR1));
               OK(sigprocmask(SIG_BLOCK, nullptr, &blocked));
               CHECK(sigismember(&blocked, SIGUSR1));
               CHECK_EQ(alarm(0), 0u);
             }),
             0);
  sigset_t pending;
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1));
}

TEST(fork_many_children) {
  std::vector<pid_t> children;
  for (int i = 0; i < 50; ++i) children.push_back(in_child([i] { _exit(i); }));
  for (int i = 0; i < 50; ++i) CHECK_EXIT(children[i], i);
}

TEST(fork_deep_chain) {
  CHECK_EXIT(in_child([] {
               for (int depth = 0; depth < 20; ++depth) {
                 const pid_t child = OK(fork());
                 if (child != 0) {
                   const int status = reap(child);
                   _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
                 }
               }
               _exit(42);
             }),
             42);
}

TEST(fork_from_thread_keeps_one_thread) {
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 CHECK_EXIT(
                     in_child([] {
                       CHECK_EQ(getpid(), syscall(SYS_gettid));
                       int threads = 0;
                       for (auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
                         CHECK_EQ(entry.path().filename().string(), std::to_string(getpid()));
                         ++threads;
                       }
                       CHECK_EQ(threads, 1);
                     }),
                     0);
                 return nullptr;
               },
               nullptr),
           0);
  CHECK_EQ(pthread_join(thread, nullptr), 0);
}

TEST(vfork_suspends_parent_and_shares_memory) {
  static volatile int shared = 0;
  const pid_t child = vfork();
  if (child == 0) {
    shared = 7;
    _exit(0);
  }
  CHECK_EQ(shared, 7);
  CHECK_EXIT(child, 0);
}

TEST(vfork_then_exec) {
  const std::string self = own_path();
  for (int i = 0; i < 5; ++i) {
    const pid_t child = vfork();
    if (child == 0) {
      execl(self.c_str(), "name", "--helper", "exit_with", "9", nullptr);
      _exit(1);
    }
    CHECK_EXIT(child, 9);
  }
}

TEST(vfork_failed_exec_reports_through_memory) {
  static volatile int error = 0;
  const pid_t child = vfork();
  if (child == 0) {
    execl("/nonexistent", "name", nullptr);
    error = errno;
    _exit(0);
  }
  CHECK_EQ(error + 0, ENOENT);
  CHECK_EXIT(child, 0);
}

TEST(posix_spawn_runs_and_reports_errors) {
  std::string self = own_path();
  const char* argv[] = {"name", "--helper", "exit_with", "4", nullptr};
  pid_t child;
  CHECK_EQ(posix_spawn(&child, self.c_str(), nullptr, nullptr, const_cast<char**>(argv), environ),
           0);
  CHECK_EXIT(child, 4);
  CHECK_EQ(posix_spawn(&child, "/nonexistent", nullptr, nullptr, const_cast<char**>(argv), environ),
           ENOENT);
  CHECK_ERRNO(waitpid(-1, nullptr, 0), ECHILD);
}

TEST(posix_spawn_file_actions_and_attributes) {
  const std::string self = own_path();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "output", O_WRONLY | O_CREAT, 0644);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  posix_spawnattr_setsigmask(&attributes, &mask);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const char* argv[] = {"name", "--helper", "print_signals", nullptr};
  pid_t child;
  CHECK_EQ(
      posix_spawn(&child, self.c_str(), &actions, &attributes, const_cast<char**>(argv), environ),
      0);
  CHECK_EQ(getpgid(child), child);
  CHECK_EXIT(child, 0);
  CHECK_EQ(read_file("output").substr(0, 14), "term blocked 1");
}

TEST(exec_passes_arguments_and_environment) {
  CHECK_EQ(run_helper({"print_arguments", "a", "", "b c"}, {"X=1", "Y="}), "[a][][b c]{X=1}{Y=}");
}

TEST(exec_passes_large_arguments) {
  const std::string large(100 * 1024, 'x');
  const std::string output = run_helper({"print_arguments", large, large}, {"V=" + large});
  CHECK_EQ(output.size(), 3 * large.size() + std::string("[][]{V=}").size());
}

TEST(exec_with_null_argv) {
  // Linux: an empty argv gets one empty string.
  CHECK_EXIT(in_child([] {
               write_file("script", "#!/nonexistent\n", 0755);
               CHECK_ERRNO(execve("./script", nullptr, nullptr), ENOENT);
             }),
             0);
}

TEST(exec_too_big) {
  // Linux: one string is limited to 32 pages.
  const std::string string(32 * 4096, 'x');
  const char* argv[] = {"name", string.c_str(), nullptr};
  const char* envp[] = {nullptr};
  const std::string self = own_path();
  CHECK_ERRNO(execve(self.c_str(), const_cast<char**>(argv), const_cast<char**>(envp)), E2BIG);

  const std::string part(32 * 4096 - 1, 'x');
  std::vector<const char*> many(1000, part.c_str());
  many.push_back(nullptr);
  CHECK_ERRNO(execve(self.c_str(), const_cast<char**>(many.data()), const_cast<char**>(envp)),
              E2BIG);
}

TEST(exec_errors) {
  CHECK_ERRNO(exec_path("missing"), ENOENT);
  CHECK_ERRNO(exec_path(""), ENOENT);
  write_file("plain", "text\n");
  CHECK_ERRNO(exec_path("./plain"), EACCES);
  write_file("empty", "", 0755);
  CHECK_ERRNO(exec_path("./empty"), ENOEXEC);
  write_file("garbage", "no magic here\n", 0755);
  CHECK_ERRNO(exec_path("./garbage"), ENOEXEC);
  OK(mkdir("directory", 0755));
  CHECK_ERRNO(exec_path("./directory"), EACCES);
  CHECK_ERRNO(exec_path("./plain/more"), ENOTDIR);
  OK(symlink("loop", "loop"));
  CHECK_ERRNO(exec_path("./loop"), ELOOP);
  CHECK_ERRNO(exec_path(std::string(PATH_MAX + 1, 'a').c_str()), ENAMETOOLONG);
  CHECK_ERRNO(exec_path(std::string(300, 'a').c_str()), ENAMETOOLONG);
  CHECK_ERRNO(exec_path(reinterpret_cast<char*>(1)), EFAULT);
  CHECK_ERRNO(execve("/proc/self/exe", reinterpret_cast<char**>(1), nullptr), EFAULT);
  CHECK_ERRNO(execve("/proc/self/exe", nullptr, reinterpret_cast<char**>(1)), EFAULT);
}

TEST(exec_malformed_elf) {
  const std::string self = read_file(own_path());
  Elf64_Ehdr header;
  const auto with = [&](auto change) {
    std::memcpy(&header, self.data(), sizeof header);
    change();
    std::string image = self.substr(0, 4096);
    std::memcpy(image.data(), &header, sizeof header);
    write_file("image", image, 0755);
    return exec_path("./image");
  };
  CHECK_ERRNO(with([&] { header.e_machine = EM_AARCH64; }), ENOEXEC);
  CHECK_ERRNO(with([&] { header.e_type = ET_REL; }), ENOEXEC);
  CHECK_ERRNO(with([&] { header.e_phentsize = 1; }), ENOEXEC);
  CHECK_ERRNO(with([&] { header.e_phnum = 0; }), ENOEXEC);
  write_file("short", self.substr(0, 40), 0755);
  CHECK_ERRNO(exec_path("./short"), ENOEXEC);
}

TEST(exec_missing_interpreter) {
  // A program whose PT_INTERP does not exist fails as a missing file.
  std::string image(4096, '\0');
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  const char interpreter[] = "/nonexistent/ld.so";
  Elf64_Phdr segments[2] = {};
  segments[0].p_type = PT_INTERP;
  segments[0].p_offset = 1024;
  segments[0].p_filesz = segments[0].p_memsz = sizeof interpreter;
  segments[1].p_type = PT_LOAD;
  segments[1].p_flags = PF_R;
  segments[1].p_filesz = segments[1].p_memsz = image.size();
  segments[1].p_align = 4096;
  std::memcpy(image.data(), &header, sizeof header);
  std::memcpy(image.data() + sizeof header, segments, sizeof segments);
  std::memcpy(image.data() + 1024, interpreter, sizeof interpreter);
  write_file("image", image, 0755);
  CHECK_ERRNO(exec_path("./image"), ENOENT);
}

TEST(exec_text_busy) {
  std::filesystem::copy_file(own_path(), "program");
  const int fd = OK(open("program", O_RDWR));
  CHECK_ERRNO(exec_path("./program"), ETXTBSY);
  OK(close(fd));

  Signpost running;
  const pid_t child = in_child([&] {
    dup2(running.write_end(), STDOUT_FILENO);
    execl("./program", "program", "--helper", "announce_and_pause", nullptr);
  });
  running.await();
  CHECK_ERRNO(open("program", O_WRONLY), ETXTBSY);
  CHECK_ERRNO(truncate("program", 0), ETXTBSY);
  OK(unlink("program"));
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

HELPER(announce_and_pause) {
  OK(write(STDOUT_FILENO, ".", 1));
  return pause();
}

TEST(script_interpreter_and_argument) {
  // Linux: all that follows the interpreter is one argument, without the blanks around it.
  write_file("script", "#! " + own_path() + " \t --helper \t \nignored\n", 0755);
  OK(symlink("script", "print_arguments"));
  Signpost output;
  const pid_t child = in_child([&] {
    dup2(output.write_end(), STDOUT_FILENO);
    const char* argv[] = {"zero", "one", "two words", nullptr};
    const char* envp[] = {nullptr};
    execve("print_arguments", const_cast<char**>(argv), const_cast<char**>(envp));
  });
  CHECK_EXIT(child, 0);
  OK(close(output.write_end()));
  CHECK_EQ(read_fd(output.read_end()), "[one][two words]");
}

TEST(script_nested_and_loop) {
  write_file("first", "#!" + own_path() + " --helper\n", 0755);
  std::string previous = std::filesystem::absolute("first");
  // Linux: five rewrites of the program are allowed; a sixth is ELOOP.
  for (int depth = 2; depth <= 5; ++depth) {
    const std::string name = "script" + std::to_string(depth);
    write_file(name, "#!" + previous + "\n", 0755);
    previous = std::filesystem::absolute(name);
  }
  // The program is reached: it takes the path of the first script for an unknown helper.
  CHECK_EXIT(in_child([&] { execl(previous.c_str(), "name", nullptr); }), 2);
  write_file("script6", "#!" + previous + "\n", 0755);
  CHECK_ERRNO(exec_path("./script6"), ELOOP);
  write_file("self", "#!" + std::string(std::filesystem::absolute("self")) + "\n", 0755);
  CHECK_ERRNO(exec_path("./self"), ELOOP);
}

TEST(script_errors) {
  write_file("missing", "#!/nonexistent\n", 0755);
  CHECK_ERRNO(exec_path("./missing"), ENOENT);
  write_file("blank", "#!   \n", 0755);
  CHECK_ERRNO(exec_path("./blank"), ENOEXEC);
  write_file("unreadable", "#!" + std::string(std::filesystem::current_path()) + "/plain\n", 0755);
  write_file("plain", "x");
  CHECK_ERRNO(exec_path("./unreadable"), EACCES);
}

TEST(exec_closes_on_exec_only) {
  const int kept = OK(open("/dev/null", O_RDONLY));
  const int closed = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string self = own_path();
  const auto is_open_after_exec = [&](int fd) {
    return in_child([&] {
      execl(self.c_str(), "name", "--helper", "is_open", std::to_string(fd).c_str(), nullptr);
    });
  };
  CHECK_EXIT(is_open_after_exec(kept), 0);
  CHECK_EXIT(is_open_after_exec(closed), 1);
  const pid_t failed = in_child([&] {
    CHECK_ERRNO(exec_path("missing"), ENOENT);
    OK(fcntl(closed, F_GETFD));
  });
  CHECK_EXIT(failed, 0);
}

TEST(exec_resets_handlers_and_keeps_masks_and_pending) {
  signal(SIGUSR1, [](int) {});
  signal(SIGUSR2, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
  Signpost output;
  const pid_t child = in_child([&] {
    OK(raise(SIGTERM));
    dup2(output.write_end(), STDOUT_FILENO);
    execl(own_path().c_str(), "name", "--helper", "print_signals", nullptr);
  });
  CHECK_EXIT(child, 0);
  OK(close(output.write_end()));
  CHECK_EQ(read_fd(output.read_end()),
           "term blocked 1 pending 1, usr1 default 1, usr2 ignored 1, hup default 1");
}

TEST(exec_keeps_pid_limits_directory_umask_and_sets_name) {
  Signpost output;
  const pid_t child = in_child([&] {
    rlimit files = {50, 60};
    OK(setrlimit(RLIMIT_NOFILE, &files));
    OK(prctl(PR_SET_NAME, "before"));
    umask(027);
    OK(symlink(own_path().c_str(), "a_long_program_name"));
    dup2(output.write_end(), STDOUT_FILENO);
    execl("./a_long_program_name", "zero", "--helper", "print_limits", nullptr);
  });
  CHECK_EXIT(child, 0);
  OK(close(output.write_end()));
  CHECK_EQ(read_fd(output.read_end()), "50 a_long_program_ " +
                                           std::string(std::filesystem::current_path()) + " 027 " +
                                           std::to_string(child));
}

TEST(exec_from_a_thread_ends_the_others) {
  const pid_t child = in_child([&] {
    pthread_t waiting, executing;
    pthread_create(
        &waiting, nullptr,
        [](void*) -> void* {
          pause();
          return nullptr;
        },
        nullptr);
    pthread_create(&executing, nullptr, exec_helper_exit_5, nullptr);
    pthread_join(waiting, nullptr);
    _exit(1);
  });
  CHECK_EXIT(child, 5);
}

TEST(exec_from_a_thread_keeps_the_group_pid) {
  Signpost output;
  const pid_t child = in_child([&] {
    dup2(output.write_end(), STDOUT_FILENO);
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          execl(own_path().c_str(), "name", "--helper", "print_limits", nullptr);
          return nullptr;
        },
        nullptr);
    pause();
  });
  CHECK_EXIT(child, 0);
  OK(close(output.write_end()));
  const std::string text = read_fd(output.read_end());
  CHECK_EQ(text.substr(text.rfind(' ') + 1), std::to_string(child));
}

TEST(exec_unmaps_memory_but_not_shared_file_contents) {
  write_file("file", std::string(4096, 'a'));
  const pid_t child = in_child([] {
    const int fd = OK(open("file", O_RDWR));
    auto* mapping = static_cast<char*>(OK(mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, fd, 0)));
    mapping[0] = 'b';
    execl(own_path().c_str(), "name", "--helper", "exit_with", "0", nullptr);
  });
  CHECK_EXIT(child, 0);
  CHECK_EQ(read_file("file")[0], 'b');
}

TEST(auxiliary_vector) {
  run_helper({"print_auxv"});
  run_helper({"find_auxv"});
}

TEST(proc_self_exe) {
  struct stat by_link, by_path;
  OK(stat("/proc/self/exe", &by_link));
  OK(stat(own_path().c_str(), &by_path));
  CHECK_EQ(by_link.st_ino, by_path.st_ino);
  CHECK_EXIT(
      in_child([] { execl("/proc/self/exe", "name", "--helper", "exit_with", "6", nullptr); }), 6);
}

TEST(proc_self_exe_of_a_deleted_program) {
  std::filesystem::copy_file(own_path(), "program");
  Signpost running;
  const pid_t child = in_child([&] {
    dup2(running.write_end(), STDOUT_FILENO);
    execl("./program", "program", "--helper", "announce_and_pause", nullptr);
  });
  running.await();
  const std::string link = "/proc/" + std::to_string(child) + "/exe";
  CHECK_EQ(std::filesystem::read_symlink(link).string(),
           std::filesystem::canonical("program").string());
  OK(unlink("program"));
  CHECK(std::filesystem::read_symlink(link).string().ends_with("/program (deleted)"));
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(fexecve_and_execveat) {
  const int fd = OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const char* argv[] = {"name", "--helper", "exit_with", "8", nullptr};
  const char* envp[] = {nullptr};
  CHECK_EXIT(in_child([&] { fexecve(fd, const_cast<char**>(argv), const_cast<char**>(envp)); }), 8);

  std::filesystem::copy_file(own_path(), "program");
  const int directory = OK(open(".", O_RDONLY | O_DIRECTORY));
  CHECK_EXIT(in_child([&] { syscall(SYS_execveat, directory, "program", argv, envp, 0); }), 8);
  OK(symlink("program", "link"));
  CHECK_ERRNO(syscall(SYS_execveat, directory, "link", argv, envp, AT_SYMLINK_NOFOLLOW), ELOOP);
  CHECK_ERRNO(syscall(SYS_execveat, directory, "program", argv, envp, 0x8000000), EINVAL);
  CHECK_ERRNO(syscall(SYS_execveat, 999, "program", argv, envp, 0), EBADF);
  write_file("script", "#!/bin/sh\n", 0755);
  const int script = OK(open("script", O_RDONLY | O_CLOEXEC));
  // Linux: a script cannot be reopened by its interpreter through a close-on-exec descriptor.
  CHECK_ERRNO(syscall(SYS_execveat, script, "", argv, envp, AT_EMPTY_PATH), ENOENT);
}
