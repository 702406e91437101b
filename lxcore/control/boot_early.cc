// What the backend asks of lxcore before there is a kernel: no heap, no task, no lock.
#include <span>
#include <string_view>

#include "host/channel.h"
#include "lxcore/control/protocol.h"
#include "lxcore/mm/heap.h"
#include "pico/pico.h"

namespace lxss::upcall {

host::Fd log_file() { return host::Fd{control::kLogFd}; }

void cannot_boot(const char* sentence) {
  control::BootFailed message;
  std::string_view(sentence).copy(message.text, sizeof message.text - 1);
  // Who started the instance sees it end in any case.
  (void)host::send_packet(host::Fd{control::kControlFd}, std::as_bytes(std::span(&message, 1)));
}

void arena_made(u64 begin, u64 size) { heap::initialise(begin, size); }

}  // namespace lxss::upcall
