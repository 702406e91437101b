// The path of a file as text (getcwd, /proc/PID/fd, /proc/PID/maps).
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

namespace {

/// Text that grows at its front, in memory that was taken before: a Reading allocates nothing.
class Backwards {
 public:
  explicit Backwards(usize size) : memory_(size, '\0'), begin_(size) {}
  /// False if there is no room.
  bool prepend(std::string_view text) {
    if (text.size() > begin_) return false;
    begin_ -= text.size();
    text.copy(memory_.data() + begin_, text.size());
    return true;
  }
  bool empty() const { return begin_ == memory_.size(); }
  void clear() { begin_ = memory_.size(); }
  std::string text() const { return memory_.substr(begin_); }

 private:
  std::string memory_;
  usize begin_;
};

enum class Outcome : u8 { kReached, kUnreachable, kNoRoom };

/// From `at` up to `root`, which is empty for the root of the file system.
Outcome climb(Place at, Place root, Backwards& text) {
  for (;;) {
    if (root && at == root) return Outcome::kReached;
    if (root && at.mount && at.dentry == &at.mount->root()) {
      const Place mountpoint = at.mount->mountpoint_place();
      // The root of the whole tree seen from a chroot, or of a detached mount.
      if (!mountpoint) return Outcome::kUnreachable;
      at = mountpoint;
      continue;
    }
    Dentry* parent = at.dentry->parent();
    if (!parent) {
      if (!root) return Outcome::kReached;
      text.clear();  // anonymous
      return text.prepend(at.dentry->name()) ? Outcome::kReached : Outcome::kNoRoom;
    }
    if (!text.prepend(at.dentry->name()) || !text.prepend("/")) return Outcome::kNoRoom;
    at.dentry = parent;
  }
}

/// `climb` as of one moment, and with as much room as it takes.
template <typename Climb>
std::pair<std::string, Outcome> steadily(Climb climb_with) {
  constexpr int kTries = 16;
  DentryCache& cache = kernel().dentries;
  usize size = 256;
  for (int tries = 0;;) {
    Backwards text(size);
    Outcome outcome;
    bool together;
    if (tries < kTries) {
      Epoch::Reading reading;
      const u32 renames = cache.renames();
      outcome = climb_with(text);
      together = renames % 2 == 0 && cache.renames() == renames;
    } else {
      // Somebody renames all the time.
      Lock::Held held(cache.lock());
      outcome = climb_with(text);
      together = true;
    }
    if (outcome == Outcome::kNoRoom) {
      size *= 4;
    } else if (together) {
      return {text.text(), outcome};
    } else {
      ++tries;
    }
  }
}

}  // namespace

std::string path_text(Task& task, const Path& path) {
  const Place at{path.mount.get(), path.dentry.get()};
  const Path root = task.fs->root.get();
  const Place top{root.mount.get(), root.dentry.get()};
  auto [text, outcome] = steadily([&](Backwards& into) { return climb(at, top, into); });
  if (text.empty()) text = "/";
  if (outcome == Outcome::kUnreachable) text.insert(0, "(unreachable)");
  if (path.dentry->unlinked()) text += " (deleted)";
  return text;
}

std::string path_in_filesystem(Dentry& dentry) {
  auto [text, outcome] = steadily([&](Backwards& into) {
    return climb({nullptr, &dentry}, {}, into);
  });
  return text.empty() ? "/" : text;
}

bool is_below(const Dentry& dentry, const Dentry& above) {
  Epoch::Reading reading;
  for (const Dentry* at = &dentry; at; at = at->parent()) {
    if (at == &above) return true;
  }
  return false;
}

}  // namespace lxss::vfs
