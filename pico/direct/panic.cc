// A broken invariant or a fault inside lxcore: say everything, then stop the instance.
#include "host/linux/syscall.h"
#include "pico/direct/direct.h"

namespace lxss {

using host::sys::call;

namespace {

/// Writes to the instance's log without allocating.
class PanicText {
 public:
  PanicText& operator<<(const char* text) {
    while (*text && size_ < sizeof text_) text_[size_++] = *text++;
    return *this;
  }
  PanicText& operator<<(u64 number) {
    char digits[17];
    int at = 16;
    digits[at] = 0;
    do {
      digits[--at] = "0123456789abcdef"[number & 15];
      number >>= 4;
    } while (number);
    return *this << &digits[at];
  }
  ~PanicText() {
    call(SYS_writev, pico::direct::boot_info().log_fd, Vector{text_, size_}.self(), 1);
  }

 private:
  struct Vector {
    const char* base;
    usize size;
    const Vector* self() const { return this; }
  };
  char text_[400];
  usize size_ = 0;
};

[[noreturn]] void stop_instance() {
  // The death of the first process ends all others (PR_SET_PDEATHSIG).
  i32 monitor = pico::direct::boot_info().monitor_process;
  call(SYS_tgkill, monitor, monitor, SIGKILL);
  for (;;) call(SYS_exit_group, 1);
}

void print_backtrace(u64 frame_pointer) {
  for (int depth = 0; depth < 40; ++depth) {
    u64 begin = pico::kStackArea;
    if (frame_pointer < begin || frame_pointer >= pico::kStackAreaEnd || frame_pointer % 8) return;
    const u64* frame = reinterpret_cast<const u64*>(frame_pointer);
    PanicText() << "  called from 0x" << frame[1] << "\n";
    if (frame[0] <= frame_pointer) return;
    frame_pointer = frame[0];
  }
}

void print_thread() {
  const pico::Thread& thread = pico::current();
  PanicText() << "  host process 0x" << static_cast<u64>(thread.host_process) << " thread 0x"
              << static_cast<u64>(thread.host_thread) << " in system call 0x"
              << static_cast<u64>(thread.system_call) << "\n";
}

}  // namespace

void panic(const char* file, int line, const char* message) {
  PanicText() << "lxcore: panic: " << message << " (" << file << ":0x" << static_cast<u64>(line)
              << ")\n";
  print_thread();
  print_backtrace(reinterpret_cast<u64>(__builtin_frame_address(0)));
  stop_instance();
}

namespace pico::direct {

[[noreturn]] void panic_on_fault(int signal, const siginfo_t& info, const ucontext_t& frame) {
  const greg_t* regs = frame.uc_mcontext.gregs;
  PanicText() << "lxcore: fault: signal 0x" << static_cast<u64>(signal) << " at address 0x"
              << reinterpret_cast<u64>(info.si_addr) << " code at 0x"
              << static_cast<u64>(regs[REG_RIP]) << " stack 0x" << static_cast<u64>(regs[REG_RSP])
              << "\n";
  print_thread();
  print_backtrace(static_cast<u64>(regs[REG_RBP]));
  stop_instance();
}

}  // namespace pico::direct
}  // namespace lxss
