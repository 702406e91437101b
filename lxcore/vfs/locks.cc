#include "lxcore/vfs/locks.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"

namespace lxss::locks {

namespace {

using Kind = FileLock::Kind;

FileLocks& locks_of(Inode& inode) {
  if (!inode.locks) {
    inode.locks = new FileLocks(inode);
    kernel().file_locks.push_back(*inode.locks);
  }
  return *inode.locks;
}

const FileLock* find_conflict(const std::vector<FileLock>& held, const FileLock& lock) {
  auto at = std::ranges::find_if(held, [&](const FileLock& h) { return lock.conflicts_with(h); });
  return at == held.end() ? nullptr : &*at;
}

/// Cuts [lock.begin, lock.last] out of what the owner of `lock` holds. True if there was any.
bool cut(std::vector<FileLock>& held, const FileLock& lock) {
  bool found = false;
  for (usize i = 0; i < held.size();) {
    FileLock& each = held[i];
    if (each.owner != lock.owner || each.kind != lock.kind || !each.overlaps(lock)) {
      ++i;
      continue;
    }
    found = true;
    FileLock rest = each;
    const bool left = each.begin<lock.begin, right = each.last> lock.last;
    rest.begin = lock.last + 1;
    if (left) {
      each.last = lock.begin - 1;
      if (right) held.push_back(rest);
      ++i;
    } else if (right) {
      each = rest;
      ++i;
    } else {
      held[i] = held.back();
      held.pop_back();
    }
  }
  return found;
}

/// Adds a lock where its owner holds nothing, joining it with equal neighbours.
void add(std::vector<FileLock>& held, FileLock lock) {
  for (usize i = 0; i < held.size();) {
    const FileLock& each = held[i];
    const bool touches = each.last + 1 == lock.begin || lock.last + 1 == each.begin;
    if (each.owner == lock.owner && each.kind == lock.kind && each.exclusive == lock.exclusive &&
        touches) {
      lock.begin = std::min(lock.begin, each.begin);
      lock.last = std::max(lock.last, each.last);
      held[i] = held.back();
      held.pop_back();
      i = 0;
    } else {
      ++i;
    }
  }
  held.push_back(lock);
}

/// True if `owner`, were it to wait for what `blocker` holds, would wait for itself.
bool waits_for(const void* blocker, const void* owner, int depth) {
  constexpr int kDeepest = 16;
  if (blocker == owner) return true;
  if (depth == kDeepest) return false;
  for (FileLocks& file : kernel().file_locks) {
    for (const FileLock& wanted : file.wanted) {
      if (wanted.owner != blocker) continue;
      for (const FileLock& held : file.held) {
        if (held.kind == Kind::kRecord && wanted.conflicts_with(held) &&
            waits_for(held.owner, owner, depth + 1)) {
          return true;
        }
      }
    }
  }
  return false;
}

bool would_deadlock(const FileLocks& locks, const FileLock& lock) {
  return std::ranges::any_of(locks.held, [&](const FileLock& held) {
    return held.kind == Kind::kRecord && lock.conflicts_with(held) &&
           waits_for(held.owner, lock.owner, 0);
  });
}

void stop_wanting(std::vector<FileLock>& wanted, const FileLock& lock) {
  auto at = std::ranges::find_if(wanted, [&](const FileLock& each) {
    return each.owner == lock.owner && each.kind == lock.kind && each.begin == lock.begin &&
           each.last == lock.last && each.exclusive == lock.exclusive;
  });
  LXSS_ASSERT(at != wanted.end());
  wanted.erase(at);
}

}  // namespace

Result<> acquire(Task& task, Inode& inode, const FileLock& lock, bool wait) {
  if (!heap::has_room()) return Errno::kENOLCK;
  FileLocks& locks = locks_of(inode);
  if (find_conflict(locks.held, lock)) {
    if (lock.kind == Kind::kFlock) {
      // Linux: a conversion first gives up the old lock, whatever becomes of the new one.
      if (cut(locks.held, lock)) locks.changed.wake();
    }
    if (!wait) return Errno::kEAGAIN;
    if (lock.kind == Kind::kRecord && would_deadlock(locks, lock)) return Errno::kEDEADLK;
    locks.wanted.push_back(lock);
    auto waited =
        wait_until(task, locks.changed, [&] { return find_conflict(locks.held, lock) == nullptr; });
    stop_wanting(locks.wanted, lock);
    TRY(std::move(waited));
  }
  const bool had = cut(locks.held, lock);
  add(locks.held, lock);
  // An exclusive lock may have become a shared one.
  if (had) locks.changed.wake();
  return {};
}

void release_range(Inode& inode, const FileLock& lock) {
  if (inode.locks && cut(inode.locks->held, lock)) inode.locks->changed.wake();
}

void release(Inode& inode, const void* owner) {
  if (std::erase_if(inode.locks->held, [&](const FileLock& l) { return l.owner == owner; })) {
    inode.locks->changed.wake();
  }
}

const FileLock* conflict(const Inode& inode, const FileLock& lock) {
  return inode.locks ? find_conflict(inode.locks->held, lock) : nullptr;
}

std::string list() {
  TextBuilder text;
  int number = 0;
  auto line = [&](const FileLocks& file, const FileLock& lock, bool waiting) {
    constexpr const char* kKinds[] = {"FLOCK ", "POSIX ", "OFDLCK"};
    const u64 device = file.inode->filesystem().device();
    text << number << (waiting ? ": -> " : ": ") << kKinds[static_cast<int>(lock.kind)]
         << " ADVISORY  " << (lock.exclusive ? "WRITE " : "READ ") << lock.pid.value << ' ';
    text.hex(abi::dev_major(device), 2) << ':';
    text.hex(abi::dev_minor(device), 2) << ':' << file.inode->number() << ' ' << lock.begin << ' ';
    if (lock.last == FileLock{}.last) {
      text << "EOF\n";
    } else {
      text << lock.last << '\n';
    }
  };
  for (FileLocks& file : kernel().file_locks) {
    for (const FileLock& lock : file.held) {
      ++number;
      line(file, lock, false);
      for (const FileLock& wanted : file.wanted) {
        if (wanted.conflicts_with(lock)) line(file, wanted, true);
      }
    }
  }
  return text.take();
}

}  // namespace lxss::locks
