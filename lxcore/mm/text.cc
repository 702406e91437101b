#include "lxcore/mm/text.h"

#include <optional>

#include "abi/linux/mman.h"
#include "host/memory.h"
#include "lxcore/kernel.h"

namespace lxss {

namespace {

/// Every so many traps of a thread one is looked at.
constexpr u32 kSampling = 32;
#ifdef LXSS_DEBUG
/// The debug kernel rewrites all code, when it is first mapped.
constexpr bool kRewritesAtOnce = true;
#else
constexpr bool kRewritesAtOnce = false;
#endif
/// A file seen so often is rewritten. Making the copy takes some 6 us for each KiB, a trap about 1
/// us: a small program's text comes soon, a large library's when it has a few programs that call.
constexpr u32 samples_of_hot_file(u64 size) {
  constexpr u64 kSizePerSample = u64{64} << 10;
  return kRewritesAtOnce ? 1 : static_cast<u32>(4 + size / kSizePerSample);
}
/// InodeText::samples of a file whose copy was made or cannot be made.
constexpr u32 kDone = 1u << 30;

constexpr u32 raw(abi::MapFlag flag) { return static_cast<u32>(flag); }
constexpr u32 raw(abi::ProtFlag flag) { return static_cast<u32>(flag); }

/// What all copies together may take, and half of it one owner's.
constexpr TextShare kShare{.texts = pico::kMaxTexts - 1, .bytes = u64{256} << 20};

/// Memory for a copy in the making: a part of the calling thread's scratch space.
class Scratch {
 public:
  static constexpr u64 kSize = pico::kScratchSize / 2;

  /// `object` none: memory of its own, zero.
  static Result<Scratch> map(u64 offset, u64 size, host::Fd object = host::kNoFd) {
    const u64 place = pico::scratch_of(pico::current().stack_slot) + kSize + offset;
    const u32 kind = object.value >= 0
                         ? raw(abi::MapFlag::kMAP_SHARED)
                         : raw(abi::MapFlag::kMAP_PRIVATE) | raw(abi::MapFlag::kMAP_ANONYMOUS);
    TRY(host::map(place, size, raw(abi::ProtFlag::kPROT_READ) | raw(abi::ProtFlag::kPROT_WRITE),
                  kind | raw(abi::MapFlag::kMAP_FIXED), object, 0));
    return Scratch(place, size);
  }
  Scratch(Scratch&& other) : place_(other.place_), size_(std::exchange(other.size_, 0)) {}
  ~Scratch() {
    if (size_ != 0) MUST(host::unmap(place_, size_));
  }
  Result<> make_executable() {
    return host::protect(place_, size_,
                         raw(abi::ProtFlag::kPROT_READ) | raw(abi::ProtFlag::kPROT_EXEC));
  }
  std::span<std::byte> bytes() const { return {reinterpret_cast<std::byte*>(place_), size_}; }
  std::span<u64> words() const { return {reinterpret_cast<u64*>(place_), size_ / sizeof(u64)}; }

