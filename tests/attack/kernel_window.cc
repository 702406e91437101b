// Memory calls on the kernel window: they must fail as for addresses that do not exist, and
// mappings that fill the address space must go around it.
#include <sys/shm.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr int kProtection = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;

bool in_window(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return pointer != MAP_FAILED && address >= kWindowBegin && address < kWindowEnd;
}

void attack_address(uintptr_t address) {
  void* page = reinterpret_cast<void*>(address & ~(kPage - 1));
  for (size_t size : {kPage, size_t{64} << 20, size_t{1} << 36}) {
    attempt("munmap", [=] { return munmap(page, size) == 0; });
    attempt("mprotect", [=] { return mprotect(page, size, kProtection) == 0; });
    attempt("mremap", [=] { return mremap(page, size, size * 2, MREMAP_MAYMOVE) != MAP_FAILED; });
    for (int advice : {MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_FREE}) {
      attempt("madvise", [=] { return madvise(page, size, advice) == 0; });
    }
    for (int flag : {MAP_FIXED, MAP_FIXED_NOREPLACE}) {
      attempt("mmap", [=] {
        return mmap(page, size, kProtection, kFlags | flag | MAP_NORESERVE, -1, 0) != MAP_FAILED;
      });
    }
    attempt("hint",
            [=] { return in_window(mmap(page, size, PROT_READ, kFlags | MAP_NORESERVE, -1, 0)); });
    attempt("mlock", [=] { return mlock(page, size) == 0; });
  }
  attempt("mremap to", [=] {
    void* own = mmap(nullptr, kPage, kProtection, kFlags, -1, 0);
    return mremap(own, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, page) != MAP_FAILED;
  });
  attempt("shmat", [=] {
    const int segment = shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600);
    const void* at = shmat(segment, page, SHM_REMAP);
    shmctl(segment, IPC_RMID, nullptr);
    return in_window(at);
  });
}

/// Ranges that begin or end outside of the window.
void attack_edges() {
  const uintptr_t before = kWindowBegin - kPage, last = kWindowEnd - kPage;
  for (uintptr_t begin : {before, last}) {
    void* page = reinterpret_cast<void*>(begin);
    attempt("munmap over an edge", [=] {
      munmap(page, 2 * kPage);
      return false;
    });
    attempt("mmap over an edge", [=] {
      return mmap(page, 2 * kPage, kProtection, kFlags | MAP_FIXED, -1, 0) != MAP_FAILED;
    });
    attempt("mremap over an edge", [=] {
      if (mmap(page, kPage, kProtection, kFlags | MAP_FIXED, -1, 0) == MAP_FAILED) return false;
      return begin == before && mremap(page, kPage, 2 * kPage, 0) != MAP_FAILED;
    });
  }
  attempt("munmap of everything", [] {
    munmap(nullptr, 0x7ffffffff000);
    return false;
  });
  attempt("mprotect of everything", [] {
    mprotect(nullptr, 0x7ffffffff000, PROT_NONE);
    return false;
  });
}

void attack_by_filling() {
  attempt("filling the address space", [] {
    for (size_t size = size_t{1} << 45; size >= size_t{1} << 30; size /= 2) {
      void* memory;
      while ((memory = mmap(nullptr, size, PROT_NONE, kFlags | MAP_NORESERVE, -1, 0)) !=
             MAP_FAILED) {
        const auto begin = reinterpret_cast<uintptr_t>(memory);
        if (begin < kWindowEnd && begin + size > kWindowBegin) return true;
      }
    }
    return false;
  });
  attempt("growing a stack down into it", [] {
    void* top = reinterpret_cast<void*>(kWindowEnd);
    void* stack = mmap(top, kPage, kProtection, kFlags | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    if (stack == MAP_FAILED) return false;
    static_cast<volatile char*>(stack)[-1] = 1;
    return true;
  });
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  for (uintptr_t address : kWindowAddresses) attack_address(address);
  attack_edges();
  attack_by_filling();
  return report();
}
