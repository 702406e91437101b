// What belongs to no other group: names, limits, random numbers, scheduling, System V IPC.
#include <linux/futex.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "check.h"

namespace {

struct Message {
  long type;
  char text[32];
};

void send(int queue, long type, const char* text) {
  Message message = {type, {}};
  std::strcpy(message.text, text);
  OK(msgsnd(queue, &message, std::strlen(text) + 1, 0));
}

std::string receive(int queue, long type, int flags = 0) {
  Message message;
  OK(msgrcv(queue, &message, sizeof message.text, type, flags));
  return message.text;
}

int change_semaphore(int set, short change, short flags = 0, unsigned short number = 0) {
  sembuf operation = {number, change, flags};
  return semop(set, &operation, 1);
}

}  // namespace

TEST(unknown_calls) {
  CHECK_ERRNO(syscall(1000), ENOSYS);
  CHECK_ERRNO(syscall(-1), ENOSYS);
  CHECK_ERRNO(syscall(0x7fffffff), ENOSYS);
}

TEST(call_clobbers_only_rcx_and_r11) {
  long rax = SYS_getppid, rdi = 1, rsi = 2, rdx = 3;
  register long r8 asm("r8") = 4;
  register long r9 asm("r9") = 5;
  register long r10 asm("r10") = 6;
  asm volatile("syscall"
               : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9), "+r"(r10)
               :
               : "rcx", "r11", "memory");
  const long after[] = {rdi, rsi, rdx, r8, r9, r10};
  for (int i = 0; i < 6; ++i) CHECK_EQ(after[i], i + 1);
  CHECK_EQ(rax, getppid());
}

TEST(uname_fields) {
  utsname name;
  OK(uname(&name));
  CHECK_EQ(std::string(name.sysname), "Linux");
  CHECK_EQ(std::string(name.machine), "x86_64");
  CHECK(std::atoi(name.release) >= 4);
  char host[65];
  OK(gethostname(host, sizeof host));
  CHECK_EQ(std::string(host), std::string(name.nodename));
  CHECK_ERRNO(syscall(SYS_uname, 8), EFAULT);
}

TEST(sysinfo_fields) {
  struct sysinfo info;
  OK(sysinfo(&info));
  CHECK(info.uptime > 0);
  CHECK(info.totalram >= info.freeram);
  CHECK(info.procs >= 1);
  CHECK(info.mem_unit >= 1);
}

TEST(limits) {
  rlimit limit;
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    OK(getrlimit(static_cast<__rlimit_resource>(resource), &limit));
    CHECK(limit.rlim_cur <= limit.rlim_max);
  }
  CHECK_ERRNO(getrlimit(static_cast<__rlimit_resource>(99), &limit), EINVAL);
  limit = {10, 5};
  CHECK_ERRNO(setrlimit(RLIMIT_CORE, &limit), EINVAL);
  const pid_t child = in_child([] { pause(); });
  limit = {11, 22};
  rlimit old;
  OK(prlimit(child, RLIMIT_NOFILE, &limit, &old));
  OK(prlimit(child, RLIMIT_NOFILE, nullptr, &old));
  CHECK_EQ(old.rlim_cur, 11u);
  CHECK_ERRNO(prlimit(0x3fffffff, RLIMIT_NOFILE, nullptr, &old), ESRCH);
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

TEST(hard_limits_only_sink) {
  CHECK_EXIT(in_child([] {
               if (geteuid() == 0) OK(setresuid(1234, 1234, 1234));
               rlimit limit = {5, 10};
               OK(setrlimit(RLIMIT_NOFILE, &limit));
               limit = {5, 11};
               CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
               limit = {10, 10};
               OK(setrlimit(RLIMIT_NOFILE, &limit));
             }),
             0);
}

TEST(limit_of_processes) {
  need_root();
  // A user of its own, so that nothing else counts.
  const uid_t user = 100000 + getpid();
  CHECK_EXIT(in_child([=] {
               OK(setresuid(user, user, user));
               const rlimit limit = {3, 3};
               OK(setrlimit(RLIMIT_NPROC, &limit));
               std::vector<pid_t> children;
               pid_t child;
               while ((child = fork()) > 0) children.push_back(child);
               if (child == 0) {
                 pause();
                 _exit(0);
               }
               CHECK_EQ(errno, EAGAIN);
               CHECK_EQ(children.size(), 2);
               for (pid_t pid : children) kill(pid, SIGKILL);
             }),
             0);
}

TEST(random_numbers) {
  char first[64] = {}, second[64] = {};
  CHECK_EQ(getrandom(first, sizeof first, 0), sizeof first);
  CHECK_EQ(getrandom(second, sizeof second, GRND_NONBLOCK), sizeof second);
  CHECK(std::memcmp(first, second, sizeof first) != 0);
  CHECK_EQ(getrandom(first, 0, 0), 0);
  CHECK_ERRNO(getrandom(first, 1, 0x100), EINVAL);
  CHECK_ERRNO(syscall(SYS_getrandom, 8, 10, 0), EFAULT);
}

