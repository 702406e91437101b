// lxcore/mm/text_share.h: what one owner of files may have of the rewritten texts.
#include "lxcore/mm/text_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lxss {
namespace {

constexpr TextShare kShare{.texts = 127, .bytes = 1 << 20};

/// How many each owner gets who takes all that he may, one owner after the other.
std::vector<u64> taken_in_turn(usize owners) {
  std::vector<u64> taken;
  TextShare::Usage all;
  for (usize i = 0; i < owners; ++i) {
    TextShare::Usage own;
    while (kShare.allows(own, all, 16)) {
      ++own.texts, ++all.texts;
      own.bytes += 16, all.bytes += 16;
    }
    taken.push_back(own.texts);
  }
  return taken;
}

TEST(TextShare, NobodyUsesItUp) {
  const std::vector<u64> taken = taken_in_turn(6);
  EXPECT_EQ(taken[0], 63u);
  EXPECT_EQ(taken[1], 32u);
  EXPECT_EQ(taken[2], 16u);
  EXPECT_GE(taken[5], 1u);
  u64 sum = 0;
  for (u64 texts : taken) sum += texts;
  EXPECT_LE(sum, kShare.texts);
}

TEST(TextShare, OfBytesToo) {
  EXPECT_TRUE(kShare.allows({}, {}, kShare.bytes / 2));
  EXPECT_FALSE(kShare.allows({}, {}, kShare.bytes / 2 + 1));
  const TextShare::Usage half{1, kShare.bytes / 2};
  EXPECT_FALSE(kShare.allows(half, half, 1));
  EXPECT_TRUE(kShare.allows({}, half, kShare.bytes / 4));
  EXPECT_FALSE(kShare.allows({}, half, kShare.bytes / 4 + 1));
}

TEST(TextShare, WhenAllIsTaken) {
  EXPECT_FALSE(kShare.allows({}, {127, 0}, 1));
  EXPECT_FALSE(kShare.allows({127, 0}, {127, 0}, 1));
  EXPECT_FALSE(kShare.allows({}, {1, kShare.bytes}, 1));
}

}  // namespace
}  // namespace lxss
