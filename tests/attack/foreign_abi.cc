// System calls through the i386 gate, with x32 numbers, and from 32-bit code.
#include "attack.h"

using namespace attack;

namespace {

constexpr long kX32 = 0x40000000;

/// A copy of `text` below 4 GiB, where 32-bit pointers reach.
char* low_copy(const std::string& text) {
  auto* memory = static_cast<char*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  std::memcpy(memory, text.data(), text.size() + 1);
  return memory;
}

long int80(long number, long b, long c = 0, long d = 0) {
  long result = number;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(b), "c"(c), "d"(d)
               : "r8", "r9", "r10", "r11", "memory");
  return static_cast<int>(result);
}

/// Runs `code`, 32-bit instructions, in a compatibility code segment; it must not return.
void run_in_compatibility_mode(const std::string& code) {
  const auto target = reinterpret_cast<uintptr_t>(low_copy(code));
  asm volatile(
      "pushq $0x23\n\t"
      "pushq %0\n\t"
      "lretq"
      :
      : "r"(target)
      : "memory");
}

std::string little_endian(uint32_t value) {
  return {reinterpret_cast<char*>(&value), sizeof value};
}

/// mov $number, %eax; mov $first, %ebx; mov $second, %ecx; <instruction>; loop
std::string code32(uint32_t number, uint32_t first, uint32_t second,
                   const std::string& instruction) {
  return "\xb8" + little_endian(number) + "\xbb" + little_endian(first) + "\xb9" +
         little_endian(second) + instruction + "\xf4";
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  const auto low_secret = reinterpret_cast<long>(low_copy(canaries.secret));
  const auto low_shell = reinterpret_cast<long>(low_copy("/bin/sh"));
  const char* secret = canaries.secret.c_str();

  attempt("int80 open", [=] { return int80(5, low_secret, O_RDWR) >= 0; });
  attempt("int80 openat", [=] { return int80(295, AT_FDCWD, low_secret, O_RDWR) >= 0; });
  attempt("int80 unlink", [=] { return int80(10, low_secret) == 0; });
  attempt("int80 kill", [] { return int80(37, canaries.pid, SIGKILL) == 0; });
  attempt("int80 execve", [=] {
    int80(11, low_shell);
    return false;
  });
  attempt("int80 fork", [] { return int80(2, 0) > 0; });
  attempt("int80 socketcall", [] { return int80(102, 1, 0) >= 0; });

  attempt("x32 open", [=] { return syscall(kX32 | SYS_open, secret, O_RDWR) >= 0; });
  attempt("x32 openat", [=] { return syscall(kX32 | SYS_openat, AT_FDCWD, secret, O_RDWR) >= 0; });
  attempt("x32 kill", [] { return syscall(kX32 | SYS_kill, canaries.pid, SIGKILL) == 0; });
  for (long number = 512; number < 548; ++number) {
    attempt("x32 number", [=] { return syscall(kX32 | number, secret, O_RDWR) >= 0; });
    attempt("number of the x32 range", [=] { return syscall(number, secret, O_RDWR) >= 0; });
  }

  const std::string instructions[] = {"\xcd\x80", "\x0f\x05", std::string("\x0f\x34", 2)};
  for (const std::string& instruction : instructions) {
    attempt("32-bit open", [&] {
      run_in_compatibility_mode(code32(5, low_secret, O_RDWR | O_TRUNC, instruction));
      return false;
    });
    attempt("32-bit kill", [&] {
      run_in_compatibility_mode(code32(37, canaries.pid, SIGKILL, instruction));
      return false;
    });
  }
  return report();
}
