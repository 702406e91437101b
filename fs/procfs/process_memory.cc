// cmdline, environment, auxv, maps, smaps, smaps_rollup and mem of a process.
#include <algorithm>

#include "fs/procfs/process_facts.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::procfs {

using abi::ProtFlag;

namespace {

/// What one read of cmdline or environment gives at most; Linux's limit of both is 6 MiB in
/// practice.
constexpr u64 kMaxStrings = u64{6} << 20;
constexpr usize kTransfer = 65536;
/// Column at which an area's name begins.
constexpr usize kNameColumn = 73;

std::string read_range(const Subject& subject, u64 begin, u64 end) {
  std::string text;
  if (end <= begin) return text;
  text.resize(std::min(end - begin, kMaxStrings));
  text.resize(read_memory(subject, begin, text.data(), text.size()));
  return text;
}

std::string area_name(const Area& area) {
  if (area.file) {
    std::string description = area.file->description();
    return description.empty() ? vfs::path_text(Task::current(), area.file->path()) : description;
  }
  return area.name;
}

void append_header(TextBuilder& out, const Area& area, std::string_view name) {
  usize start = out.size();
  out.hex(area.begin, 8) << '-';
  out.hex(area.end, 8) << ' ';
  out << (area.protection.has(ProtFlag::kPROT_READ) ? 'r' : '-')
      << (area.protection.has(ProtFlag::kPROT_WRITE) ? 'w' : '-')
      << (area.protection.has(ProtFlag::kPROT_EXEC) ? 'x' : '-') << (area.shared ? 's' : 'p')
      << ' ';
  u64 device = 0, inode = 0;
  if (area.file && area.file->has_inode()) {
    device = area.file->inode().filesystem().device();
    inode = area.file->inode().number();
  }
  out.hex(area.file ? area.offset : 0, 8) << ' ';
  out.hex(abi::dev_major(device), 2) << ':';
  out.hex(abi::dev_minor(device), 2) << ' ';
  out << inode << ' ';
  if (!name.empty()) {
    out.pad_to(start + kNameColumn);
    append_escaped(out, name, "\n");
  }
  out << '\n';
}

void append_size(TextBuilder& out, std::string_view name, u64 bytes) {
  usize start = out.size();
  out << name << ':';
  out.pad_to(start + 16);
  out.decimal(bytes / 1024, 8) << " kB\n";
}

/// The lines that smaps and smaps_rollup have in common.
void append_use(TextBuilder& out, Resident resident, u64 locked, bool shared, bool rollup) {
  append_size(out, "Rss", resident.total());
  append_size(out, "Pss", resident.total());
  append_size(out, "Pss_Dirty", resident.anonymous);
  if (rollup) {
    append_size(out, "Pss_Anon", resident.anonymous);
    append_size(out, "Pss_File", resident.file);
    append_size(out, "Pss_Shmem", 0);
  }
  append_size(out, "Shared_Clean", shared ? resident.file : 0);
  append_size(out, "Shared_Dirty", shared ? resident.anonymous : 0);
  append_size(out, "Private_Clean", shared ? 0 : resident.file);
  append_size(out, "Private_Dirty", shared ? 0 : resident.anonymous);
  append_size(out, "Referenced", resident.total());
  append_size(out, "Anonymous", resident.anonymous);
  for (const char* name : {"LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped",
                           "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss"}) {
    append_size(out, name, 0);
  }
  append_size(out, "Locked", locked);
}

void append_flags(TextBuilder& out, const Area& area) {
  out << "VmFlags: ";
  if (area.protection.has(ProtFlag::kPROT_READ)) out << "rd ";
  if (area.protection.has(ProtFlag::kPROT_WRITE)) out << "wr ";
  if (area.protection.has(ProtFlag::kPROT_EXEC)) out << "ex ";
  if (area.shared) out << "sh ";
  out << "mr mw me ";
  if (area.shared) out << "ms ";
  if (area.grows_down) out << "gd ";
  if (area.locked) out << "lo ";
  if (area.dont_fork) out << "dc ";
  if (area.wipe_on_fork) out << "wf ";
  out << '\n';
}

/// /proc/PID/mem: the process's memory at the file's position.
class OpenMemory final : public File {
 public:
  explicit OpenMemory(Subject subject) : File(Locking::kOwn), subject_(std::move(subject)) {
    KernelLock::Held held;
    if (Task* thread = subject_.thread()) memory_ = thread->memory;
  }
  bool seekable() const override { return true; }

