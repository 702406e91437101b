// pico/pico.h for unit tests: the current thread, copies and panic work; making processes and
// entering guests is what no unit test does.
#include "pico/pico.h"

#include <cstdio>
#include <cstdlib>

#include "host/linux/syscall.h"
#include "pico/fake/backend.h"

namespace lxss {

void panic(const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}

namespace pico {

i32 caller() {
  Thread* thread = fake::Backend::current();
  return thread ? thread->host_thread : 1;
}

Thread& current() {
  LXSS_ASSERT(fake::Backend::current());
  return *fake::Backend::current();
}

usize copy_user(void* to, const void* from, usize size) {
  usize good = fake::Backend::accessible(reinterpret_cast<u64>(from), size);
  good = fake::Backend::accessible(reinterpret_cast<u64>(to), good);
  // Strings are read in pieces that may go beyond their end: not for sanitizers to see.
  usize left = good;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left) : : "memory");
  return size - good;
}

Result<u32> compare_exchange_user(u64 address, u32 expected, u32 desired) {
  if (fake::Backend::accessible(address, sizeof(u32)) < sizeof(u32)) return Errno::kEFAULT;
  __atomic_compare_exchange_n(reinterpret_cast<u32*>(address), &expected, desired, false,
                              __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}

const MachineInfo& machine() {
  static const MachineInfo info;
  return info;
}

void become(Thread& thread) { fake::Backend::current() = &thread; }
Context context() { LXSS_PANIC("a unit test has no trap"); }
abi::SigContext& Context::registers() { LXSS_PANIC("a unit test has no registers"); }
std::span<std::byte> Context::fp_state() { LXSS_PANIC("a unit test has no registers"); }
void Context::load_fp_state(std::span<const std::byte>) {
  LXSS_PANIC("a unit test has no registers");
}
void Context::reset(u64, u64) { LXSS_PANIC("a unit test has no registers"); }
Result<> spawn(Thread&, const SpawnOptions&) { return Errno::kEAGAIN; }
Result<bool> fork(Thread&, Space&) { return Errno::kEAGAIN; }
Result<> leave_shared_memory(Space&, u64, u64) { return Errno::kEAGAIN; }
void enter_guest(void (*)()) { LXSS_PANIC("a unit test has no guest"); }
void exit_thread() { LXSS_PANIC("a unit test has no guest thread to end"); }
void exit_process() { LXSS_PANIC("a unit test has no guest process to end"); }
bool reap(Death&) { return false; }
bool has_ended(i32) { return false; }
void destroy(i32) {}
void set_fs_base(u64) {}
u64 fs_base() { return 0; }
void set_gs_base(u64) {}
u64 gs_base() { return 0; }
void set_host_name(const char*) {}
bool can_rewrite_calls() { return false; }
Result<u32> take_text_number() { return Errno::kENOSPC; }
void forget_text(u32) {}
usize rewriting_memory(usize) { return 0; }
u32 rewrite_calls(u32, std::span<std::byte>, std::span<u64>) { return 0; }
void place_text(Space&, u32, u64) {}
CallCounts call_counts() { return {}; }

}  // namespace pico

i64 host::sys::interruptible(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  return raw(number, a, b, c, d, e, f);
}

}  // namespace lxss
