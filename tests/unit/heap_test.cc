// The kernel's heap on memory of its own: threads that hammer it, and processes that are killed
// while they do. A board of claims sees that nothing is handed out twice.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "host/clock.h"
#include "host/linux/syscall.h"
#include "lxcore/mm/heap_allocator.h"

// What the kernel half provides elsewhere.
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

namespace heap {

namespace {
std::atomic<Owner> dead_owner{0};
}
bool owner_has_died(Owner owner) { return owner == dead_owner; }

struct PageAllocatorTest {
  /// Every free block is in the list of its order, and what is used adds up.
  static void check(const PageAllocator& pages) {
    std::map<u32, u32> free;
    u64 used = 0;
    for (u64 page = PageAllocator::kFirstPage; page < pages.frontier_;) {
      const BlockHead block = pages.pages_[page].head.load();
      ASSERT_NE(block.state, BlockState::kNever);
      ASSERT_EQ(page % (u64{1} << block.order), 0u);
      if (block.state == BlockState::kFree) {
        free[static_cast<u32>(page)] = block.order;
      } else {
        used += u64{1} << block.order;
      }
      page += u64{1} << block.order;
    }
    ASSERT_EQ(used, pages.used());
    for (u32 order = 0; order <= kMaxOrder; ++order) {
      u32 previous = 0;
      for (u32 page = pages.free_heads_[order]; page; page = pages.pages_[page].next) {
        ASSERT_EQ(pages.pages_[page].previous, previous);
        auto at = free.find(page);
        ASSERT_TRUE(at != free.end() && at->second == order);
        free.erase(at);
        previous = page;
      }
    }
    ASSERT_TRUE(free.empty());
  }
};

struct SizeClassTest {
  /// The objects of the class that somebody has.
  static u64 check(SizeClass& of, PageAllocator& pages) {
    std::set<const Slab*> partial;
    const Slab* previous = nullptr;
    for (const Slab* slab = of.partial_; slab; slab = slab->next) {
      EXPECT_EQ(slab->previous, previous);
      EXPECT_TRUE(partial.insert(slab).second);
      previous = slab;
    }
    u64 used = 0;
    pages.for_each_slab(of.size_class_, 1, [&](u64 address) {
      const Slab& slab = *reinterpret_cast<const Slab*>(address);
      u32 free = 0;
      for (u32 word = 0; word < of.shape_.words; ++word) {
        free += static_cast<u32>(__builtin_popcountll(slab.free[word]));
      }
      EXPECT_EQ(free, slab.free_count);
      EXPECT_EQ(free != 0, partial.erase(&slab) == 1);
      used += of.shape_.capacity - free;
    });
    EXPECT_TRUE(partial.empty());
    return used;
  }
};

}  // namespace heap
}  // namespace lxss

namespace {

using namespace lxss;
using namespace lxss::heap;

constexpr u64 kSize = u64{1} << 30;
constexpr u64 kLimit = (u64{384} << 20) / kPageSize;
constexpr u64 kReserve = (u64{32} << 20) / kPageSize;
constexpr u32 kThreads = 4;

template <typename T>
T* shared_memory(usize count) {
  void* at = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) std::abort();
  return static_cast<T*>(at);
}

struct Heap {
  Allocator* allocator = new (shared_memory<Allocator>(1)) Allocator;
  std::byte* memory = shared_memory<std::byte>(kSize);
  /// By grain: who has the block that begins there. Shared with forked processes.
  std::atomic<u8>* claims = shared_memory<std::atomic<u8>>(kSize / kGrain);

  Heap() {
    const u64 begin = reinterpret_cast<u64>(memory);
    allocator->initialise({.begin = begin,
                           .end = begin + kSize,
                           .limit_pages = kLimit,
                           .reserve_pages = kReserve,
                           .kept_pages = 1024});
  }
  ~Heap() {
    munmap(memory, kSize);
    munmap(claims, kSize / kGrain);
    munmap(allocator, sizeof *allocator);
  }

  std::atomic<u8>& claim_of(const void* block) {
    return claims[static_cast<usize>(static_cast<const std::byte*>(block) - memory) / kGrain];
  }

  bool is_locked_by(Owner owner) {
    bool found = allocator->pages().lock_owner() == owner;
    for (u32 i = 0; i < kClassCount; ++i) found |= allocator->size_class(i).lock_owner() == owner;
    return found;
  }