TEST(prctl_forms) {
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  OK(prctl(PR_SET_DUMPABLE, 0));
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 7), EINVAL);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
  CHECK_EXIT(in_child([] { CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); }), 0);
  CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 99), EINVAL);
  OK(prctl(PR_SET_TIMERSLACK, 12345));
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
  CHECK_ERRNO(prctl(0x12345678), EINVAL);
  CHECK_ERRNO(prctl(PR_SET_NAME, 8), EFAULT);
}

TEST(affinity) {
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof set, &set));
  CHECK(CPU_COUNT(&set) >= 1);
  int first = 0;
  while (!CPU_ISSET(first, &set)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  OK(sched_setaffinity(0, sizeof one, &one));
  OK(sched_getaffinity(0, sizeof set, &set));
  CHECK_EQ(CPU_COUNT(&set), 1);
  unsigned cpu, node;
  OK(syscall(SYS_getcpu, &cpu, &node, nullptr));
  CHECK_EQ(cpu, first);
  CPU_ZERO(&one);
  CHECK_ERRNO(sched_setaffinity(0, sizeof one, &one), EINVAL);
  CHECK_ERRNO(sched_getaffinity(0x3fffffff, sizeof set, &set), ESRCH);
  CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
}

TEST(scheduling) {
  OK(sched_yield());
  CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
  CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  CHECK_EQ(sched_get_priority_min(SCHED_OTHER), 0);
  sched_param parameter = {};
  OK(sched_getparam(0, &parameter));
  CHECK_EQ(parameter.sched_priority, 0);
  OK(sched_setscheduler(0, SCHED_BATCH, &parameter));
  CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
  parameter.sched_priority = 5;
  CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &parameter), EINVAL);
}

TEST(priorities) {
  errno = 0;
  const int before = getpriority(PRIO_PROCESS, 0);
  CHECK_EQ(errno, 0);
  OK(setpriority(PRIO_PROCESS, 0, before + 3));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), before + 3);
  CHECK_EXIT(in_child([=] { CHECK_EQ(getpriority(PRIO_PROCESS, 0), before + 3); }), 0);
  OK(setpriority(PRIO_PROCESS, 0, 100));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
  CHECK_ERRNO(getpriority(static_cast<__priority_which>(99), 0), EINVAL);
  CHECK_ERRNO(setpriority(PRIO_PROCESS, 0x3fffffff, 5), ESRCH);
}

TEST(io_priorities) {
  enum { kProcess = 1, kGroup, kUser };
  const auto get = [](int which, int who) { return syscall(SYS_ioprio_get, which, who); };
  const auto set = [](int which, int who, int value) {
    return syscall(SYS_ioprio_set, which, who, value);
  };
  constexpr int kBestEffort = 2 << 13, kIdle = 3 << 13, kRealTime = 1 << 13;
  OK(setpgid(0, 0));
  CHECK_EQ(get(kProcess, 0), 0);
  CHECK_EQ(get(kGroup, 0), kBestEffort | 4);
  OK(set(kProcess, 0, kBestEffort | 6));
  CHECK_EQ(get(kProcess, getpid()), kBestEffort | 6);
  CHECK_EXIT(in_child([=] {
               CHECK_EQ(get(kProcess, 0), kBestEffort | 6);
               OK(set(kGroup, 0, kIdle));
               OK(setuid(65534));
               CHECK_ERRNO(set(kProcess, 0, kRealTime), EPERM);
               CHECK_ERRNO(set(kProcess, getppid(), kIdle), EPERM);
             }),
             0);
  CHECK_EQ(get(kProcess, 0), kIdle);
  for (int invalid : {1, 4 << 13, 7 << 13}) CHECK_ERRNO(set(kProcess, 0, invalid), EINVAL);
  CHECK_ERRNO(get(0, 0), EINVAL);
  CHECK_ERRNO(get(kUser + 1, 0), EINVAL);
  CHECK_ERRNO(get(kProcess, 0x3fffffff), ESRCH);
}

TEST(reboot_wants_its_magic) { CHECK_ERRNO(syscall(SYS_reboot, 1, 2, 0, nullptr), EINVAL); }

TEST(personality_is_linux) {
  const int current = OK(personality(0xffffffff));
  CHECK_EQ(current & 0xff, PER_LINUX);
  OK(personality(current | ADDR_NO_RANDOMIZE));
  CHECK_EQ(personality(0xffffffff), current | ADDR_NO_RANDOMIZE);
}

TEST(umask_is_inherited) {
  CHECK_EQ(umask(077), 022);
  CHECK_EXIT(in_child([] { CHECK_EQ(umask(01777), 077); }), 0);
  CHECK_EQ(umask(0), 077);
}

TEST(host_names_need_privilege) {
  CHECK_EXIT(in_child([] {
               if (geteuid() == 0) OK(setresuid(1234, 1234, 1234));
               CHECK_ERRNO(sethostname("x", 1), EPERM);
               CHECK_ERRNO(setdomainname("x", 1), EPERM);
             }),
             0);
}

