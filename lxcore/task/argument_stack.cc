#include "lxcore/task/argument_stack.h"

#include <algorithm>

#include "abi/linux/elf.h"
#include "abi/linux/mman.h"
#include "host/clock.h"
#include "host/memory.h"

namespace lxss {

namespace {

constexpr u32 raw(abi::MapFlag flag) { return static_cast<u32>(flag); }
constexpr u32 kStackFlags = raw(abi::MapFlag::kMAP_PRIVATE) | raw(abi::MapFlag::kMAP_ANONYMOUS) |
                            raw(abi::MapFlag::kMAP_NORESERVE) | raw(abi::MapFlag::kMAP_STACK);
constexpr u32 kReadWrite = 3;
constexpr usize kPointer = sizeof(u64);

}  // namespace

ArgumentStack::~ArgumentStack() {
  if (size_ != 0) (void)host::unmap(begin_, size_);
}

Result<> ArgumentStack::create(u64 limit) {
  constexpr u64 kSmallest = 32 * kPageSize;
  size_ = page_floor(std::clamp(limit, kSmallest + kMaxString, kMaxStack));
  static_assert(kMaxStack <= pico::kScratchSize / 2);
  const u64 place = pico::scratch_of(pico::current().stack_slot);
  auto mapped = host::map(place, size_, kReadWrite, kStackFlags | raw(abi::MapFlag::kMAP_FIXED),
                          host::kNoFd, 0);
  if (!mapped) {
    size_ = 0;
    return Errno::kENOMEM;
  }
  begin_ = place;
  // Eight zero bytes end the stack, as on Linux.
  used_from_ = size_ - kPointer;
  const u64 room = std::clamp<u64>(size_ / 4, kMaxString, kMaxTotal);
  limit_ = size_ - room;
  return {};
}

Result<> ArgumentStack::push(std::string_view text) {
  if (text.size() + 1 > kMaxString || used_from_ - limit_ < text.size() + 1) return Errno::kE2BIG;
  used_from_ -= text.size() + 1;
  __builtin_memcpy(at(used_from_), text.data(), text.size());
  *at(used_from_ + text.size()) = std::byte{0};
  return {};
}

Result<usize> ArgumentStack::push_vector(UserAddr vector) {
  if (!vector) return usize{0};
  UserIn<u64> pointers{vector};
  usize count = 0;
  while (TRY(pointers.read(count)) != 0) {
    if (++count * kPointer > used_from_ - limit_) return Errno::kE2BIG;
  }
  for (usize i = count; i-- > 0;) {
    UserAddr string{TRY(pointers.read(i))};
    auto text = copy_string_in(string, kMaxString - 1);
    if (!text) return text.is(Errno::kENAMETOOLONG) ? Errno::kE2BIG : text.error();
    TRY(push(*text));
  }
  return count;
}

void ArgumentStack::pop() {
  while (*at(used_from_) != std::byte{0}) ++used_from_;
  ++used_from_;
}

ArgumentStack::Layout ArgumentStack::finish(u64 top, usize argc, usize envc,
                                            std::vector<u64>& auxv) {
  const u64 base = top - size_;
  const u64 strings = used_from_;
  used_from_ -= 16;
  host::random_bytes({at(used_from_), 16});
  const u64 random_at = base + used_from_;
  constexpr char kPlatform[] = "x86_64";
  used_from_ -= sizeof kPlatform;
  __builtin_memcpy(at(used_from_), kPlatform, sizeof kPlatform);
  const u64 platform_at = base + used_from_;

  // argc, argv, NULL, envp, NULL, auxv: its end is aligned to 16 bytes.
  const usize words = 1 + argc + 1 + envc + 1 + auxv.size();
  used_from_ = (used_from_ - words * kPointer) & ~u64{15};
  u64* word = reinterpret_cast<u64*>(at(used_from_));
  Layout layout{base + used_from_, base + strings, 0, 0};
  u64 cursor = strings;
  auto skip_string = [&] {
    u64 here = base + cursor;
    while (*at(cursor) != std::byte{0}) ++cursor;
    ++cursor;
    return here;
  };
  *word++ = argc;
  for (usize i = 0; i < argc; ++i) *word++ = skip_string();
  *word++ = 0;
  layout.arguments_end = base + cursor;
  for (usize i = 0; i < envc; ++i) *word++ = skip_string();
  *word++ = 0;
  layout.environment_end = base + cursor;
  for (usize i = 0; i + 1 < auxv.size(); i += 2) {
    if (auxv[i] == abi::kAT_RANDOM) auxv[i + 1] = random_at;
    if (auxv[i] == abi::kAT_PLATFORM) auxv[i + 1] = platform_at;
    if (auxv[i] == abi::kAT_EXECFN) auxv[i + 1] = base + cursor;
  }
  for (u64 value : auxv) *word++ = value;
  return layout;
}

Result<> ArgumentStack::move_to(u64 top) {
  constexpr u32 kMayMoveFixed = 3;  // MREMAP_MAYMOVE | MREMAP_FIXED
  TRY(host::remap(begin_, size_, size_, kMayMoveFixed, top - size_));
  size_ = 0;
  return {};
}

}  // namespace lxss
