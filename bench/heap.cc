// Allocations and frees of the kernel's heap per second, by one and by two threads: the heap's own
// code in an ordinary process. `depth` blocks are had at a time.
//   heap [PAIRS]
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "host/clock.h"
#include "host/linux/syscall.h"
#include "lxcore/mm/heap_allocator.h"

namespace lxss {

void panic(const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}

namespace host {
i64 sys::interruptible(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  return raw(number, a, b, c, d, e, f);
}
MachineFiles& machine_files() { std::abort(); }
}  // namespace host

bool heap::owner_has_died(Owner) { return false; }

}  // namespace lxss

namespace {

using namespace lxss;

constexpr u64 kSize = u64{1} << 30;
constexpr int kDepth = 64;

double millions_per_second(heap::Allocator& allocator, int pairs, int threads, usize size,
                           int depth) {
  auto work = [&](heap::Owner owner) {
    heap::ThreadCache cache;
    void* held[kDepth];
    for (int i = 0; i < pairs / depth; ++i) {
      for (int d = 0; d < depth; ++d) {
        held[d] = allocator.allocate(size, owner, &cache);
        *static_cast<volatile char*>(held[d]) = 1;
      }
      for (int d = 0; d < depth; ++d) allocator.release(held[d], owner, &cache);
    }
    allocator.give_back(cache, owner, owner);
  };
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back(work, heap::Owner(i + 1));
  for (std::thread& thread : running) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return double(pairs) * threads / took.count() / 1e6;
}

}  // namespace

int main(int count, char** arguments) {
  const int pairs = count > 1 ? std::atoi(arguments[1]) : 10'000'000;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  static heap::Allocator allocator;
  const u64 begin = reinterpret_cast<u64>(memory);
  allocator.initialise({.begin = begin,
                        .end = begin + kSize,
                        .limit_pages = kSize / kPageSize,
                        .reserve_pages = 0,
                        .kept_pages = 1024});
  std::printf("%6s %6s %12s %12s %8s\n", "size", "depth", "1 thread", "2 threads", "scaling");
  for (usize size : {48, 256, 1024, 4096}) {
    for (int depth : {1, 32}) {
      double one = 0, two = 0;
      for (int run = 0; run < 3; ++run) {
        one = std::max(one, millions_per_second(allocator, pairs, 1, size, depth));
        two = std::max(two, millions_per_second(allocator, pairs, 2, size, depth));
      }
      std::printf("%6zu %6d %8.1f M/s %8.1f M/s %8.2f\n", size, depth, one, two, two / one);
    }
  }
}
