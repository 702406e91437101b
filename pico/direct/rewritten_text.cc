#include "pico/direct/rewritten_text.h"

#include <algorithm>

#include "pico/direct/direct_call.h"

namespace lxss::pico {

namespace direct {
namespace {

RewrittenText* record_of(u32 text) {
  return boot_info().texts[text].load(std::memory_order_acquire);
}

/// Where the text's first byte lies in the current address space; 0 if it is not mapped.
u64 base_of(u32 text) { return current().space->text_base[text].load(std::memory_order_relaxed); }

void describe(RewrittenText& text, usize size, const CallSites& found) {
  text.size = static_cast<u32>(size);
  text.site_count = static_cast<u32>(found.sites.size());
  std::copy(found.sites.begin(), found.sites.end(), text.sites);
  std::copy(found.gates.begin(), found.gates.end(), text.gates);
  RewrittenText::Piece* next = text.pieces;
  auto add = [&](u32 begin, u32 piece_size, u32 site) {
    *next++ = {begin, static_cast<u16>(piece_size), static_cast<u16>(site)};
  };
  for (u32 gate : found.gates) add(gate, kGateSize, RewrittenText::kNoSite);
  for (u32 i = 0; i < text.site_count; ++i) {
    const CallSite& site = text.sites[i];
    add(site.begin, site.size(), i);
    add(site.stub, CallSite::kStubSize, i);
    if (site.has_front()) add(site.front, site.front_size(), i);
    if (site.has_rest()) add(site.rest, site.rest_size(), i);
  }
  std::sort(text.pieces, next,
            [](const auto& one, const auto& other) { return one.begin < other.begin; });
  text.piece_count = static_cast<u32>(next - text.pieces);
}

/// True if the text is what is mapped at `base`: where it was, something else may be now.
bool is_mapped(u32 number, const RewrittenText& text, u32 site, u64 base) {
  const u32 group = site / kGroupSize;
  u8 code[kGateSize];
  const u64 gate = base + text.gates[group];
  return is_user_range(gate, sizeof code) &&
         copy_user(code, reinterpret_cast<const void*>(gate), sizeof code) == 0 &&
         is_gate(code, first_id_of(number) + group * kGroupSize, kEntryOfDirectCalls);
}

FoundPlace place_in_text(u32 number, const RewrittenText& text, u64 base, u32 position,
                         u8 site_number) {
  const auto end = text.pieces + std::min(text.piece_count, RewrittenText::kMaxPieces);
  const auto behind = std::upper_bound(text.pieces, end, position,
                                       [](u32 at, const auto& piece) { return at < piece.begin; });
  if (behind == text.pieces || position - behind[-1].begin >= behind[-1].size) return {};
  u32 site = behind[-1].site;
  if (site == RewrittenText::kNoSite) {
    const auto gate = std::find(text.gates, std::end(text.gates), behind[-1].begin);
    site = static_cast<u32>(gate - text.gates) * kGroupSize + site_number;
  }
  if (site >= text.site_count || !is_mapped(number, text, site, base)) return {};
  const PlacedSite placed{&text.sites[site], base};
  if (behind[-1].site == RewrittenText::kNoSite) {
    return {{Place::kToCall, placed.site->call()}, placed};
  }
  return {place_in(*placed.site, position), placed};
}

}  // namespace

PlacedSite site_of_id(u32 id) {
  const u32 number = id / RewrittenText::kMaxSites, site = id % RewrittenText::kMaxSites;
  if (number >= kMaxTexts) return {};
  const RewrittenText* text = record_of(number);
  const u64 base = base_of(number);
  if (text == nullptr || base == 0 || site >= text->site_count) return {};
  return {&text->sites[site], base};
}

FoundPlace place_at(u64 address, u8 site_number) {
  for (u32 number = 1; number < kMaxTexts; ++number) {
    const RewrittenText* text = record_of(number);
    if (text == nullptr) break;  // numbers are taken from the first on
    const u64 base = base_of(number);
    if (base == 0 || address - base >= text->size) continue;
    const FoundPlace found =
        place_in_text(number, *text, base, static_cast<u32>(address - base), site_number);
    if (found.place.kind != Place::kElsewhere) return found;
  }
  return {};
}

}  // namespace direct

using namespace direct;

bool can_rewrite_calls() { return boot_info().has_direct_calls; }

Result<u32> take_text_number() {
  if (!can_rewrite_calls()) return Errno::kENOSPC;
  for (u32 number = 1; number < kMaxTexts; ++number) {
    bool is_free = false;
    auto& in_use = boot_info().text_in_use[number];
    if (!in_use.compare_exchange_strong(is_free, true)) continue;
    auto& record = boot_info().texts[number];
    if (record.load(std::memory_order_relaxed) == nullptr) {
      record.store(new RewrittenText, std::memory_order_release);
    }
    return number;
  }
  return Errno::kENOSPC;
}

void forget_text(u32 number) {
  record_of(number)->site_count = record_of(number)->piece_count = 0;
  boot_info().text_in_use[number].store(false, std::memory_order_release);
}

usize rewriting_memory(usize size) { return CodeMap::words_for(size) * sizeof(u64); }

u32 rewrite_calls(u32 number, std::span<std::byte> bytes, std::span<u64> memory) {
  const std::span code(reinterpret_cast<u8*>(bytes.data()), bytes.size());
  CodeMap map(code, memory);
  const CallSites found = find_sites(map, RewrittenText::kMaxSites);
  describe(*record_of(number), code.size(), found);
  write_sites(code, found, first_id_of(number), kEntryOfDirectCalls);
  return static_cast<u32>(found.sites.size());
}

CallCounts call_counts() {
  return {boot_info().direct_calls.load(std::memory_order_relaxed),
          boot_info().trapped_calls.load(std::memory_order_relaxed)};
}

void place_text(Space& space, u32 number, u64 base) {
  space.text_base[number].store(base, std::memory_order_relaxed);
}

}  // namespace lxss::pico
