// pico/direct/code_map.h and call_site.h: which system calls of code are rewritten, and how.
#include "pico/direct/call_site.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/decoder/executable_code.h"

namespace lxss::pico::direct {
namespace {

constexpr u64 kEntry = 0x7f06'0000;
constexpr u32 kId = 5 * 1024;

/// A function of these bytes amid nops that are executed, behind one that ends there and `room`
/// bytes of padding.
struct Code {
  static constexpr usize kBefore = 256;

  Code(std::initializer_list<int> function, usize room, usize distance = 64)
      : bytes(kBefore, 0x50) {
    bytes.push_back(0xc3);
    hole = bytes.size();
    bytes.insert(bytes.end(), room, 0xcc);
    bytes.insert(bytes.end(), distance, 0x51);
    begin = bytes.size();
    for (int byte : function) bytes.push_back(static_cast<u8>(byte));
    bytes.insert(bytes.end(), distance + kBefore, 0x52);
    // A gate's room, out of a short jump's reach.
    bytes.push_back(0xc3);
    far = bytes.size();
    bytes.insert(bytes.end(), 96, 0xcc);
    bytes.insert(bytes.end(), kBefore, 0x53);
    before = bytes;
  }

  CallSites rewrite() {
    std::vector<u64> memory(CodeMap::words_for(bytes.size()));
    CodeMap map(before, memory);
    const CallSites found = find_sites(map, 1000);
    write_sites(bytes, found, kId, kEntry);
    return found;
  }

