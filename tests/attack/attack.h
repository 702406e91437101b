// What the hostile programs share: the canaries of the host and forked attempts.
//
// A program gets `--secret PATH --pid N --abstract NAME --socket PATH`: a file, a process and two
// listening UNIX sockets of the host, none of which the guest may reach. Each attempt runs in a
// child with an alarm and says whether it reached something; dying is an allowed outcome. After
// every attempt the kernel must still serve ordinary calls. A program prints PASS and exits with 0
// if nothing was reached; tests/attack/run looks after the canaries themselves.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace attack {

inline constexpr uintptr_t kWindowBegin = 0x6c0000000000, kWindowEnd = 0x700000000000;
inline constexpr uintptr_t kImage = 0x6d0008000000;
inline constexpr size_t kPage = 4096;
inline constexpr int kReached = 42;

/// Addresses of the kernel window that any layout is likely to use or to leave free.
inline const std::vector<uintptr_t> kWindowAddresses = {
    kWindowBegin, kWindowBegin + 8, kWindowBegin + kPage, 0x6d0009000000,    0x6d002a000000,
    kImage,       kImage + 0x1000,  kImage + 0x10000 + 5, kImage + 0x100000, kWindowEnd - 8};

struct Canaries {
  std::string secret, abstract, socket;
  pid_t pid = 0;
};

inline Canaries canaries;

struct Address {
  sockaddr_un value = {};
  socklen_t size = 0;
};

inline Address address_of(const std::string& name, bool is_abstract) {
  Address address;
  address.value.sun_family = AF_UNIX;
  std::memcpy(address.value.sun_path + is_abstract, name.data(), name.size());
  address.size = offsetof(sockaddr_un, sun_path) + name.size() + 1;
  return address;
}

inline int attempts, died;

inline bool kernel_still_serves() {
  int ends[2];
  char byte = 'x';
  if (pipe(ends) == -1 || write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
    return false;
  close(ends[0]);
  close(ends[1]);
  struct stat status;
  return stat("/", &status) == 0;
}

/// Runs `body`, which returns whether it reached something, in a child.
template <typename Body>
void attempt(const std::string& name, Body body) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == -1) {
    std::printf("FAIL %s: fork: %s\n", name.c_str(), std::strerror(errno));
    std::exit(1);
  }
  if (child == 0) {
    alarm(10);
    _exit(body() ? kReached : 0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  ++attempts;
  died += WIFSIGNALED(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kReached) {
    std::printf("FAIL %s: reached\n", name.c_str());
    std::exit(1);
  }
  if (!kernel_still_serves()) {
    std::printf("FAIL %s: the kernel does not serve any more\n", name.c_str());
    std::exit(1);
  }
}

inline sigjmp_buf fault_escape;

/// Faults of the calling process end in `faults`.
inline void catch_faults() {
  static char stack[256 * 1024];
  const stack_t alternate = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) { siglongjmp(fault_escape, 1); };
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS})
    sigaction(signal, &action, nullptr);
}

template <typename Access>
bool faults(Access access) {
  if (sigsetjmp(fault_escape, 0) != 0) return true;
  access();
  return false;
}

inline bool is_readable(uintptr_t address) {
  return !faults([=] { *reinterpret_cast<const volatile char*>(address); });
}

inline void parse(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--secret") canaries.secret = value;
    if (option == "--pid") canaries.pid = std::stoi(value);
    if (option == "--abstract") canaries.abstract = value;
    if (option == "--socket") canaries.socket = value;
  }
  if (canaries.secret.empty() || canaries.pid == 0 || canaries.abstract.empty() ||
      canaries.socket.empty()) {
    std::fprintf(stderr, "usage: %s --secret PATH --pid N --abstract NAME --socket PATH\n",
                 argv[0]);
    std::exit(2);
  }
}

inline int report() {
  std::printf("PASS: %d attempts, %d died\n", attempts, died);
  return 0;
}

}  // namespace attack
