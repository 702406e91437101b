// Pointers into the kernel window where the kernel reads or writes memory for the guest.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <ctime>

#include "attack.h"

using namespace attack;

namespace {

/// Every call that takes a pointer must fail with EFAULT; true if one does anything else.
bool calls_accept(uintptr_t address) {
  void* pointer = reinterpret_cast<void*>(address);
  char buffer[64] = {};
  int ends[2];
  if (pipe(ends) == -1 || write(ends[1], buffer, sizeof buffer) != sizeof buffer) return false;
  const int zero = open("/dev/zero", O_RDONLY), file = open("/proc/self/exe", O_RDONLY);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1) return false;
  iovec bad = {pointer, 16}, good = {buffer, 16};
  msghdr message = {};
  message.msg_iov = &bad;
  message.msg_iovlen = 1;
  timespec time = {0, 1};
  const auto accepted = [](long result) { return result != -1 || errno != EFAULT; };
  const bool results[] = {
      accepted(read(ends[0], pointer, 16)),
      accepted(read(zero, pointer, 16)),
      accepted(pread(file, pointer, 16, 0)),
      accepted(write(ends[1], pointer, 16)),
      accepted(readv(zero, &bad, 1)),
      accepted(writev(ends[1], &bad, 1)),
      accepted(syscall(SYS_readv, zero, pointer, 1)),
      accepted(send(pair[0], pointer, 16, 0)),
      accepted(sendmsg(pair[0], &message, 0)),
      accepted(syscall(SYS_sendmsg, pair[0], pointer, 0)),
      accepted(syscall(SYS_open, pointer, O_RDONLY)),
      accepted(syscall(SYS_stat, "/", pointer)),
      accepted(syscall(SYS_stat, pointer, buffer)),
      accepted(syscall(SYS_statfs, "/", pointer)),
      accepted(syscall(SYS_getcwd, pointer, 4096)),
      accepted(syscall(SYS_readlink, "/proc/self/exe", pointer, 64)),
      accepted(syscall(SYS_pipe, pointer)),
      accepted(syscall(SYS_uname, pointer)),
      accepted(syscall(SYS_getrandom, pointer, 16, 0)),
      accepted(syscall(SYS_clock_gettime, CLOCK_REALTIME, pointer)),
      accepted(syscall(SYS_nanosleep, pointer, nullptr)),
      accepted(syscall(SYS_rt_sigaction, SIGUSR1, pointer, nullptr, 8)),
      accepted(syscall(SYS_rt_sigaction, SIGUSR1, nullptr, pointer, 8)),
      accepted(syscall(SYS_rt_sigprocmask, SIG_BLOCK, pointer, nullptr, 8)),
      accepted(syscall(SYS_sigaltstack, pointer, nullptr)),
      accepted(syscall(SYS_poll, pointer, 1, 0)),
      accepted(syscall(SYS_select, 64, pointer, nullptr, nullptr, nullptr)),
      accepted(syscall(SYS_futex, address & ~7ul, 0, 0, &time)),
      accepted(syscall(SYS_execve, "/proc/self/exe", pointer, nullptr)),
      accepted(syscall(SYS_getrlimit, RLIMIT_NOFILE, pointer)),
      accepted(syscall(SYS_prctl, PR_SET_NAME, pointer)),
      accepted(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, pointer)),
      accepted(process_vm_readv(getpid(), &good, 1, &bad, 1, 0)),
      accepted(process_vm_writev(getpid(), &good, 1, &bad, 1, 0)),
  };
  for (size_t i = 0; i < sizeof results; ++i) {
    if (!results[i]) continue;
    std::printf("call %zu accepted %lx\n", i, address);
    std::fflush(stdout);
    return true;
  }
  return false;
}

bool proc_mem_reaches(uintptr_t address) {
  char buffer[8] = {};
  const int fd = open("/proc/self/mem", O_RDWR);
  return pread(fd, buffer, sizeof buffer, address) > 0 ||
         pwrite(fd, buffer, sizeof buffer, address) > 0;
}

/// What the kernel does later, at exit or at a signal, with an address that it was only told.
void attack_later_writes(uintptr_t address) {
  void* pointer = reinterpret_cast<void*>(address);
  attempt("set_tid_address", [=] {
    syscall(SYS_set_tid_address, pointer);
    return false;
  });
  attempt("set_robust_list", [=] {
    syscall(SYS_set_robust_list, pointer, 24);
    return false;
  });
  attempt("robust list entry", [=] {
    static uintptr_t head[3];
    head[0] = address;
    syscall(SYS_set_robust_list, head, 24);
    return false;
  });
  attempt("robust list offset", [=] {
    static uintptr_t entry, head[3];
    entry = reinterpret_cast<uintptr_t>(head);
    head[0] = reinterpret_cast<uintptr_t>(&entry);
    head[1] = address - head[0];
    syscall(SYS_set_robust_list, head, 24);
    return false;
  });
  attempt("clone with tid words", [=] {
    constexpr long kFlags =
        0x00100000 | 0x01000000 | 0x00200000;  // PARENT_SETTID, CHILD_SETTID, CLEARTID
    if (syscall(SYS_clone, kFlags | SIGCHLD, nullptr, pointer, pointer, nullptr) == 0) _exit(0);
    return false;
  });
  attempt("rseq", [=] {
    syscall(SYS_rseq, address & ~31ul, 32, 0, 0x53053053);
    sched_yield();
    return false;
  });
  attempt("alternate stack", [=] {
    const stack_t stack = {.ss_sp = pointer, .ss_flags = 0, .ss_size = 1 << 20};
    sigaltstack(&stack, nullptr);
    struct sigaction action = {};
    action.sa_handler = [](int) { _exit(kReached); };
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    raise(SIGUSR1);
    return false;
  });
  attempt("handler and restorer", [=] {
    struct {
      uintptr_t handler, flags, restorer, mask;
    } action = {address, 0x04000000 /* SA_RESTORER */, address, 0};
    syscall(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8);
    raise(SIGUSR1);
    return false;
  });
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  for (uintptr_t address : kWindowAddresses) {
    attempt("pointer", [=] { return calls_accept(address); });
    attempt("/proc/self/mem", [=] { return proc_mem_reaches(address); });
    attack_later_writes(address);
  }
  return report();
}
