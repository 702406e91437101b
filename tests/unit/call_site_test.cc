// pico/direct/call_site.h: which system calls of text are rewritten, and how.
#include "pico/direct/call_site.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace lxss::pico::direct {
namespace {

/// `bytes` between nops; the first byte is at 16.
std::vector<u8> code_with(std::initializer_list<int> bytes) {
  std::vector<u8> code(16, 0x90);
  for (int byte : bytes) code.push_back(static_cast<u8>(byte));
  code.resize(code.size() + 16, 0x90);
  return code;
}

usize syscall_in(const std::vector<u8>& code) {
  for (usize at = 0; at + 1 < code.size(); ++at) {
    if (code[at] == 0x0f && code[at + 1] == 0x05) return at;
  }
  return code.size();
}

std::optional<CallSite> site_in(std::initializer_list<int> bytes) {
  const std::vector<u8> code = code_with(bytes);
  return find_site(code, syscall_in(code));
}

TEST(CallSite, NumberInEax) {
  const auto site = site_in({0xb8, 0x01, 0x01, 0, 0, 0x0f, 0x05});
  ASSERT_TRUE(site);
  EXPECT_EQ(site->displaced, Displaced::kMovEax);
  EXPECT_EQ(site->offset, 16u);
  EXPECT_EQ(site->operand, 257);
  EXPECT_EQ(site->size(), 7u);
}

TEST(CallSite, OtherKinds) {
  EXPECT_EQ(site_in({0xbf, 0x9c, 0xff, 0xff, 0xff, 0x0f, 0x05})->displaced, Displaced::kMovEdi);
  EXPECT_EQ(site_in({0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05})->displaced, Displaced::kMovR9);
  const auto read = site_in({0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->displaced, Displaced::kXorEax);
  EXPECT_EQ(read->offset, 16u);
  EXPECT_EQ(read->operand, 0xf001);
  EXPECT_EQ(read->call_size(), 4u);
  EXPECT_EQ(read->size(), 10u);
}

TEST(CallSite, WhatOnlyLooksLikeOne) {
  // mov $1, %r8d; an operand size prefix; a number that is none.
  EXPECT_FALSE(site_in({0x41, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}));
  EXPECT_FALSE(site_in({0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}));
  EXPECT_FALSE(site_in({0xb8, 0, 4, 0, 0, 0x0f, 0x05}));
  // movl $1, -0x48(%rsp); movl $1, -0x48(%rbp); cmpl $1, -0x48(%rsi).
  EXPECT_FALSE(site_in({0xc7, 0x44, 0x24, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}));
  EXPECT_FALSE(site_in({0xc7, 0x45, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}));
  EXPECT_FALSE(site_in({0x81, 0x7e, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}));
  // Another register, another comparison, none.
  EXPECT_FALSE(site_in({0xbf, 1, 0, 0, 0, 0x0f, 0x05}));
  EXPECT_FALSE(site_in({0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0x7f}));
  EXPECT_FALSE(site_in({0x31, 0xc0, 0x0f, 0x05, 0xc3}));
  EXPECT_FALSE(site_in({0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}));
}

TEST(CallSite, AtTheEdges) {
  for (usize size : {0, 1, 2, 7, 17}) {
    const std::vector<u8> code(size, 0x0f);
    for (usize at = 0; at < size; ++at) EXPECT_FALSE(find_site(code, at));
  }
  std::vector<u8> code = code_with({0xb8, 39, 0, 0, 0, 0x0f, 0x05});
  const usize at = syscall_in(code);
  code.resize(at + kSyscallSize + kBehind);
  EXPECT_TRUE(find_site(code, at));
  code.pop_back();
  EXPECT_FALSE(find_site(code, at));
}

TEST(CallSite, JumpsIntoIt) {
  auto jumped_into = [](std::initializer_list<int> before) {
    std::vector<u8> code = code_with({0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff});
    std::copy(before.begin(), before.end(), code.begin());
    return is_jumped_into(code, *find_site(code, 18));
  };
  EXPECT_FALSE(jumped_into({0x90}));
  EXPECT_TRUE(jumped_into({0xeb, 16}));                 // jmp to 18
  EXPECT_TRUE(jumped_into({0x74, 18}));                 // je to 20
  EXPECT_FALSE(jumped_into({0xeb, 14}));                // to its begin
  EXPECT_TRUE(jumped_into({0xe9, 13, 0, 0, 0}));        // jmp to 18
  EXPECT_TRUE(jumped_into({0x0f, 0x84, 14, 0, 0, 0}));  // je to 20
  EXPECT_TRUE(jumped_into({0x90, 0xe8, 14, 0, 0, 0}));  // call of 20
  EXPECT_FALSE(jumped_into({0x0f, 0x84, 0xff, 0xff, 0xff, 0x7f}));
}

TEST(CallSite, JumpAndBack) {
  for (u32 slot : {0u, 1u, 191u, 224u, kCallSites - 1}) {
    u8 bytes[10] = {};
    write_jump(bytes, Displaced::kMovEax, slot);
    EXPECT_EQ(slot_of_jump(bytes), slot);
    EXPECT_EQ(bytes[5], 0x06) << "where syscall was must be no instruction";
    EXPECT_EQ(bytes[7], 0) << "a site of seven bytes";
  }
  for (u32 slot = kXorSlotsBegin; slot < kXorSlotsEnd; ++slot) {
    u8 bytes[10] = {};
    write_jump(bytes, Displaced::kXorEax, slot);
    EXPECT_EQ(slot_of_jump(bytes), slot);
    // Behind syscall; and what the bytes from syscall on lead to.
    EXPECT_EQ(bytes[4], 0x06);
    EXPECT_EQ(bytes[2], 0x25) << "and $imm32, %eax";
    EXPECT_EQ(bytes[7], 0x06);
  }
  const u8 other[7] = {0xff, 0x24, 0x25, 0x00, 0x00, 0x07, 0x7f};
  EXPECT_EQ(slot_of_jump(other), kNoSlot);
  const u8 odd[7] = {0xff, 0x24, 0x25, 0x01, 0x00, 0x06, 0x7f};
  EXPECT_EQ(slot_of_jump(odd), kNoSlot);
}

/// The C library that this program runs with has hundreds, and what its `syscall` does.
TEST(CallSite, InALibrary) {
  std::ifstream maps("/proc/self/maps");
  std::string line, path;
  while (std::getline(maps, line)) {
    if (line.find("/libc.so") != std::string::npos) path = line.substr(line.find('/'));
  }
  if (path.empty()) GTEST_SKIP() << "linked statically";
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  Elf64_Ehdr header;
  ASSERT_GE(bytes.size(), sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  usize calls = 0, sites[4] = {};
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + sizeof segment * usize(i),
                sizeof segment);
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
    const std::span code(reinterpret_cast<const u8*>(bytes.data()) + segment.p_offset,
                         segment.p_filesz);
    for (usize at = 0; at + 1 < code.size(); ++at) {
      calls += code[at] == 0x0f && code[at + 1] == 0x05;
      if (const auto site = find_site(code, at)) {
        sites[usize(site->displaced)] += 1;
        if (site->displaced == Displaced::kXorEax) {
          EXPECT_FALSE(is_jumped_into(code, *site));
        }
      }
    }
  }
  std::printf("%zu system calls, sites: %zu %zu %zu %zu\n", calls, sites[0], sites[1], sites[2],
              sites[3]);
  EXPECT_GT(sites[usize(Displaced::kMovEax)], calls / 2);
}

}  // namespace
}  // namespace lxss::pico::direct
