// A set of host descriptors whose readiness the host keeps watch over: what epoll needs for
// files that only the host knows. The set's own descriptor is ready while a member is.
#pragma once

#include <span>

#include "abi/linux/epoll.h"
#include "base/result.h"
#include "host/fd.h"

namespace lxss::host {

Result<UniqueFd> create_event_set();
/// Events are Linux's, with EPOLLET and EPOLLONESHOT; `event.data` comes back with them. EEXIST,
/// ENOENT. A descriptor that is closed leaves by itself.
Result<> add_to_event_set(Fd set, Fd member, abi::EpollEvent event);
Result<> change_in_event_set(Fd set, Fd member, abi::EpollEvent event);
Result<> remove_from_event_set(Fd set, Fd member);
/// The events there are now, without waiting: their number.
Result<usize> take_events(Fd set, std::span<abi::EpollEvent> events);

}  // namespace lxss::host
