#include "pico/fake/fake.h"

#include <mutex>
#include <set>

#include "pico/fake/backend.h"

namespace lxss {

namespace {

thread_local pico::Thread* current_thread = nullptr;
fake::OnSleep the_on_sleep;
u64 fault_begin = 0, fault_end = 0;

/// Those that are to come back from a call in the host.
std::mutex interrupted_mutex;
std::set<const pico::Thread*> interrupted;

}  // namespace

namespace pico {

void interrupt(const Thread& thread) {
  std::lock_guard held(interrupted_mutex);
  interrupted.insert(&thread);
}

}  // namespace pico

namespace fake {

pico::Thread*& Backend::current() { return current_thread; }

usize Backend::accessible(u64 address, usize size) {
  if (address + size <= fault_begin || address >= fault_end) return size;
  return address >= fault_begin ? 0 : fault_begin - address;
}

const OnSleep& Backend::on_sleep() { return the_on_sleep; }

bool Backend::take_interruption(const pico::Thread& thread) {
  std::lock_guard held(interrupted_mutex);
  return interrupted.erase(&thread) != 0;
}

void set_sleeping(OnSleep on_sleep) {
  the_on_sleep = std::move(on_sleep);
  std::lock_guard held(interrupted_mutex);
  interrupted.clear();
}

void make_inaccessible(const void* begin, usize size) {
  fault_begin = reinterpret_cast<u64>(begin);
  fault_end = fault_begin + size;
}

}  // namespace fake
}  // namespace lxss
