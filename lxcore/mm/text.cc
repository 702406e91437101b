#include "lxcore/mm/text.h"

#include "abi/linux/mman.h"
#include "host/memory.h"
#include "lxcore/kernel.h"

namespace lxss {

namespace {

/// Every so many traps of a task one is looked at; a file seen so often is rewritten. Together
/// what a handful of short programs cause: making the copy costs as much as about a thousand traps.
constexpr u32 kSampling = 32;
#ifdef LXSS_DEBUG
/// The debug kernel rewrites all code, when it is first mapped.
constexpr bool kRewritesAtOnce = true;
constexpr u32 kSamplesOfHotFile = 1;
#else
constexpr bool kRewritesAtOnce = false;
constexpr u32 kSamplesOfHotFile = 8;
#endif

constexpr u32 raw(abi::MapFlag flag) { return static_cast<u32>(flag); }
constexpr u32 raw(abi::ProtFlag flag) { return static_cast<u32>(flag); }

/// Memory for a copy in the making: the calling thread's scratch space.
class Scratch {
 public:
  static Result<Scratch> map(host::Fd object, u64 size) {
    static_assert(Text::kMaxSize <= pico::kScratchSize / 2);
    const u64 place = pico::scratch_of(pico::current().stack_slot) + pico::kScratchSize / 2;
    TRY(host::map(place, size, raw(abi::ProtFlag::kPROT_READ) | raw(abi::ProtFlag::kPROT_WRITE),
                  raw(abi::MapFlag::kMAP_SHARED) | raw(abi::MapFlag::kMAP_FIXED), object, 0));
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
  if (size > kMaxSize) return Errno::kEFBIG;
  const MapSource source = TRY(file.map());
  host::UniqueFd object = TRY(host::create_memory_object("lxss-text"));
  TRY(host::set_size(object.get(), size));
  Scratch scratch = TRY(Scratch::map(object.get(), size));
  TRY(read_all(source.fd, scratch.bytes(), begin));
  const u32 number = TRY(pico::take_text_number());
  RefPtr<Text> text = RefPtr<Text>::adopt(new Text(number, begin, size, std::move(object)));
  if (pico::rewrite_calls(number, scratch.bytes(), begin) == 0) return Errno::kENOSPC;
  // A host may forbid to execute memory objects: a copy that nobody can map is none.
  TRY(scratch.make_executable());
  return text;
}

Text::~Text() { pico::forget_text(number_); }

namespace texts {

namespace {

/// Under the kernel lock: the file is one whose copy would stay right, and has none.
bool can_have_one(const File& file) {
  if (!kernel().rewrites_calls || !file.has_inode()) return false;
  const Inode& inode = file.inode();
  return inode.is_regular() && !inode.has_writers() && !inode.text &&
         inode.filesystem().dentries_are_stable();
}

/// Counts a sample, and makes the copy when there are enough.
void take_sample(File& file, u64 offset, u64 size) {
  u32 version;
  {
    KernelLock::Held held;
    if (!can_have_one(file) || ++file.inode().text_samples != kSamplesOfHotFile) return;
    version = file.inode().text_version;
  }
  auto made = Text::create(file, offset, size);
  if (!made) return;
  KernelLock::Held held;
  if (file.inode().text_version == version) file.inode().text = std::move(*made);
}

}  // namespace

RefPtr<Text> find(File& file, u64 offset, u64 size) {
  if (kRewritesAtOnce) take_sample(file, offset, size);
  if (!file.has_inode()) return nullptr;
  KernelLock::Held held;
  auto* text = static_cast<Text*>(file.inode().text.get());
  return text && text->contains(offset, size) ? text : nullptr;
}

void note_trap(Task& task, u64 behind) {
  if (++task.traps % kSampling != 0 || !pico::is_call_site(behind)) return;
  RefPtr<File> file;
  u64 offset = 0, size = 0;
  {
    MutexHeld held(task.memory->mutex);
    const Area* area = task.memory->find(behind);
    if (!area || !area->file || area->shared || !area->protection.has(abi::ProtFlag::kPROT_EXEC)) {
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
  inode.text = nullptr;
  inode.text_samples = 0;
  inode.text_version += 1;
}

}  // namespace texts
}  // namespace lxss
