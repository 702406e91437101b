#include "lxcore/tty/pty_system.h"

#include "base/text.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

PtySystem& PtySystem::get() {
  auto& system = kernel().pty_system;
  if (!system) system = make_ref<PtySystem>();
  return static_cast<PtySystem&>(*system);
}

u32 PtySystem::add(Tty& tty) {
  u32 number = 0;
  for (const auto& [used, other] : terminals_) {
    if (used != number) break;
    ++number;
  }
  terminals_[number] = &tty;
  return number;
}

void PtySystem::remove(Tty& tty) {
  auto at = terminals_.find(tty.number());
  if (at != terminals_.end() && at->second == &tty) terminals_.erase(at);
}

Tty* PtySystem::find(u32 number) const {
  auto at = terminals_.find(number);
  return at == terminals_.end() ? nullptr : at->second;
}

Tty* PtySystem::next(u32 number) const {
  auto at = terminals_.lower_bound(number);
  return at == terminals_.end() ? nullptr : at->second;
}

Result<Path> tty::node_path(u32 number) {
  TextBuilder name;
  name << number;
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    if (std::string_view(mount->filesystem().type()) != "devpts") continue;
    auto dentry =
        TRY(kernel().dentries.lookup_unlocked(Task::current(), mount->root(), name.view()));
    if (!dentry->is_negative()) return Path{mount, std::move(dentry)};
  }
  return Errno::kENOENT;
}

}  // namespace lxss
