// Processes of the host by their numbers.
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "attack.h"

using namespace attack;

namespace {

void attack_process(pid_t pid) {
  attempt("kill 0", [=] { return kill(pid, 0) == 0; });
  attempt("kill", [=] { return kill(pid, SIGKILL) == 0; });
  attempt("kill group", [=] { return kill(-pid, SIGKILL) == 0; });
  attempt("tkill", [=] { return syscall(SYS_tkill, pid, SIGKILL) == 0; });
  attempt("tgkill", [=] { return syscall(SYS_tgkill, pid, pid, SIGKILL) == 0; });
  attempt("rt_sigqueueinfo", [=] {
    siginfo_t info = {};
    info.si_code = SI_QUEUE;
    return syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info) == 0;
  });
  attempt("pidfd", [=] {
    const long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0;
  });
  attempt("ptrace attach", [=] { return ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) == 0; });
  attempt("ptrace seize", [=] { return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0; });
  attempt("process_vm", [=] {
    char buffer[8] = {};
    iovec local = {buffer, sizeof buffer},
          remote = {reinterpret_cast<void*>(0x555555554000), sizeof buffer};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0 ||
           process_vm_writev(pid, &local, 1, &remote, 1, 0) >= 0 || errno != ESRCH;
  });
  attempt("attributes", [=] {
    rlimit limit = {1, 1};
    return getpgid(pid) >= 0 || getsid(pid) >= 0 || setpgid(pid, pid) == 0 ||
           prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0 || sched_getscheduler(pid) >= 0 ||
           setpriority(PRIO_PROCESS, pid, 19) == 0;
  });
  attempt("/proc", [=] {
    for (const char* file : {"", "/mem", "/maps", "/environ", "/root", "/cwd", "/fd", "/exe"}) {
      if (open(("/proc/" + std::to_string(pid) + file).c_str(), O_RDONLY) >= 0) return true;
    }
    return false;
  });
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  // A guest process may happen to have the same number; then there is nothing to tell apart.
  if (access(("/proc/" + std::to_string(canaries.pid)).c_str(), F_OK) == 0 &&
      kill(canaries.pid, 0) == 0 && canaries.pid < getpid()) {
    std::puts("the number is one of the guest's own");
  } else {
    attack_process(canaries.pid);
  }
  return report();
}
