// The rewritten texts of the instance: what each one's sites are, by the id that the entry of
// direct calls gets, and by a place in the code.
//
// A text has a number while it exists. Its record lies in the arena, is made when its number is
// first used and never goes: who comes with an old id, or has an old mapping, reads a record of
// other sites, never of none.
#pragma once

#include "pico/direct/call_site.h"
#include "pico/direct/direct.h"

namespace lxss::pico::direct {

struct RewrittenText {
  static constexpr u32 kMaxSites = 1024;
  static constexpr u32 kMaxGates = kMaxSites / kGroupSize;

  /// A piece of rewritten code, a gate's if `site` is none.
  struct Piece {
    u32 begin;
    u16 size;
    u16 site;
  };
  static constexpr u16 kNoSite = kMaxSites;
  static constexpr u32 kMaxPieces = 4 * kMaxSites + kMaxGates;

  u32 size = 0;  ///< of the code
  u32 site_count = 0, piece_count = 0;
  u32 gates[kMaxGates] = {};
  CallSite sites[kMaxSites];
  Piece pieces[kMaxPieces];  ///< ascending
};

/// In the low 24 bits of an id: the site's number in its text. The text's number is above.
constexpr u32 first_id_of(u32 text) { return text * RewrittenText::kMaxSites; }

/// A site where it lies in the current address space.
struct PlacedSite {
  const CallSite* site = nullptr;  ///< null: there is none
  u64 base = 0;                    ///< of the code

  explicit operator bool() const { return site != nullptr; }
  u64 call() const { return base + site->call(); }
  u64 behind() const { return base + site->behind(); }
  u64 rest() const { return base + site->rest; }
};
PlacedSite site_of_id(u32 id);

/// What is at `address` in the current address space. `number` tells the site in a gate.
struct FoundPlace {
  Place place;  ///< kElsewhere: no place of rewritten code
  PlacedSite site;
};
FoundPlace place_at(u64 address, u8 number);

}  // namespace lxss::pico::direct
