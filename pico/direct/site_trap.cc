// Signals that come of rewritten code, or of the way from there to lxcore: the frame becomes what
// it would be without rewriting.
#include "pico/direct/direct_call.h"
#include "pico/direct/rewritten_text.h"

namespace lxss::pico::direct {

namespace {

SiteEvent trap_of_call(ucontext_t& frame, u32 id) {
  const PlacedSite site = site_of_id(id);
  if (!site) return SiteEvent::kNone;
  enter_call(frame, site.behind());
  return SiteEvent::kSystemCall;
}

}  // namespace

SiteEvent restore_call_site(int signal, ucontext_t& frame) {
  if (signal == SIGSYS || !boot_info().has_direct_calls) return SiteEvent::kNone;
  greg_t* regs = frame.uc_mcontext.gregs;
  const u64 at = static_cast<u64>(regs[REG_RIP]);
  const u32 r11 = static_cast<u32>(regs[REG_R11]);
  const u8 cl = static_cast<u8>(regs[REG_RCX]);
  if (signal == SIGILL && at == kTrapInTable) return trap_of_call(frame, r11);
  // A single step from a gate.
  const bool is_at_entry = at == reinterpret_cast<u64>(lxss_direct_entry);
  if (signal == SIGTRAP && is_at_entry) return trap_of_call(frame, r11 + cl);
  if (in_kernel_text(at)) return SiteEvent::kNone;

  const auto found = place_at(at, cl);
  const auto& place = found.place;
  const auto& site = found.site;
  const auto go_to = [&](u32 position) {
    regs[REG_RIP] = static_cast<greg_t>(site.base + position);
  };
  switch (place.kind) {
    case Place::kElsewhere:
      break;
    case Place::kSite:
      if (signal != SIGILL) break;
      if (at == site.call()) {
        enter_call(frame, site.behind());
        return SiteEvent::kSystemCall;
      }
      go_to(place.position);
      return SiteEvent::kResumed;
    case Place::kToCall:
      // A step on the way is none of the program's.
      if (signal == SIGTRAP) return SiteEvent::kResumed;
      go_to(place.position);
      break;
    case Place::kCopy:
      go_to(place.position);
      return signal == SIGTRAP ? SiteEvent::kSingleStep : SiteEvent::kNone;
  }
  return SiteEvent::kNone;
}

}  // namespace lxss::pico::direct
