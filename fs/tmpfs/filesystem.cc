// The file system object of tmpfs, and its mount options.
#include <algorithm>

#include "base/text.h"
#include "fs/tmpfs/tmpfs.h"
#include "host/clock.h"
#include "lxcore/mm/heap.h"
#include "lxcore/vfs/filesystem_types.h"

namespace lxss::tmpfs {

namespace {

/// "64m", "50%": bytes, or parts of the machine's memory.
std::optional<u64> parse_size(std::string_view text) {
  if (text.empty()) return std::nullopt;
  u64 unit = 1;
  switch (text.back() | 0x20) {
    case 'k':
      unit = u64{1} << 10;
      break;
    case 'm':
      unit = u64{1} << 20;
      break;
    case 'g':
      unit = u64{1} << 30;
      break;
    case '%' | 0x20:
      unit = host::machine_memory().total / 100;
      break;
    default:
      return parse_number<u64>(text);
  }
  text.remove_suffix(1);
  auto number = parse_number<u64>(text);
  u64 bytes;
  if (!number || __builtin_mul_overflow(*number, unit, &bytes)) return std::nullopt;
  return bytes;
}

template <typename T>
bool assign(T& field, std::optional<T> value) {
  if (value) field = *value;
  return value.has_value();
}

}  // namespace

std::string Options::text() const {
  TextBuilder out;
  if (size != 0) out << ",size=" << size / 1024 << 'k';
  if (inodes != 0) out << ",nr_inodes=" << inodes;
  if (mode != kDefaultMode) (out << ",mode=").octal(mode, 3);
  if (uid != 0) out << ",uid=" << uid;
  if (gid != 0) out << ",gid=" << gid;
  return out.take();
}

Result<Options> Options::parse(std::string_view text) {
  Options result;
  while (!text.empty()) {
    const std::string_view option = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), option.size() + 1));
    if (option.empty()) continue;
    const usize equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    const std::string_view value = equals == option.npos ? "" : option.substr(equals + 1);
    bool good = false;
    if (name == "size") {
      good = assign(result.size, parse_size(value));
      result.size = page_ceil(result.size);
    } else if (name == "nr_blocks") {
      good = assign(result.size, parse_size(value));
      result.size *= kPageSize;
    } else if (name == "nr_inodes") {
      good = assign(result.inodes, parse_size(value));
    } else if (name == "mode") {
      good = assign(result.mode, parse_number<u32>(value, 8));
      result.mode &= abi::kS_IALLUGO;
    } else if (name == "uid") {
      good = assign(result.uid, parse_number<u32>(value));
    } else if (name == "gid") {
      good = assign(result.gid, parse_number<u32>(value));
    } else {
      good = name == "inode64" || name == "huge" || name == "noswap";
    }
    if (!good) return Errno::kEINVAL;
  }
  result.shown = result.text();
  return result;
}

namespace {
/// Bytes, and inodes, that a file system may have without a limit of its own.
u64 half_of_memory() { return host::machine_memory().total / 2; }
}  // namespace

TmpFileSystem::TmpFileSystem(const Options& options, const char* type)
    : FileSystem(type, abi::kTMPFS_MAGIC, Locking::kOwn),
      options_(options),
      quota_((options.size ? options.size : half_of_memory()) / kPageSize),
      max_inodes_(options.inodes ? options.inodes : half_of_memory() / kPageSize) {}

Result<RefPtr<Inode>> TmpFileSystem::root() {
  if (TmpInode* root = root_.load(std::memory_order_acquire)) return RefPtr<Inode>(root);
  NewInode what;
  what.mode = abi::kS_IFDIR | options_.mode;
  what.uid = options_.uid;
  what.gid = options_.gid;
  RefPtr<TmpInode> inode = TRY(new_inode(what));
  root_.store(inode.get(), std::memory_order_release);
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<TmpInode>> TmpFileSystem::new_inode(const NewInode& what) {
  if (!heap::has_room()) return Errno::kENOMEM;
  if (inodes_.fetch_add(1, std::memory_order_relaxed) >= max_inodes_) {
    inodes_.fetch_sub(1, std::memory_order_relaxed);
    return Errno::kENOSPC;
  }
  return make_ref<TmpInode>(*this, next_number_.fetch_add(1, std::memory_order_relaxed), what);
}

Result<abi::Statfs> TmpFileSystem::statistics() {
  abi::Statfs result = TRY(FileSystem::statistics());
  result.f_blocks = quota_.limit();
  result.f_bfree = result.f_bavail = quota_.room();
  result.f_files = max_inodes_;
  result.f_ffree = max_inodes_ - std::min(max_inodes_, inodes_.load(std::memory_order_relaxed));
  return result;
}

}  // namespace lxss::tmpfs

namespace lxss::filesystem_types {

Result<RefPtr<FileSystem>> create_tmpfs(std::string_view options) {
  return RefPtr<FileSystem>(make_ref<tmpfs::TmpFileSystem>(TRY(tmpfs::Options::parse(options))));
}

}  // namespace lxss::filesystem_types