TEST(shared_memory_segments) {
  const int segment = OK(shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600));
  auto* memory = static_cast<char*>(OK(shmat(segment, nullptr, 0)));
  CHECK_EQ(memory[0], 0);
  CHECK_EXIT(in_child([=] {
               memory[10] = 'x';
               auto* again = static_cast<char*>(OK(shmat(segment, nullptr, 0)));
               CHECK_EQ(again[10], 'x');
               CHECK_ERRNO(shmdt(again + 1), EINVAL);
             }),
             0);
  CHECK_EQ(memory[10], 'x');
  shmid_ds state;
  OK(shmctl(segment, IPC_STAT, &state));
  CHECK_EQ(state.shm_segsz, 5000u);
  CHECK_EQ(state.shm_nattch, 1u);
  CHECK_EQ(state.shm_cpid, getpid());
  OK(shmctl(segment, IPC_RMID, nullptr));
  // It lives until the last one detaches.
  CHECK_EQ(memory[10], 'x');
  OK(shmdt(memory));
  CHECK_ERRNO(shmat(segment, nullptr, 0), EINVAL);
  CHECK_ERRNO(shmget(0x7654321, 10, 0), ENOENT);
  CHECK_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT), EINVAL);
}

TEST(shared_memory_by_key) {
  const key_t key = 0x4c780000 + getpid();
  const int segment = OK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
  CHECK_EQ(shmget(key, 100, 0), segment);
  CHECK_ERRNO(shmget(key, 100, IPC_CREAT | IPC_EXCL), EEXIST);
  CHECK_ERRNO(shmget(key, 100000, 0), EINVAL);
  OK(shmctl(segment, IPC_RMID, nullptr));
}

TEST(semaphores) {
  const int set = OK(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600));
  CHECK_EQ(semctl(set, 0, GETVAL), 0);
  OK(semctl(set, 0, SETVAL, 1));
  OK(change_semaphore(set, -1));
  CHECK_ERRNO(change_semaphore(set, -1, IPC_NOWAIT), EAGAIN);
  const pid_t child = in_child([=] { OK(change_semaphore(set, -2)); });
  await_state(child, 'S');
  CHECK_EQ(semctl(set, 0, GETNCNT), 1);
  OK(change_semaphore(set, 1));
  CHECK_EQ(semctl(set, 0, GETVAL), 1);
  OK(change_semaphore(set, 1));
  CHECK_EXIT(child, 0);
  OK(change_semaphore(set, 0, 0));
  // What was done with SEM_UNDO is undone at exit.
  CHECK_EXIT(in_child([=] { OK(change_semaphore(set, 5, SEM_UNDO, 1)); }), 0);
  CHECK_EQ(semctl(set, 1, GETVAL), 0);
  CHECK_ERRNO(change_semaphore(set, 1, 0, 7), EFBIG);
  const pid_t waiter = in_child([=] { CHECK_ERRNO(change_semaphore(set, -1), EIDRM); });
  await_state(waiter, 'S');
  OK(semctl(set, 0, IPC_RMID));
  CHECK_EXIT(waiter, 0);
  CHECK_ERRNO(change_semaphore(set, 1), EINVAL);
}

TEST(message_queues) {
  const int queue = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
  send(queue, 1, "first");
  send(queue, 2, "second");
  send(queue, 1, "third");
  CHECK_EQ(receive(queue, 2), "second");
  CHECK_EQ(receive(queue, 0), "first");
  send(queue, 5, "fifth");
  CHECK_EQ(receive(queue, -3), "third");
  Message message;
  CHECK_ERRNO(msgrcv(queue, &message, 2, 0, 0), E2BIG);
  CHECK_EQ(msgrcv(queue, &message, 2, 0, MSG_NOERROR), 2);
  CHECK_ERRNO(msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT), ENOMSG);
  message.type = 0;
  CHECK_ERRNO(msgsnd(queue, &message, 1, 0), EINVAL);
  const pid_t child = in_child([=] { CHECK_EQ(receive(queue, 9), "wake"); });
  await_state(child, 'S');
  send(queue, 8, "other");
  send(queue, 9, "wake");
  CHECK_EXIT(child, 0);
  OK(msgctl(queue, IPC_RMID, nullptr));
  CHECK_ERRNO(msgctl(queue, IPC_RMID, nullptr), EINVAL);
}

TEST(file_system_statistics) {
  struct statfs status;
  OK(statfs("/proc", &status));
  CHECK_EQ(status.f_type, 0x9fa0);
  OK(statfs(".", &status));
  CHECK(status.f_bsize > 0);
  CHECK_EQ(status.f_namelen, 255);
  CHECK_ERRNO(statfs("missing", &status), ENOENT);
  CHECK_ERRNO(fstatfs(999, &status), EBADF);
}

TEST(process_ids_are_not_reused_at_once) {
  const pid_t first = in_child([] {});
  CHECK_EXIT(first, 0);
  const pid_t second = in_child([] {});
  CHECK_EXIT(second, 0);
  CHECK(first != second);
}

TEST(pidfd_signals_and_polls) {
  const pid_t child = in_child([] { pause(); });
  const int fd = OK(syscall(SYS_pidfd_open, child, 0));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, nullptr, 0));
  CHECK_KILLED(child, SIGTERM);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_pidfd_open, -1, 0), EINVAL);
}