 private:
  Scratch(u64 place, u64 size) : place_(place), size_(size) {}
  u64 place_, size_;
};

Result<> read_all(host::Fd file, std::span<std::byte> to, u64 offset) {
  while (!to.empty()) {
    const host::Buffer buffer{reinterpret_cast<u64>(to.data()), to.size()};
    const usize got = TRY(host::read_at(file, {&buffer, 1}, offset));
    if (got == 0) break;  // the last page's rest stays zero
    to = to.subspan(got);
    offset += got;
  }
  return {};
}

}  // namespace

Result<RefPtr<Text>> Text::create(File& file, u64 begin, u64 size) {
  if (size > kMaxSize) return Errno::kENOENT;
  const u32 owner = file.inode().uid();
  TRY(kernel().texts.admit(owner, size));
  const MapSource source = TRY(file.map());
  host::UniqueFd object = TRY(host::create_memory_object("lxss-text"));
  TRY(host::set_size(object.get(), size));
  Scratch copy = TRY(Scratch::map(0, size, object.get()));
  TRY(read_all(source.fd, copy.bytes(), begin));
  const u64 memory_size = page_ceil(pico::rewriting_memory(size));
  LXSS_ASSERT(size + memory_size <= Scratch::kSize);
  const Scratch memory = TRY(Scratch::map(size, memory_size));
  const u32 number = TRY(pico::take_text_number());
  auto text = RefPtr<Text>::adopt(new Text(owner, number, begin, size, std::move(object)));
  kernel().texts.add(*text);
  if (pico::rewrite_calls(number, copy.bytes(), memory.words()) == 0) return Errno::kENOENT;
  // A host may forbid to execute memory objects: a copy that nobody can map is none.
  TRY(copy.make_executable());
  return text;
}

Text::~Text() {
  kernel().texts.remove(*this);
  pico::forget_text(number_);
}

InodeText::~InodeText() {
  if (copy.load()) kernel().texts.withdraw(*this);
}

void Texts::add(Text& text) {
  MutexHeld held(mutex_);
  all_.push_back(text);
}

void Texts::remove(Text& text) {
  MutexHeld held(mutex_);
  text.unlink();
}

void Texts::publish(Text& text, InodeText& holder, u32 version) {
  {
    MutexHeld held(mutex_);
    if (holder.copy.load()) return;
    text.ref();
    text.holder_ = &holder;
    holder.copy.store(&text);
  }
  // Who changes the file counts first, and looks for a copy then.
  if (holder.version.load() != version) withdraw(holder);
}

void Texts::withdraw(InodeText& holder) {
  RefPtr<Text> text;
  MutexHeld held(mutex_);
  text = take_from(holder);
}

RefPtr<Text> Texts::take_from(InodeText& holder) {
  Text* text = holder.copy.exchange(nullptr);
  if (text) text->holder_ = nullptr;
  return RefPtr<Text>::adopt(text);
}

RefPtr<Text> Texts::copy_of(InodeText& holder) {
  if (!holder.copy.load(std::memory_order_relaxed)) return nullptr;
  MutexHeld held(mutex_);
  return holder.copy.load();
}

u64 Texts::count() {
  MutexHeld held(mutex_);
  return usage_of(std::nullopt).texts;
}

TextShare::Usage Texts::usage_of(std::optional<u32> owner) {
  TextShare::Usage usage;
  for (const Text& text : all_) {
    if (owner && text.owner() != *owner) continue;
    usage.texts += 1;
    usage.bytes += text.size();
  }
  return usage;
}

Text* Texts::find_victim(u32 for_owner) {
  // Only its inode has a reference; others get theirs from there, under the mutex.
  const auto is_unmapped = [](const Text& text) {
    return text.holder_ && text.reference_count() == 1;
  };
  for (Text& text : all_) {
    if (text.owner() == for_owner && is_unmapped(text)) return &text;
  }
  const TextShare::Usage own = usage_of(for_owner);
  for (Text& text : all_) {
    if (!is_unmapped(text)) continue;
    const TextShare::Usage other = usage_of(text.owner());
    if (other.texts > own.texts + 1 || other.bytes > own.bytes + Text::kMaxSize) return &text;
  }
  return nullptr;
}

Result<> Texts::admit(u32 owner, u64 size) {
  for (;;) {
    RefPtr<Text> victim;
    MutexHeld held(mutex_);
    if (kShare.allows(usage_of(owner), usage_of(std::nullopt), size)) return {};
    Text* found = find_victim(owner);
    if (!found) return Errno::kENOSPC;
    found->holder_->samples = 0;
    victim = take_from(*found->holder_);
  }
}

namespace texts {

namespace {

/// The file is one whose copy would stay right.
bool can_have_one(const File& file) {
  if (!kernel().texts.enabled.load(std::memory_order_relaxed) || !file.has_inode()) return false;
  const Inode& inode = file.inode();
  // Who opens the file for writing is among the writers before it changes the version.
  return inode.is_regular() && !inode.has_writers() && inode.filesystem().dentries_are_stable();
}

/// Counts a sample, and makes the copy when there are enough.
void take_sample(File& file, u64 offset, u64 size) {
  if (!file.has_inode()) return;
  InodeText& text = file.inode().text;
  const u32 version = text.version.load();
  if (text.copy.load() || !can_have_one(file)) return;
  u32 samples = text.samples.fetch_add(1) + 1;
  if (samples < samples_of_hot_file(size) || samples >= kDone ||
      !text.samples.compare_exchange_strong(samples, kDone)) {
    return;
  }
  auto made = Text::create(file, offset, size);
  if (made) {
    kernel().texts.publish(**made, text, version);
  } else if (made.error() != Errno::kENOENT) {
    text.samples = 0;  // there may be room another time
  }
}

}  // namespace

RefPtr<Text> find(File& file, u64 offset, u64 size) {
  if (kRewritesAtOnce) take_sample(file, offset, size);
  if (!file.has_inode()) return nullptr;
  RefPtr<Text> text = kernel().texts.copy_of(file.inode().text);
  return text && text->contains(offset, size) ? text : nullptr;
}

void note_trap(Task& task, u64 behind) {
  if (task.trapped_calls % kSampling != 0 || !pico::can_rewrite_calls()) return;
  RefPtr<File> file;
  u64 offset = 0, size = 0;
  {
    MutexHeld held(task.memory->mutex);
    const Area* area = task.memory->find(behind);
    if (!area || !area->file || area->shared || area->text ||
        !area->protection.has(abi::ProtFlag::kPROT_EXEC)) {
      return;
    }
    file = area->file;
    offset = area->offset;
    size = area->size();
  }
  take_sample(*file, offset, size);
  task.memory->use_text(behind);
  KernelLock::Held held;
  file = nullptr;
}

void file_changes(Inode& inode) {
  inode.text.version.fetch_add(1);
  if (inode.text.samples.load(std::memory_order_relaxed) != 0) inode.text.samples = 0;
  if (inode.text.copy.load()) kernel().texts.withdraw(inode.text);
}

}  // namespace texts
}  // namespace lxss