  /// Lists and bitmaps fit; the bytes of small objects and of other blocks that somebody has.
  u64 check() {
    PageAllocatorTest::check(allocator->pages());
    u64 bytes = 0, slabs = 0;
    for (u32 i = 0; i < kClassCount; ++i) {
      bytes += SizeClassTest::check(allocator->size_class(i), allocator->pages()) * kClassSizes[i];
      allocator->pages().for_each_slab(i, 1, [&](u64) { ++slabs; });
    }
    return bytes + allocator->pages().used() * kPageSize - slabs * kSlabSize;
  }
};

/// What a block holds: its size, and a pattern in the rest.
struct Header {
  u64 size;
};
void fill(void* block, usize size, usize checked) {
  const u8 pattern = static_cast<u8>(reinterpret_cast<u64>(block) >> 4 ^ size);
  std::memset(block, pattern, checked);
  static_cast<Header*>(block)->size = size;
}
bool is_whole(const void* block, usize size, usize checked) {
  const u8 pattern = static_cast<u8>(reinterpret_cast<u64>(block) >> 4 ^ size);
  const auto* bytes = static_cast<const u8*>(block);
  return static_cast<const Header*>(block)->size == size &&
         std::all_of(bytes + sizeof(Header), bytes + checked,
                     [pattern](u8 byte) { return byte == pattern; });
}

/// One thread or process that allocates and frees at random, and exchanges blocks with others.
class Hammer {
 public:
  static constexpr usize kBoard = 64;
  static constexpr usize kLargestBlock = 4096 << 5;

  Hammer(Heap& heap, std::atomic<void*>* board, u32 number, ThreadCache& cache,
         usize checked = ~usize{0})
      : heap_(heap),
        board_(board),
        owner_(number + 1),
        cache_(cache),
        checked_(checked),
        random_(number) {}

  void step() {
    const u32 what = random_() % 16;
    if (what < 7 && held_.size() < 400) {
      held_.push_back(make());
    } else if (what < 9) {
      std::atomic<void*>& place = board_[random_() % kBoard];
      void* mine = held_.empty() ? make() : take_one();
      if (void* others = place.exchange(mine)) destroy(others);
    } else if (what == 15) {
      // Bursts, so that slabs become empty and go.
      while (held_.size() > 5) destroy(take_one());
    } else if (!held_.empty()) {
      destroy(take_one());
    }
  }
  void finish() {
    while (!held_.empty()) destroy(take_one());
  }
  void destroy(void* block) {
    const usize size = static_cast<Header*>(block)->size;
    if (size > kLargestBlock || !is_whole(block, size, std::min(size, checked_))) {
      LXSS_PANIC("a block has changed");
    }
    if (heap_.claim_of(block).exchange(0) != 1) LXSS_PANIC("a block was not handed out");
    heap_.allocator->release(block, owner_, &cache_);
  }

 private:
  void* make() {
    usize size = sizeof(Header) + random_() % 120;
    const u32 kind = random_() % 64;
    if (kind < 24) size = sizeof(Header) + random_() % 2100;
    if (kind == 0) size = 4096u << random_() % 6;
    void* block = heap_.allocator->allocate(size, owner_, &cache_);
    if (heap_.claim_of(block).exchange(1) != 0) LXSS_PANIC("a block was handed out twice");
    fill(block, size, std::min(size, checked_));
    return block;
  }
  void* take_one() {
    std::swap(held_[random_() % held_.size()], held_.back());
    void* block = held_.back();
    held_.pop_back();
    return block;
  }

  Heap& heap_;
  std::atomic<void*>* board_;
  Owner owner_;
  ThreadCache& cache_;
  usize checked_;  ///< bytes of each block
  std::minstd_rand random_;
  std::vector<void*> held_;
};

TEST(Heap, EverySizeIsAlignedDistinctAndReturned) {
  Heap heap;
  ThreadCache cache;
  std::vector<std::pair<void*, usize>> blocks;
  for (usize size = 8; size < 9000; size += 7) {
    void* block = heap.allocator->allocate(size, 1, &cache);
    ASSERT_EQ(reinterpret_cast<u64>(block) % kGrain, 0u);
    if (size <= kLargestSmall && kClassSizes[class_of(size)] % 64 == 0) {
      ASSERT_EQ(reinterpret_cast<u64>(block) % 64, 0u);
    }
    fill(block, size, size);
    blocks.emplace_back(block, size);
  }
  for (auto [block, size] : blocks) ASSERT_TRUE(is_whole(block, size, size));
  heap.check();
  for (auto [block, size] : blocks) heap.allocator->release(block, 1, &cache);
  heap.allocator->give_back(cache, 1, 1);
  EXPECT_EQ(heap.check(), 0u);
  // At most one empty slab of each class.
  EXPECT_LE(heap.allocator->pages().used(), kClassCount << kSlabOrder);
}