  std::vector<u8> bytes, before;
  usize hole = 0, begin = 0, far = 0;
};

/// Pieces lie in the code, and none on another.
void expect_disjoint(const CallSites& found, usize code_size) {
  std::vector<std::pair<u32, u32>> pieces;
  for (u32 gate : found.gates) pieces.emplace_back(gate, gate + kGateSize);
  for (const CallSite& site : found.sites) {
    pieces.emplace_back(site.begin, site.end());
    pieces.emplace_back(site.stub, site.stub + CallSite::kStubSize);
    if (site.has_front()) pieces.emplace_back(site.front, site.front + site.front_size());
    if (site.has_rest()) pieces.emplace_back(site.rest, site.rest + site.rest_size());
  }
  std::sort(pieces.begin(), pieces.end());
  u32 end = 0;
  for (const auto& [begin, piece_end] : pieces) {
    ASSERT_GE(begin, end);
    end = piece_end;
  }
  ASSERT_LE(end, code_size);
}

/// Where a jump at `at` leads.
usize jump_from(const std::vector<u8>& code, usize at) {
  const Instruction jump = decode(std::span(code).subspan(at));
  EXPECT_EQ(jump.kind, Instruction::kJump);
  return at + jump.size + static_cast<usize>(i64{jump.distance});
}

TEST(CallSite, TwoBytesAreEnough) {
  Code code({0x0f, 0x05, 0xc3}, 20);
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  ASSERT_EQ(found.gates.size(), 1u);
  const CallSite& site = found.sites[0];
  EXPECT_EQ(site.begin, code.begin);
  EXPECT_EQ(site.size(), 2u);
  EXPECT_FALSE(site.has_front());
  EXPECT_EQ(jump_from(code.bytes, site.begin), site.stub);
  EXPECT_EQ(code.bytes[site.stub], 0xb1) << "mov $number, %cl";
  EXPECT_EQ(jump_from(code.bytes, site.stub + 2), found.gates[0]);
  const std::span gate(code.bytes.data() + found.gates[0], kGateSize);
  EXPECT_TRUE(is_gate(gate.first<kGateSize>(), kId, kEntry));
  EXPECT_FALSE(is_gate(gate.first<kGateSize>(), kId + 1, kEntry));
  EXPECT_EQ(code.bytes[site.end()], 0xc3) << "behind it nothing changes";
}

TEST(CallSite, ByAJumpNearby) {
  Code code({0x0f, 0x05, 0xc3}, 5);
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  const CallSite& site = found.sites[0];
  EXPECT_EQ(site.front, code.hole);
  EXPECT_EQ(site.before, 0);
  EXPECT_EQ(jump_from(code.bytes, site.begin), site.front);
  EXPECT_EQ(jump_from(code.bytes, site.front), site.stub);
}

TEST(CallSite, WithInstructionsBefore) {
  // mov $202, %eax; xor $0x81, %sil; syscall; a conditional jump.
  Code code({0xb8, 0xca, 0, 0, 0, 0x40, 0x80, 0xf6, 0x81, 0x0f, 0x05, 0x77, 0x00}, 0);
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  const CallSite& site = found.sites[0];
  EXPECT_EQ(site.begin, code.begin);
  EXPECT_EQ(site.before, 9);
  EXPECT_EQ(site.after, 0);
  EXPECT_EQ(jump_from(code.bytes, site.begin), site.front);
  EXPECT_TRUE(
      std::equal(&code.before[site.begin], &code.before[site.call()], &code.bytes[site.front]));
  EXPECT_EQ(jump_from(code.bytes, site.front + site.before), site.stub);
  for (usize i = 5; i < 11; ++i) EXPECT_EQ(code.bytes[site.begin + i], 0x06);

  EXPECT_EQ(place_in(site, site.begin).kind, Place::kElsewhere);
  EXPECT_EQ(place_in(site, site.begin + 5).kind, Place::kSite);
  EXPECT_EQ(place_in(site, site.begin + 5).position, site.front + 5);
  EXPECT_EQ(place_in(site, site.call()).position, site.stub);
  EXPECT_EQ(place_in(site, site.end()).kind, Place::kElsewhere);
  EXPECT_EQ(place_in(site, site.front).kind, Place::kToCall);
  EXPECT_EQ(place_in(site, site.front).position, site.begin);
  EXPECT_EQ(place_in(site, site.front + 5).kind, Place::kCopy);
  EXPECT_EQ(place_in(site, site.front + 5).position, site.begin + 5);
  EXPECT_EQ(place_in(site, site.front + 9).position, site.call());
  EXPECT_EQ(place_in(site, site.stub).kind, Place::kToCall);
  EXPECT_EQ(place_in(site, site.stub + 2).position, site.call());
}

TEST(CallSite, WithTheInstructionBehind) {
  // xor %eax, %eax; syscall; cmp $-4096, %rax; ja.
  Code code({0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0x77, 0x00}, 0, 1200);
  // Room at many distances.
  std::vector<u8> tail(6000, 0xcc);
  code.bytes.insert(code.bytes.end(), tail.begin(), tail.end());
  code.bytes[code.bytes.size() - 6001] = 0xc3;
  code.before = code.bytes;
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  const CallSite& site = found.sites[0];
  EXPECT_EQ(site.begin, code.begin + 2);
  EXPECT_EQ(site.after, 6);
  EXPECT_EQ(jump_from(code.bytes, site.begin), site.stub);
  EXPECT_EQ(decode(std::span(code.bytes).subspan(site.behind())).kind, Instruction::kNone);
  const usize copies = site.rest + CallSite::kRestCopies;
  EXPECT_TRUE(
      std::equal(&code.before[site.behind()], &code.before[site.end()], &code.bytes[copies]));
  EXPECT_EQ(jump_from(code.bytes, copies + site.after), site.end());
  // lea behind(%rip), %rcx
  const Instruction lea = decode(std::span(code.bytes).subspan(site.rest));
  EXPECT_EQ(lea.size, CallSite::kRestCopies);
  EXPECT_EQ(lea.relative_operand, 3);
  EXPECT_EQ(place_in(site, site.behind()).kind, Place::kSite);
  EXPECT_EQ(place_in(site, site.behind()).position, copies);
  EXPECT_EQ(place_in(site, u32(copies)).position, site.behind());
  EXPECT_EQ(place_in(site, u32(copies) + 6).position, site.end());
}

TEST(CallSite, OperandsNamedByDistance) {
  // lea 0x100(%rip), %rdi; syscall
  Code code({0x48, 0x8d, 0x3d, 0, 1, 0, 0, 0x0f, 0x05, 0x77, 0x00}, 0);
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  const CallSite& site = found.sites[0];
  const auto distance_at = [&](const std::vector<u8>& bytes, usize at) {
    return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
  };
  EXPECT_EQ(i64{site.front} + distance_at(code.bytes, site.front + 3),
            i64{site.begin} + distance_at(code.before, site.begin + 3));
}

TEST(CallSite, WhatIsJumpedTo) {
  // A jump to between the instructions before: the site would need them both.
  Code between({0xeb, 0x05, 0xb8, 1, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, 0x77, 0x00}, 0);
  EXPECT_EQ(between.rewrite().sites.size(), 0u);
  // To `syscall`: it goes by SIGILL. To the site's begin: as ever.
  Code to_call({0xeb, 0x07, 0xb8, 1, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, 0x77, 0x00}, 0);
  EXPECT_EQ(to_call.rewrite().sites.size(), 1u);
  // What looks like a jump there is the displacement of mov 0x5eb(%rax), %eax.
  Code looks({0x8b, 0x80, 0xeb, 0x05, 0, 0, 0xb8, 1, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, 0x77, 0}, 0);
  EXPECT_EQ(looks.rewrite().sites.size(), 1u);
  // Padding that is jumped to is none.
  Code padding({0x0f, 0x05, 0xe9, 0, 0, 0, 0}, 20);
  const u32 distance = static_cast<u32>(padding.hole - (padding.begin + 7));
  for (usize i = 0; i < 4; ++i) padding.bytes[padding.begin + 3 + i] = u8(distance >> 8 * i);
  padding.before = padding.bytes;
  const CallSites found = padding.rewrite();
  for (const CallSite& site : found.sites) EXPECT_GE(site.stub, padding.far);
}

/// A call that only jumps lead to, behind padding that another call has use for.
TEST(CallSite, PaddingBeforeACall) {
  Code code({0x0f, 0x05, 0x77, 0x00, 0xeb, 0x08, 0x66, 0x0f, 0x1f, 0x44, 0, 0, 0x0f, 0x05, 0xc3},
            0);
  const CallSites found = code.rewrite();
  ASSERT_EQ(found.sites.size(), 1u);
  EXPECT_EQ(found.sites[0].front, code.begin + 6);
  expect_disjoint(found, code.bytes.size());
}

TEST(CallSite, WhatOnlyLooksLikeOne) {
  // In an immediate operand; in what can hardly be code.
  EXPECT_EQ(Code({0xb8, 0x0f, 0x05, 0, 0, 0xc3}, 40).rewrite().sites.size(), 0u);
  EXPECT_EQ(Code({0x0f, 0x05, 0x09, 0xe6, 0x92, 0xc6, 0xa8, 0x8f}, 40).rewrite().sites.size(), 0u);
  EXPECT_EQ(Code({0x06, 0x0f, 0x05, 0xc3}, 40).rewrite().sites.size(), 0u);
}

TEST(CallSite, AnyBytes) {
  u64 state = 1;
  for (int round = 0; round < 300; ++round) {
    std::vector<u8> code(static_cast<usize>(round) * 7);
    for (u8& byte : code) {
      state = state * 6364136223846793005 + 1442695040888963407;
      byte = static_cast<u8>(state >> 56);
      if (byte % 8 == 0) byte = 0xcc;
      if (byte % 8 == 1) byte = 0x0f;
      if (byte % 8 == 2) byte = 0x05;
    }
    std::vector<u64> memory(CodeMap::words_for(code.size()));
    CodeMap map(code, memory);
    const CallSites found = find_sites(map, 10);
    EXPECT_LE(found.sites.size(), 10u);
    expect_disjoint(found, code.size());
    write_sites(code, found, kId, kEntry);
  }
}

/// The C library that this program runs with has hundreds.
TEST(CallSite, InALibrary) {
  std::ifstream maps("/proc/self/maps");
  std::string line, path;
  while (std::getline(maps, line)) {
    if (line.find("/libc.so") != std::string::npos) path = line.substr(line.find('/'));
  }
  if (path.empty()) GTEST_SKIP() << "linked statically";
  const tests::ExecutableCode file(path);
  usize calls = 0, sites = 0, short_ones = 0;
  for (const std::span<const u8> segment : file.segments()) {
    std::vector<u8> code(segment.begin(), segment.end());
    std::vector<u64> memory(CodeMap::words_for(code.size()));
    CodeMap map(segment, memory);
    for (usize at = map.find_call(0); at < code.size(); at = map.find_call(at + 1)) ++calls;
    const CallSites found = find_sites(map, 1000);
    write_sites(code, found, kId, kEntry);
    sites += found.sites.size();
    expect_disjoint(found, code.size());
    u32 end = 0;
    for (const CallSite& site : found.sites) {
      EXPECT_GE(site.begin, end);
      end = site.end();
      short_ones += site.size() == kSyscallSize;
    }
  }
  std::printf("%zu system calls, %zu rewritten, %zu in their two bytes\n", calls, sites,
              short_ones);
  EXPECT_GE(sites * 100, calls * 98);
}

}  // namespace
}  // namespace lxss::pico::direct
