#include "lxcore/mm/address_space.h"

#include <algorithm>

#include "host/memory.h"
#include "lxcore/mm/address_space_change.h"
#include "lxcore/mm/heap.h"
#include "lxcore/task/process.h"

namespace lxss {

using abi::MapFlag;
using abi::MremapFlag;

namespace {

constexpr u32 raw(MapFlag flag) { return static_cast<u32>(flag); }

// What the host is asked for; the rest of the flags is Linux's bookkeeping.
constexpr u32 kHostFlags =
    raw(MapFlag::kMAP_SHARED) | raw(MapFlag::kMAP_PRIVATE) | raw(MapFlag::kMAP_FIXED) |
    raw(MapFlag::kMAP_ANONYMOUS) | raw(MapFlag::kMAP_GROWSDOWN) | raw(MapFlag::kMAP_NORESERVE) |
    raw(MapFlag::kMAP_POPULATE) | raw(MapFlag::kMAP_NONBLOCK) | raw(MapFlag::kMAP_STACK) |
    raw(MapFlag::kMAP_32BIT) | raw(MapFlag::kMAP_FIXED_NOREPLACE);

bool can_merge(const Area& a, const Area& b) {
  return a.end == b.begin && a.protection == b.protection && a.shared == b.shared &&
         a.file == b.file && (!a.file || a.offset + a.size() == b.offset) && a.name == b.name &&
         a.locked == b.locked && a.dont_fork == b.dont_fork && a.wipe_on_fork == b.wipe_on_fork &&
         a.was_writable == b.was_writable && a.text == b.text && !a.grows_down && !b.grows_down;
}

}  // namespace

AddressSpace::AddressSpace() = default;
AddressSpace::~AddressSpace() {
  set_executable({});
  // No host thread stands on these stacks any more.
  host_space.slots.for_each_occupant(
      [](pico::Thread& occupant) { static_cast<Task&>(occupant).unref(); });
}

AddressSpace::Iterator AddressSpace::first_behind(u64 address) {
  auto at = areas.upper_bound(address);
  if (at != areas.begin()) {
    auto before = std::prev(at);
    if (before->second.end > address) return before;
  }
  return at;
}

const Area* AddressSpace::find(u64 address) const {
  auto at = areas.upper_bound(address);
  if (at == areas.begin()) return nullptr;
  --at;
  return at->second.end > address ? &at->second : nullptr;
}

void AddressSpace::try_merge(Iterator at) {
  if (at == areas.begin()) return;
  auto before = std::prev(at);
  if (!can_merge(before->second, at->second)) return;
  before->second.end = at->second.end;
  if (at->second.file) released_.push_back(std::move(at->second.file));
  areas.erase(at);
}

void AddressSpace::insert(Area area) {
  total_size_ += area.size();
  u64 begin = area.begin;
  auto at = areas.emplace(begin, std::move(area)).first;
  auto next = std::next(at);
  if (next != areas.end()) try_merge(next);
  try_merge(at);
}

void AddressSpace::split_at(u64 address) {
  auto at = areas.upper_bound(address);
  if (at == areas.begin()) return;
  Area& area = std::prev(at)->second;
  if (area.begin >= address || area.end <= address) return;
  Area upper = area;
  upper.begin = address;
  upper.offset += address - area.begin;
  upper.grows_down = false;
  area.end = address;
  areas.emplace(address, std::move(upper));
}

void AddressSpace::forget(u64 begin, u64 end) {
  split_at(begin);
  split_at(end);
  auto at = areas.lower_bound(begin);
  while (at != areas.end() && at->first < end) {
    total_size_ -= at->second.size();
    if (at->second.file) released_.push_back(std::move(at->second.file));
    at = areas.erase(at);
  }
}

Result<u64> AddressSpace::hole_below_window(u64 size) const {
  u64 top = pico::kWindowBegin;
  auto at = areas.lower_bound(top);
  for (;;) {
    const u64 bottom = at == areas.begin() ? pico::kUserBegin : std::prev(at)->second.end;
    if (top > bottom && top - bottom >= size && pico::is_user_range(top - size, size)) {
      return top - size;
    }
    if (at == areas.begin()) return Errno::kENOMEM;
    --at;
    top = at->first;
  }
}

Result<u64> AddressSpace::reserve_around_window(u64 begin, u64 size, abi::MapFlags flags) {
  const u64 below = pico::kWindowBegin - begin, above = begin + size - pico::kWindowEnd;
  if (below != 0) TRY(map(begin, below, {}, flags, nullptr, 0));
  if (above != 0) TRY(map(pico::kWindowEnd, above, {}, flags, nullptr, 0));
  return begin;
}

RefPtr<Text> AddressSpace::text_for(const Area& area) {
  if (!area.file || area.shared || area.was_writable ||
      !area.protection.has(abi::ProtFlag::kPROT_EXEC)) {
    return nullptr;
  }
  RefPtr<Text> text = texts::find(*area.file, area.offset, area.size());
  if (!text) return nullptr;
  for (auto& [begin, other] : areas) {
    if (other.text == text) return nullptr;
  }
  return text;
}

void AddressSpace::use_text(u64 address) {
  Change change(*this);
  auto at = first_behind(address);
  if (at == areas.end() || at->first > address) return;
  Area& area = at->second;
  if (area.text || area.locked || area.dont_fork) return;
  RefPtr<Text> text = text_for(area);
  if (!text) return;
  text->place(host_space, area.begin, area.offset);
  // Another thread may run this very code: the host changes the mapping at once, and what is left
  // of a site serves who was in the middle of it.
  constexpr u32 kFlags = raw(MapFlag::kMAP_PRIVATE) | raw(MapFlag::kMAP_FIXED);
  if (host::map(area.begin, area.size(), area.protection.raw(), kFlags, text->object(),
                text->place_of(area.offset))) {
    area.text = std::move(text);
  }
}

Result<> AddressSpace::undo_rewriting(u64 begin, u64 end) {
  for (auto at = first_behind(begin); at != areas.end() && at->first < end; ++at) {
    Area& area = at->second;
    if (!area.text) continue;
    constexpr u32 kFlags = raw(MapFlag::kMAP_PRIVATE) | raw(MapFlag::kMAP_FIXED);
    const MapSource source = TRY(area.file->map());
    TRY(host::map(area.begin, area.size(), area.protection.raw(), kFlags, source.fd, area.offset));
    if (area.locked) (void)lock_on_host(area.begin, area.size(), MemoryLock::kResident);
    if (area.dont_fork) MUST(host::advise_memory(area.begin, area.size(), abi::kMADV_DONTFORK));
    area.text = nullptr;
  }
  return {};
}

Result<u64> AddressSpace::map(u64 hint, u64 length, abi::ProtFlags protection, abi::MapFlags flags,
                              RefPtr<File> file, u64 offset, const char* name) {
  if (length == 0) return Errno::kEINVAL;
  u64 size = page_ceil(length);
  if (size == 0 || size > pico::kUserEnd) return Errno::kENOMEM;
  const bool fixed = flags.any(MapFlag::kMAP_FIXED | MapFlag::kMAP_FIXED_NOREPLACE);
  if (fixed) {
    if (hint % kPageSize) return Errno::kEINVAL;
    if (hint < pico::kUserBegin) return Errno::kEPERM;
    const bool reserves = !file && protection == abi::ProtFlags{} &&
                          (flags.raw() & abi::kMAP_TYPE) == raw(MapFlag::kMAP_PRIVATE);
    if (reserves && pico::covers_window(hint, size))
      return reserve_around_window(hint, size, flags);
    if (!pico::is_user_range(hint, size)) return Errno::kENOMEM;
  } else if (hint < pico::kUserBegin || !pico::is_user_range(hint, size)) {
    hint = 0;
  }
  Change change(*this);
  if (areas.size() >= kMaxAreas || !heap::has_room()) return Errno::kENOMEM;
  if (total_size() + size > Task::current().limit(abi::kRLIMIT_AS)) return Errno::kENOMEM;
  const MemoryLock lock = lock_of_new(flags);
  if (lock != MemoryLock::kNone) TRY(may_lock(size, Errno::kEAGAIN));
  MapSource source;
  if (file) source = TRY(file->map());
  // A seal may have come since the caller looked.
  if (!source.shared_writable && protection.has(abi::ProtFlag::kPROT_WRITE) &&
      (flags.raw() & abi::kMAP_TYPE) != raw(MapFlag::kMAP_PRIVATE)) {
    return Errno::kEPERM;
  }
  u32 host_flags = flags.raw() & kHostFlags;
  if (source.fd.value < 0) {
    host_flags |= raw(MapFlag::kMAP_ANONYMOUS);
    offset = 0;
  }
  Area area;
  area.end = size;
  area.protection = protection;
  area.shared = (flags.raw() & abi::kMAP_TYPE) != raw(MapFlag::kMAP_PRIVATE);
  area.grows_down = flags.has(MapFlag::kMAP_GROWSDOWN);
  area.file = std::move(file);
  area.offset = offset;
  area.name = name;
  area.locked = lock != MemoryLock::kNone;
  area.was_writable = area.file && protection.has(abi::ProtFlag::kPROT_WRITE);
  area.text = text_for(area);
  u64 host_offset = area.offset;
  if (area.text) {
    source.fd = area.text->object();
    host_offset = area.text->place_of(offset);
  }
  u64 at = TRY(host::map(hint, size, protection.raw(), host_flags, source.fd, host_offset));
  if (!pico::is_user_range(at, size)) {
    // The host looks from the top down: the space above the kernel window is used up.
    MUST(host::unmap(at, size));
    at = TRY(host::map(TRY(hole_below_window(size)), size, protection.raw(),
                       host_flags | raw(MapFlag::kMAP_FIXED_NOREPLACE), source.fd, host_offset));
  }
  if (area.text) area.text->place(host_space, at, offset);
  if (fixed) forget(at, at + size);
  if (lock != MemoryLock::kNone && !lock_on_host(at, size, lock)) {
    MUST(host::unmap(at, size));
    return Errno::kEAGAIN;
  }
  area.begin = at;
  area.end = at + size;
  insert(std::move(area));
  return at;
}

Result<> AddressSpace::unmap(u64 begin, u64 length) {
  u64 size = page_ceil(length);
  if (begin % kPageSize || length == 0 || size < length || !pico::is_user_range(begin, size)) {
    return Errno::kEINVAL;
  }
  Change change(*this);
  TRY(host::unmap(begin, size));
  forget(begin, begin + size);
  return {};
}

Result<> AddressSpace::protect(u64 begin, u64 length, abi::ProtFlags protection) {
  if (begin % kPageSize) return Errno::kEINVAL;
  if (length == 0) return {};
  u64 size = page_ceil(length);
  if (size < length || !pico::is_user_range(begin, size)) return Errno::kENOMEM;
  Change change(*this);
  // A shared mapping of what was opened only for reading cannot become writable.
  Result<> refused;
  if (protection.has(abi::ProtFlag::kPROT_WRITE)) {
    for (auto at = first_behind(begin); at != areas.end() && at->first < begin + size; ++at) {
      const Area& area = at->second;
      if (!area.shared || !area.file || area.file->writable()) continue;
      refused = Errno::kEACCES;
      if (area.begin <= begin) return refused;
      size = area.begin - begin;
    }
  }
  if (protection.has(abi::ProtFlag::kPROT_WRITE)) TRY(undo_rewriting(begin, begin + size));
  Result<> result = host::protect(begin, size, protection.raw());
  if (!result && !result.is(Errno::kENOMEM)) return result;
  // With ENOMEM the host has changed what lies before the first gap.
  abi::ProtFlags access =
      protection.without(abi::ProtFlag::kPROT_GROWSDOWN | abi::ProtFlag::kPROT_GROWSUP);
  u64 end = begin;
  for (auto at = first_behind(begin); at != areas.end() && at->first <= end && end < begin + size;
       ++at) {
    end = at->second.end;
  }
  end = std::min(end, begin + size);
  if (end > begin) {
    update(begin, end, [access](Area& area) {
      area.protection = access;
      area.was_writable |= area.file && access.has(abi::ProtFlag::kPROT_WRITE);
    });
  }
  return result ? refused : result;
}

Result<u64> AddressSpace::remap(u64 old_begin, u64 old_length, u64 new_length,
                                abi::MremapFlags flags, u64 new_begin) {
  u64 old_size = page_ceil(old_length);
  u64 new_size = page_ceil(new_length);
  if (old_begin % kPageSize || new_size == 0 || !pico::is_user_range(old_begin, old_size)) {
    return Errno::kEINVAL;
  }
  const bool fixed = flags.has(MremapFlag::kMREMAP_FIXED);
  if (fixed && (new_begin % kPageSize || !pico::is_user_range(new_begin, new_size))) {
    return Errno::kEINVAL;
  }
  Change change(*this);
  TRY(undo_rewriting(old_begin, old_begin + std::max(old_size, kPageSize)));
  const Area* source = find(old_begin);
  if (!source) return Errno::kEFAULT;
  Area area = *source;
  u64 grown = new_size > old_size ? new_size - old_size : 0;
  if (total_size() + grown > Task::current().limit(abi::kRLIMIT_AS)) return Errno::kENOMEM;
  if (area.locked) TRY(may_lock(grown, Errno::kEAGAIN));
  u64 at = TRY(host::remap(old_begin, old_size, new_size, flags.raw(), new_begin));
  if (!pico::is_user_range(at, new_size)) {
    // As in map(). Without room below the window it goes back to where it was.
    constexpr u32 kMayMoveFixed = 3;  // MREMAP_MAYMOVE | MREMAP_FIXED
    auto hole = hole_below_window(new_size);
    const u64 goal = hole ? *hole : old_begin;
    MUST(host::remap(at, new_size, hole ? new_size : old_size, kMayMoveFixed, goal));
    if (!hole) return Errno::kENOMEM;
    at = goal;
  }
  area.offset += old_begin - area.begin;
  if (!flags.has(MremapFlag::kMREMAP_DONTUNMAP) && old_size != 0) {
    forget(old_begin, old_begin + old_size);
  }
  forget(at, at + new_size);
  area.begin = at;
  area.end = at + new_size;
  insert(std::move(area));
  return at;
}

u64 AddressSpace::set_break(u64 end) {
  MutexHeld held(break_mutex);
  u64 current = brk_end;
  if (end < brk_begin || end > pico::kUserEnd) return current;
  u64 limit = Task::current().limit(abi::kRLIMIT_DATA);
  if (end > current && end - brk_begin > limit) return current;
  u64 old_top = page_ceil(current), new_top = page_ceil(end);
  if (new_top > old_top) {
    auto mapped =
        map(old_top, new_top - old_top, abi::ProtFlag::kPROT_READ | abi::ProtFlag::kPROT_WRITE,
            MapFlag::kMAP_PRIVATE | MapFlag::kMAP_ANONYMOUS | MapFlag::kMAP_FIXED_NOREPLACE,
            nullptr, 0, "[heap]");
    if (!mapped) return current;
  } else if (new_top < old_top) {
    if (!unmap(new_top, old_top - new_top)) return current;
  }
  brk_end = end;
  return end;
}

Result<> AddressSpace::advise(u64 begin, u64 length, i32 advice) {
  u64 size = page_ceil(length);
  if (begin % kPageSize || size < length) return Errno::kEINVAL;
  if (size == 0) return {};
  if (!pico::is_user_range(begin, size)) return Errno::kENOMEM;
  Change change(*this);
  TRY(host::advise_memory(begin, size, advice));
  switch (advice) {
    case abi::kMADV_DONTFORK:
    case abi::kMADV_DOFORK:
      update(begin, begin + size,
             [advice](Area& a) { a.dont_fork = advice == abi::kMADV_DONTFORK; });
      break;
    case abi::kMADV_WIPEONFORK:
    case abi::kMADV_KEEPONFORK:
      update(begin, begin + size,
             [advice](Area& a) { a.wipe_on_fork = advice == abi::kMADV_WIPEONFORK; });
      break;
  }
  return {};
}

bool AddressSpace::is_mapped(u64 begin, u64 length) const {
  for (u64 at = begin; at < begin + length;) {
    const Area* area = find(at);
    if (!area) return false;
    at = area->end;
  }
  return true;
}

usize AddressSpace::force_write(u64 begin, const void* from, usize size) {
  Change change(*this);
  usize done = 0;
  while (done < size) {
    const u64 at = begin + done;
    const Iterator found = first_behind(at);
    if (found == areas.end() || found->first > at) break;
    Area& area = found->second;
    const usize part = std::min<u64>(size - done, area.end - at);
    const abi::ProtFlags writable = area.protection | abi::ProtFlag::kPROT_WRITE;
    const bool opens = !area.protection.has(abi::ProtFlag::kPROT_WRITE);
    if ((opens && area.shared) || !undo_rewriting(at, at + part)) break;
    area.was_writable |= area.file != nullptr;
    const u64 page = page_floor(at), pages = page_ceil(at + part) - page;
    if (opens && !host::protect(page, pages, writable.raw())) break;
    const usize written = copy_out_partial(UserAddr{at}, static_cast<const u8*>(from) + done, part);
    if (opens) MUST(host::protect(page, pages, area.protection.raw()));
    done += written;
    if (written < part) break;
  }
  return done;
}

void AddressSpace::forget_all() {
  Change change(*this);
  forget(0, pico::kUserEnd);
  KernelLock::Held held;
  set_executable({});
}

void AddressSpace::abandon() {
  // Leaked, with what it refers to.
  new (&areas) std::map<u64, Area>();
  new (&released_) std::vector<RefPtr<File>>();
  mutex.abandon();
}

void AddressSpace::abandon_reader(i32 host_thread) {
  if (mutex.owner() == host_thread) mutex.abandon();
}

void AddressSpace::set_executable(Path path) {
  // Somebody may have opened it for writing since it was looked at.
  const bool excludes = path && path.inode().begin_executing();
  if (excludes_writers_) executable.inode().end_executing();
  excludes_writers_ = excludes;
  // Others look at it under the lock; what it was goes without.
  KernelLock::Held held;
  std::swap(executable, path);
}

void AddressSpace::clear() {
  Change change(*this);
  // Everything but the host's pages, whatever the list says: stacks may have grown.
  std::vector<std::pair<u64, u64>> kept = {{pico::kCallTable, pico::kCallTableEnd},
                                           {pico::kWindowBegin, pico::kWindowEnd}};
  std::vector<Area> host_areas;
  for (auto& [begin, area] : areas) {
    if (area.name[0] == '[' && area.name[1] == 'v') {
      kept.emplace_back(area.begin, area.end);
      host_areas.push_back(area);
    }
  }
  std::sort(kept.begin(), kept.end());
  u64 at = pico::kUserBegin;
  for (auto [begin, end] : kept) {
    if (begin > at) MUST(host::unmap(at, begin - at));
    at = end;
  }
  if (at < pico::kUserEnd) MUST(host::unmap(at, pico::kUserEnd - at));
  for (auto& [begin, area] : areas) {
    if (area.file) released_.push_back(std::move(area.file));
  }
  areas.clear();
  total_size_ = 0;
  future_lock_ = MemoryLock::kNone;
  for (Area& area : host_areas) insert(std::move(area));
}

void AddressSpace::copy_areas(const AddressSpace& parent) {
  for (auto& [begin, area] : parent.areas) {
    if (area.dont_fork) continue;
    Area copy = area;
    copy.locked = false;
    insert(std::move(copy));
  }
  code_begin = parent.code_begin;
  code_end = parent.code_end;
  data_begin = parent.data_begin;
  data_end = parent.data_end;
  brk_begin = parent.brk_begin;
  brk_end = parent.brk_end;
  stack_begin = parent.stack_begin;
  arguments_begin = parent.arguments_begin;
  arguments_end = parent.arguments_end;
  environment_begin = parent.environment_begin;
  environment_end = parent.environment_end;
  auxv = parent.auxv;
  set_executable(parent.executable);
}

}  // namespace lxss