TEST(Heap, LargeBlocksAreOrderedAndGivenBackToTheHost) {
  Heap heap;
  void* kept = heap.allocator->allocate(u64{4} << 20, 1, nullptr);
  auto* block = static_cast<u8*>(heap.allocator->allocate(u64{8} << 20, 1, nullptr));
  std::memset(block, 1, u64{8} << 20);
  std::memset(kept, 1, u64{4} << 20);
  EXPECT_EQ(heap.allocator->pages().used(), 3072u);
  heap.allocator->release(block, 1, nullptr);
  EXPECT_EQ(block[6 << 20], 0);  // the host has made a hole
  heap.allocator->release(kept, 1, nullptr);
  EXPECT_EQ(*static_cast<u8*>(kept), 1);
  EXPECT_EQ(heap.check(), 0u);
}

TEST(Heap, AThreadKeepsABoundedNumber) {
  Heap heap;
  ThreadCache cache;
  for (u16 size : kClassSizes) {
    std::vector<void*> blocks;
    for (int i = 0; i < 500; ++i) blocks.push_back(heap.allocator->allocate(size, 1, &cache));
    for (void* block : blocks) heap.allocator->release(block, 1, &cache);
    EXPECT_LE(cache.magazines->counts[class_of(size)], cache_capacity(class_of(size)));
  }
  EXPECT_LE(heap.check(), kCacheTotal + sizeof(Magazines));
  heap.allocator->give_back(cache, 1, 1);
  EXPECT_EQ(cache.magazines, nullptr);
  EXPECT_EQ(heap.check(), 0u);
}

TEST(Heap, RoomEndsAtTheReserve) {
  Heap heap;
  ThreadCache cache;
  std::vector<void*> blocks;
  while (heap.allocator->pages().has_room()) {
    blocks.push_back(heap.allocator->allocate(u64{1} << 20, 1, &cache));
  }
  const u64 used = heap.allocator->pages().used();
  EXPECT_GE(used + kReserve, kLimit);
  EXPECT_LT(used + kReserve, kLimit + 256);
  // In want a thread keeps hardly anything.
  std::vector<void*> small;
  for (int i = 0; i < 100; ++i) small.push_back(heap.allocator->allocate(64, 1, &cache));
  EXPECT_EQ(cache.magazines->counts[class_of(64)], 0);
  for (void* block : small) heap.allocator->release(block, 1, &cache);
  heap.allocator->release(blocks.back(), 1, &cache);
  blocks.pop_back();
  EXPECT_TRUE(heap.allocator->pages().has_room());
  for (void* block : blocks) heap.allocator->release(block, 1, &cache);
  heap.allocator->give_back(cache, 1, 1);
  EXPECT_EQ(heap.check(), 0u);
}

