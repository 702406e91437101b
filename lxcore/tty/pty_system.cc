#include "lxcore/tty/pty_system.h"

#include "base/text.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

PtySystem& PtySystem::get() {
  auto& system = kernel().pty_system;
  if (!system) system = make_ref<PtySystem>();
  return static_cast<PtySystem&>(*system);
}

bool PtySystem::has_room() const {
  Lock::Held held(lock_);
  return terminals_.size() < kMaxTerminals;
}

u32 PtySystem::add(Tty& tty) {
  Lock::Held held(lock_);
  u32 number = 0;
  for (const auto& [used, other] : terminals_) {
    if (used != number) break;
    ++number;
  }
  terminals_[number] = RefPtr<Tty>(tty);
  return number;
}

void PtySystem::remove(Tty& tty) {
  RefPtr<Tty> removed;  // let go without the lock
  Lock::Held held(lock_);
  auto at = terminals_.find(tty.number());
  if (at == terminals_.end() || at->second != &tty) return;
  removed = std::move(at->second);
  terminals_.erase(at);
}

RefPtr<Tty> PtySystem::find(u32 number) const {
  Lock::Held held(lock_);
  auto at = terminals_.find(number);
  return at == terminals_.end() ? nullptr : at->second;
}

RefPtr<Tty> PtySystem::next(u32 number) const {
  Lock::Held held(lock_);
  auto at = terminals_.lower_bound(number);
  return at == terminals_.end() ? nullptr : at->second;
}

void PtySystem::offer_console(Tty& tty) {
  Lock::Held held(lock_);
  if (!console_) console_ = RefPtr<Tty>(tty);
}

void PtySystem::withdraw_console(Tty& tty) {
  RefPtr<Tty> removed;  // let go without the lock
  Lock::Held held(lock_);
  if (console_ == &tty) removed = std::move(console_);
}

RefPtr<Tty> PtySystem::console() const {
  Lock::Held held(lock_);
  return console_;
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
