// Address spaces: areas that are mapped, moved, protected and unmapped while others use them and
// the process forks.
#include <sys/mman.h>
#include <csetjmp>

#include "stage.h"

using namespace stress;

namespace {

constexpr size_t kPage = 4096;

void* map(void* where, size_t size, int protection, int flags) {
  void* memory = mmap(where, size, protection, flags, -1, 0);
  if (memory == MAP_FAILED) FAIL(std::string("mmap: ") + strerror(errno));
  return memory;
}

/// An access that may fault, as a thread of its own would meet it.
thread_local sigjmp_buf on_fault;
thread_local volatile sig_atomic_t may_fault;

void faulted(int signal, siginfo_t*, void*) {
  if (!may_fault) {
    // Not one that was expected: die of it.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
    return;
  }
  siglongjmp(on_fault, 1);
}

void expect_faults() {
  struct sigaction action {};
  action.sa_sigaction = faulted;
  action.sa_flags = SA_SIGINFO;
  OK(sigaction(SIGSEGV, &action, nullptr));
  OK(sigaction(SIGBUS, &action, nullptr));
}

/// The word at `address`, or nothing when it cannot be read.
bool load(const volatile u64* address, u64& value) {
  if (sigsetjmp(on_fault, 1) != 0) {
    may_fault = 0;
    return false;
  }
  may_fault = 1;
  value = *address;
  may_fault = 0;
  return true;
}

bool store(volatile u64* address, u64 value) {
  if (sigsetjmp(on_fault, 1) != 0) {
    may_fault = 0;
    return false;
  }
  may_fault = 1;
  *address = value;
  may_fault = 0;
  return true;
}

}  // namespace

/// Each thread has areas of its own, which keep their contents through moves, protection and the
/// forks that another thread makes; a forked child sees all areas as they were at one instant.
SCENE(memory_own_areas) {
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      static std::atomic<bool> over;
      static u64* steady;  // written before the forks, changed by nobody
      static Gate gate(stage.threads + 1);
      if (worker.thread == 0) {
        steady =
            (u64*)map(nullptr, 16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        for (size_t i = 0; i < 16 * kPage / 8; ++i) steady[i] = mix(i);
      }
      gate.pass();
      if (worker.thread == 0) {
        for (int i = 0; i < 8; ++i) {
          worker.step("fork while areas change");
          REAP(in_child([&] {
                 for (size_t n = 0; n < 16 * kPage / 8; n += 64) CHECK_EQ(steady[n], mix(n));
                 memset(steady, 0xee, 16 * kPage);
                 void* other =
                     map(nullptr, 64 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
                 memset(other, 1, 64 * kPage);
                 OK(munmap(other, 64 * kPage));
               }),
               0);
          for (size_t n = 0; n < 16 * kPage / 8; n += 64) CHECK_EQ(steady[n], mix(n));
        }
        over = true;
        return;
      }
      while (!over) {
        size_t pages = worker.random.between(2, 20);
        worker.step("map");
        u64* area =
            (u64*)map(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        const u64 salt = worker.random.next();
        auto word = [&](size_t page) -> u64& { return area[page * (kPage / 8)]; };
        for (size_t page = 0; page < pages; ++page) {
          CHECK_EQ(word(page), 0u);
          word(page) = mix(salt + page);
        }
        for (int i = 0; i < 6; ++i) {
          switch (worker.random.below(4)) {
            case 0: {
              worker.step("move");
              const size_t wanted = worker.random.between(1, 30);
              void* moved = mremap(area, pages * kPage, wanted * kPage, MREMAP_MAYMOVE);
              if (moved == MAP_FAILED) {
                // Linux: what was unmapped in between and filled again may be an area of its own,
                // and only one is moved at a time.
                CHECK_EQ(errno, EFAULT);
                break;
              }
              area = (u64*)moved;
              for (size_t page = pages; page < wanted; ++page) {
                CHECK_EQ(word(page), 0u);
                word(page) = mix(salt + page);
              }
              pages = wanted;
              break;
            }
            case 1:
              worker.step("protect");
              OK(mprotect(area, pages * kPage, PROT_READ));
              CHECK_EQ(word(0), mix(salt));
              OK(mprotect(area, pages * kPage, PROT_READ | PROT_WRITE));
              break;
            case 2:
              worker.step("drop a page");
              OK(madvise(&word(pages - 1), kPage, MADV_DONTNEED));
              CHECK_EQ(word(pages - 1), 0u);
              word(pages - 1) = mix(salt + pages - 1);
              break;
            case 3:
              if (pages < 3) break;
              worker.step("a hole, and filled again");
              OK(munmap(&word(pages - 2), kPage));
              // Another thread's mapping may have taken the place: then it is that one's.
              if (mmap(&word(pages - 2), kPage, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
                CHECK_EQ(errno, EEXIST);
                OK(munmap(&word(pages - 1), kPage));
                pages -= 2;
                break;
              }
              CHECK_EQ(word(pages - 2), 0u);
              word(pages - 2) = mix(salt + pages - 2);
              break;
          }
          for (size_t page = 0; page < pages; ++page) CHECK_EQ(word(page), mix(salt + page));
        }
        OK(munmap(area, pages * kPage));
      }
    });
  });
}

