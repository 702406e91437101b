// The heap of an instance: where it lies, who its threads are, operator new and delete.
#include "lxcore/mm/heap.h"

#include <new>

#include "abi/linux/mman.h"
#include "host/memory.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap_allocator.h"

namespace lxss::heap {

namespace {

constexpr u64 kLimitPages = (u64{4} << 30) / kPageSize;
static_assert(2 * kLimitPages * kPageSize <= pico::kArenaSize);
constexpr u64 kReservePages = (u64{64} << 20) / kPageSize;
static_assert(kMaxAllocation == kPageSize << kMaxOrder);

/// The first pages of the heap, and the arena's own first ones, are huge pages of the host: every
/// new process maps them with one fault each. They are not given back piece by piece.
constexpr u64 kHugePages = (u64{4} << 20) / kPageSize;

struct Heap {
  Allocator allocator;
  bool has_tasks = false;  ///< set once by the first process, while it is alone
};

/// At a fixed place, so that every pico process finds it.
constexpr u64 kHeapAt = pico::kArenaBegin + kPageSize;
Heap& heap() { return *reinterpret_cast<Heap*>(kHeapAt); }

/// A task's place in the arena is its own as long as its host thread may live.
constexpr Owner kFirstProcess = 1;
static_assert(pico::kArenaSize / kGrain < u64{1} << 31);
Owner owner_of(const Task& task) {
  return static_cast<Owner>((reinterpret_cast<u64>(&task) - pico::kArenaBegin) / kGrain);
}
/// Of one that still owns something: it may be gone a moment later, but its memory can be read.
const Task* task_of(Owner owner) {
  if (owner == kFirstProcess) return nullptr;
  return reinterpret_cast<const Task*>(pico::kArenaBegin + u64{owner} * kGrain);
}

void* allocate(usize size) {
  Heap& h = heap();
  if (!h.has_tasks) [[unlikely]]
    return h.allocator.allocate(size, kFirstProcess, nullptr);
  Task& task = Task::current();
  return h.allocator.allocate(size, owner_of(task), &task.heap_cache.own());
}

void release(void* object) {
  if (!object) return;
  Heap& h = heap();
  if (!h.has_tasks) [[unlikely]]
    return h.allocator.release(object, kFirstProcess, nullptr);
  Task& task = Task::current();
  h.allocator.release(object, owner_of(task), &task.heap_cache.own());
}

/// Asks the host to back a range with huge pages, whatever its policy is for memory objects. Where
/// it cannot, small pages do.
void make_huge(u64 begin, u64 size) {
  for (u64 at = begin; at < begin + size; at += pico::kHugePageSize) {
    // Only what has a page already is collapsed.
    *reinterpret_cast<volatile std::byte*>(at) = *reinterpret_cast<volatile std::byte*>(at);
  }
  (void)host::advise_memory(begin, size, abi::kMADV_COLLAPSE);
}

}  // namespace

void initialise(u64 begin, u64 size) {
  LXSS_ASSERT(begin == kHeapAt);
  Heap& h = *new (reinterpret_cast<void*>(begin)) Heap;
  h.allocator.initialise({.begin = page_ceil(begin + sizeof(Heap)),
                          .end = begin + size,
                          .limit_pages = kLimitPages,
                          .reserve_pages = kReservePages,
                          .kept_pages = kHugePages});
  make_huge(pico::kArenaBegin, pico::kHugePageSize);
  make_huge(h.allocator.pages().first_address(), kHugePages * kPageSize);
}

void use_task_caches() { heap().has_tasks = true; }

Statistics statistics() {
  Allocator& allocator = heap().allocator;
  return {allocator.pages().used(), kLimitPages, allocator.lost()};
}

bool has_room() { return heap().allocator.pages().has_room(); }

void TaskCache::give_back() {
  heap().allocator.give_back(cache_, owner_of(task_), owner_of(Task::current()));
}

bool owner_has_died(Owner owner) {
  // Only the host parent of all can tell.
  if (&Task::current() != kernel().monitor.get()) return false;
  const Task* task = task_of(owner);
  return task && pico::has_ended(task->host_thread);
}

void host_process_died(i32 host_process) {
  heap().allocator.recover(owner_of(Task::current()), [host_process](Owner owner) {
    const Task* task = task_of(owner);
    return task && task->host_process == host_process;
  });
}

}  // namespace lxss::heap

void* operator new(std::size_t size) { return lxss::heap::allocate(size); }
void* operator new[](std::size_t size) { return lxss::heap::allocate(size); }
void operator delete(void* object) noexcept { lxss::heap::release(object); }
void operator delete[](void* object) noexcept { lxss::heap::release(object); }
void operator delete(void* object, std::size_t) noexcept { lxss::heap::release(object); }
void operator delete[](void* object, std::size_t) noexcept { lxss::heap::release(object); }
