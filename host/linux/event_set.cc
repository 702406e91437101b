// Event sets are the host's epoll on a Linux host.
#include "host/event_set.h"

#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::check;
using sys::check_void;

Result<UniqueFd> create_event_set() {
  constexpr u32 kCloseOnExec = static_cast<u32>(abi::EpollCreateFlag::kEPOLL_CLOEXEC);
  u64 fd = TRY(check(call(SYS_epoll_create1, kCloseOnExec)));
  return UniqueFd(Fd(static_cast<i32>(fd)));
}

Result<> add_to_event_set(Fd set, Fd member, abi::EpollEvent event) {
  return check_void(call(SYS_epoll_ctl, set.value, abi::kEPOLL_CTL_ADD, member.value, &event));
}

Result<> change_in_event_set(Fd set, Fd member, abi::EpollEvent event) {
  return check_void(call(SYS_epoll_ctl, set.value, abi::kEPOLL_CTL_MOD, member.value, &event));
}

Result<> remove_from_event_set(Fd set, Fd member) {
  return check_void(call(SYS_epoll_ctl, set.value, abi::kEPOLL_CTL_DEL, member.value, nullptr));
}

Result<usize> take_events(Fd set, std::span<abi::EpollEvent> events) {
  return check(call(SYS_epoll_pwait, set.value, events.data(), events.size(), 0, nullptr, 0));
}

}  // namespace lxss::host