  Result<usize> read(Task&, IoBuffer& buffer, u64* offset) override {
    // A program that was executed since is another one: as on Linux, there is nothing to read.
    if (!same_program()) return usize{0};
    std::string data(std::min(buffer.size(), kTransfer), '\0');
    if (buffer.empty()) return usize{0};
    usize done = read_memory(subject_, *offset, data.data(), data.size());
    if (done == 0) return Errno::kEIO;
    return buffer.put(data.data(), done);
  }
  Result<usize> write(Task&, IoBuffer& buffer, u64* offset) override {
    if (!same_program()) return usize{0};
    std::string data(std::min(buffer.size(), kTransfer), '\0');
    if (buffer.empty()) return usize{0};
    usize size = TRY(buffer.take(data.data(), data.size()));
    usize done = write_memory(subject_, *offset, data.data(), size);
    if (done == 0) return Errno::kEIO;
    return done;
  }
  Result<u64> seek(i64 offset, i32 whence) override {
    // Any address is a position, so there is no end.
    switch (whence) {
      case abi::kSEEK_SET:
        return static_cast<u64>(offset);
      case abi::kSEEK_CUR:
        return position + static_cast<u64>(offset);
      default:
        return Errno::kEINVAL;
    }
  }

 private:
  bool same_program() const {
    KernelLock::Held held;
    Task* thread = subject_.thread();
    return thread && memory_ && thread->memory == memory_;
  }
  const Subject subject_;
  RefPtr<AddressSpace> memory_;  ///< immutable
};

class MemoryInode final : public synthetic::Node {
 public:
  MemoryInode(FileSystem& filesystem, u64 number, Subject subject)
      : Node(filesystem, number, abi::kS_IFREG | 0600, subject.owner(abi::kS_IFREG | 0600)),
        subject_(std::move(subject)) {}
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags) override {
    TRY(may_inspect(task, *subject_.process));
    return RefPtr<File>(make_ref<OpenMemory>(subject_));
  }
  bool still_valid() override {
    show_owner(subject_.owner(mode()));
    return subject_.alive();
  }

 private:
  Subject subject_;
};

}  // namespace

Result<RefPtr<Inode>> make_mem(Directory& parent, Subject& subject, u64 number) {
  return RefPtr<Inode>(make_ref<MemoryInode>(parent.filesystem(), number, subject));
}

Result<> cmdline(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  std::string text = read_range(subject, image.arguments_begin, image.arguments_end);
  if (!text.empty() && text.back() != '\0') {
    // Linux: a program that wrote over the end of its arguments has set a title, one string
    // that may go on in the environment.
    usize end = text.find('\0');
    if (end == text.npos) {
      text += read_range(subject, image.arguments_end, image.environment_end);
      end = text.find('\0');
    }
    if (end != text.npos) text.resize(end);
  }
  out << text;
  return {};
}

Result<> environment(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  out << read_range(subject, image.environment_begin, image.environment_end);
  return {};
}

Result<> auxv(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  out << std::string_view(reinterpret_cast<const char*>(image.auxv.data()),
                          image.auxv.size() * sizeof(u64));
  return {};
}

Result<> maps(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  for (const Area& area : image.areas) append_header(out, area, area_name(area));
  return {};
}

Result<> smaps(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  bool own = is_own(image);
  for (const Area& area : image.areas) {
    append_header(out, area, area_name(area));
    Resident resident = resident_bytes(area, own);
    append_size(out, "Size", area.size());
    append_size(out, "KernelPageSize", kPageSize);
    append_size(out, "MMUPageSize", kPageSize);
    append_use(out, resident, area.locked ? area.size() : 0, area.shared, false);
    out << "THPeligible:           0\n";
    append_flags(out, area);
  }
  return {};
}

Result<> smaps_rollup(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  if (image.areas.empty()) return Errno::kESRCH;
  Area whole;
  whole.begin = image.areas.front().begin;
  whole.end = image.areas.back().end;
  append_header(out, whole, "[rollup]");
  u64 locked = 0;
  for (const Area& area : image.areas) locked += area.locked ? area.size() : 0;
  append_use(out, resident_bytes(image), locked, false, true);
  return {};
}

}  // namespace lxss::procfs