/// One range that threads map, unmap and protect while others use it by loads and by system calls:
/// a use gets a value that was put there, or fails as it should.
SCENE(memory_same_range) {
  constexpr size_t kPages = 8;
  constexpr u64 kMark = 0x5eed;
  stage.rounds([&] {
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC | O_NONBLOCK));
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      static char* range;
      static Gate gate(stage.threads + 1);
      if (worker.thread == 0) {
        expect_faults();
        range = (char*)map(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS);
      }
      gate.pass();
      const int file = OK(memfd_create("words", MFD_CLOEXEC));
      for (int i = 0; i < 150; ++i) {
        const size_t page = worker.random.below(kPages);
        const size_t pages = worker.random.between(1, kPages - page);
        char* at = range + page * kPage;
        u64 value = 0;
        switch (worker.random.below(9)) {
          case 0:
            worker.step("map over");
            map(at, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
            break;
          case 1:
            // A reservation, so that no library of this process comes to lie in the range.
            worker.step("make inaccessible");
            map(at, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
            break;
          case 2:
            worker.step("protect");
            OK(mprotect(at, pages * kPage,
                        worker.random.one_in(2) ? PROT_READ : PROT_READ | PROT_WRITE));
            break;
          case 3:
            worker.step("drop");
            OK(madvise(at, pages * kPage, MADV_DONTNEED));
            break;
          case 4:
            worker.step("load");
            if (load((u64*)at, value)) CHECK(value == 0 || value == kMark);
            break;
          case 5:
            worker.step("store");
            store((u64*)at, kMark);
            break;
          case 6:
            worker.step("read into it");
            OK(pwrite(file, &kMark, sizeof kMark, 0));
            OK_OR(pread(file, at, sizeof kMark, 0), error == EFAULT);
            break;
          case 7:
            worker.step("write from it");
            if (OK_OR(pwrite(file, at, sizeof value, 8), error == EFAULT)) {
              OK(pread(file, &value, sizeof value, 8));
              CHECK(value == 0 || value == kMark);
            }
            break;
          case 8:
            if (worker.random.below(8) != 0) break;
            worker.step("fork");
            REAP(in_child([&] {
                   for (size_t p = 0; p < kPages; ++p) {
                     u64 seen;
                     if (load((u64*)(range + p * kPage), seen)) CHECK(seen == 0 || seen == kMark);
                   }
                 }),
                 0);
            break;
        }
      }
      close(file);
    });
    close(pipe[0]);
    close(pipe[1]);
  });
}

/// Shared memory is the same in all that have forked, however they moved it; private memory is
/// nobody else's.
SCENE(memory_shared) {
  stage.rounds([&] {
    auto* shared = (std::atomic<u64>*)map(nullptr, 4 * kPage, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS);
    auto* own = (u64*)map(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    own[0] = 7;
    stage.everyone([&](Worker& worker) {
      static std::atomic<u64> mine;
      auto* view = shared;
      for (int i = 0; i < 100; ++i) {
        worker.step("add to shared memory");
        view[worker.random.one_in(2) ? 0 : 512].fetch_add(1);
        if (worker.random.one_in(10)) {
          worker.step("a second view");
          // Size 0: a further mapping of the same shared pages.
          void* second = mremap(shared, 0, 4 * kPage, MREMAP_MAYMOVE);
          CHECK(second != MAP_FAILED);
          if (view != shared) OK(munmap((void*)view, 4 * kPage));
          view = (std::atomic<u64>*)second;
        }
        __atomic_fetch_add(&own[1], 1, __ATOMIC_SEQ_CST);
        ++mine;
      }
      CHECK_EQ(own[0], 7u);
      CHECK(__atomic_load_n(&own[1], __ATOMIC_SEQ_CST) <= 100u * stage.threads);
    });
    CHECK_EQ(shared[0] + shared[512], 100u * stage.workers());
    CHECK_EQ(own[1], 0u);
    OK(munmap((void*)shared, 4 * kPage));
    OK(munmap(own, 4 * kPage));
  });
}

/// The break is moved by many threads at once through raw calls: what one is given reads as zeros.
SCENE(memory_break) {
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      static Gate gate(stage.threads);
      // Once all have started: the C library moves the break as well.
      gate.pass();
      const u64 start = syscall(SYS_brk, 0);
      gate.pass();
      for (int i = 0; i < 60; ++i) {
        worker.step("move the break");
        // Always above what the C library has; shrinking is left to the end.
        const u64 wanted = start + worker.random.between(1, 64) * kPage;
        const u64 now = syscall(SYS_brk, 0);
        if (wanted <= now) continue;
        CHECK((u64)syscall(SYS_brk, wanted) >= start);
      }
      gate.pass();
      if (worker.thread != 0) return;
      const u64 end = syscall(SYS_brk, 0);
      for (u64 at = (start + kPage - 1) / kPage * kPage; at + 8 <= end; at += kPage) {
        CHECK_EQ(*(volatile u64*)at, 0u);
      }
    });
  });
}