TEST(Heap, ThreadsThatExchangeBlocks) {
  Heap heap;
  std::atomic<void*> board[Hammer::kBoard] = {};
  ThreadCache caches[kThreads];
  std::vector<std::thread> threads;
  for (u32 i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Hammer hammer(heap, board, i, caches[i]);
      for (int step = 0; step < 60000; ++step) hammer.step();
      hammer.finish();
      if (i % 2) heap.allocator->give_back(caches[i], i + 1, i + 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ThreadCache cache;
  Hammer last(heap, board, 0, cache);
  for (auto& place : board) {
    if (place) last.destroy(place);
  }
  heap.allocator->give_back(cache, 1, 1);
  // Of a thread that has ended anybody may.
  for (u32 i = 0; i < kThreads; ++i) heap.allocator->give_back(caches[i], i + 1, 1);
  EXPECT_EQ(heap.check(), 0u);
  EXPECT_LE(heap.allocator->pages().used(), kClassCount << kSlabOrder);
  EXPECT_EQ(heap.allocator->lost(), 0u);
}

TEST(HeapLock, OneThatMayJudgeTakesItFromTheDead) {
  Lock lock;
  ASSERT_TRUE(lock.lock(5));
  EXPECT_EQ(lock.owner(), 5u);
  EXPECT_FALSE(lock.take_over(6, 7));
  dead_owner = 5;
  EXPECT_FALSE(lock.lock(6));
  dead_owner = 0;
  EXPECT_EQ(lock.owner(), 6u);
  lock.unlock();
  EXPECT_EQ(lock.owner(), 0u);
}

TEST(HeapLock, ExcludesThreadsThatSleepForIt) {
  Lock lock;
  u64 counter = 0;
  std::vector<std::thread> threads;
  for (u32 i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int step = 0; step < 20000; ++step) {
        ASSERT_TRUE(lock.lock(i + 1));
        ++counter;
        if (step % 1000 == 0) usleep(200);
        lock.unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, kThreads * 20000u);
}

/// Lets a traced process go on, instruction by instruction, until it is in one of the heap's locks,
/// or for some thousands; then for `more`. False if it cannot be traced.
bool step_into_lock(Heap& heap, pid_t process, Owner owner, u32 more) {
  auto step = [process] {
    int status = 0;
    return ptrace(PTRACE_SINGLESTEP, process, nullptr, nullptr) == 0 &&
           waitpid(process, &status, 0) == process && WIFSTOPPED(status);
  };
  int status = 0;
  if (ptrace(PTRACE_SEIZE, process, nullptr, nullptr) != 0) return false;
  ptrace(PTRACE_INTERRUPT, process, nullptr, nullptr);
  if (waitpid(process, &status, 0) != process || !WIFSTOPPED(status)) return false;
  for (int i = 0; i < 3000 && !heap.is_locked_by(owner); ++i) {
    if (!step()) return false;
  }
  while (more-- != 0) {
    if (!step()) return false;
  }
  return true;
}

// Processes that share the heap are killed at random instants, many of them between two
// instructions within a lock. What they were changing is put in order, their caches go back, the
// others never notice; nothing is handed out twice, and no more is lost than was counted and what a
// killed one had just got or was giving back.
TEST(Heap, DeathsAtAnyInstant) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "forks";
#endif
  constexpr u32 kKills = 200;
  constexpr u32 kProcesses = 3;
  Heap heap;
  auto* board = shared_memory<std::atomic<void*>>(Hammer::kBoard);
  auto* caches = new (shared_memory<ThreadCache>(kKills)) ThreadCache[kKills];
  std::map<u32, pid_t> living;
  u32 next = 0, recovered = 0;
  auto start = [&] {
    const u32 number = next++;
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Hammer hammer(heap, board, number, caches[number], 32);
      for (;;) hammer.step();
    }
    living[number] = child;
  };
  std::minstd_rand random(1);
  for (u32 i = 0; i < kProcesses; ++i) start();
  constexpr Owner kMonitor = 1000;
  ThreadCache cache;
  while (!living.empty()) {
    usleep(random() % 3000);
    auto victim = std::next(living.begin(), random() % living.size());
    const auto [number, process] = *victim;
    if (number % 4 != 0) step_into_lock(heap, process, number + 1, random() % 100);
    kill(process, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(process, &status, 0), process);
    ASSERT_EQ(WTERMSIG(status), SIGKILL) << "a process found the heap broken";
    living.erase(victim);
    heap.allocator->recover(kMonitor, [&, number = number](Owner owner) {
      recovered += owner == number + 1;
      return owner == number + 1;
    });
    heap.allocator->give_back(caches[number], number + 1, kMonitor);
    if (next < kKills) start();
  }
  // All that anybody had, whole or not.
  for (usize i = 0; i < kSize / kGrain; ++i) {
    if (heap.claims[i] == 0) continue;
    heap.allocator->release(heap.memory + i * kGrain, kMonitor, &cache);
  }
  heap.allocator->give_back(cache, kMonitor, kMonitor);
  const u64 left = heap.check();
  std::printf("%u deaths, %u within a lock; %llu bytes lost, at most %llu counted\n", next,
              recovered, static_cast<unsigned long long>(left),
              static_cast<unsigned long long>(heap.allocator->lost()));
  constexpr u64 kUsualBlock = 1024;
  EXPECT_LE(left, heap.allocator->lost() + next * kUsualBlock);
}

#ifdef LXSS_DEBUG
TEST(HeapDeathTest, WritesToFreedMemoryAreFound) {
  Heap heap;
  ThreadCache cache;
  auto* block = static_cast<u8*>(heap.allocator->allocate(64, 1, &cache));
  heap.allocator->release(block, 1, &cache);
  EXPECT_EQ(block[8], kPoison);
  EXPECT_DEATH(heap.allocator->release(block, 1, &cache), "freed twice");
  block[8] = 1;
  EXPECT_DEATH(
      {
        for (int i = 0; i < 2000; ++i) heap.allocator->allocate(64, 1, &cache);
      },
      "written to");
}
#endif

}  // namespace
