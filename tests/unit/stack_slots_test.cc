// Kernel stack slots: the lowest are used again, and finding one does not look at all that are
// busy.
#include "pico/stack_slots.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace {

using namespace lxss;
using pico::StackSlots;

/// What the host does when the thread is gone.
void clear(StackSlots& slots, u32 slot) {
  __atomic_store_n(&slots.busy_word(slot), 0, __ATOMIC_RELEASE);
}

u32 take(StackSlots& slots) {
  auto slot = slots.take();
  return slot.ok() ? slot.value() : pico::kMaxThreads;
}

TEST(StackSlots, OneThatWasLeftIsUsedAgainOnceItsThreadIsGone) {
  StackSlots slots;
  for (u32 slot = 0; slot < 100; ++slot) ASSERT_EQ(take(slots), slot);
  slots.leave(70);
  EXPECT_EQ(take(slots), 100u);
  clear(slots, 70);
  EXPECT_EQ(take(slots), 70u);
  EXPECT_EQ(take(slots), 101u);
  slots.give_back(101);
  slots.give_back(3);
  EXPECT_EQ(take(slots), 3u);
  EXPECT_EQ(take(slots), 101u);
}

TEST(StackSlots, OneOfAThreadThatTheHostEndedIsFoundAtLast) {
  StackSlots slots;
  slots.claim(9);
  for (u32 i = 0; i + 1 < pico::kMaxThreads; ++i) {
    const u32 slot = take(slots);
    ASSERT_LT(slot, pico::kMaxThreads);
    ASSERT_NE(slot, 9u);
  }
  EXPECT_TRUE(slots.take().is(Errno::kEAGAIN));
  clear(slots, 2000);
  EXPECT_EQ(take(slots), 2000u);
  EXPECT_TRUE(slots.take().is(Errno::kEAGAIN));
}

TEST(StackSlots, ACopyHasTheSameStacksMapped) {
  StackSlots slots, copy;
  ASSERT_EQ(take(slots), 0u);
  slots.set_mapped(0);
  slots.claim(130);
  slots.set_mapped(130);
  copy.copy_mapped(slots);
  EXPECT_TRUE(copy.is_mapped(0));
  EXPECT_TRUE(copy.is_mapped(130));
  EXPECT_FALSE(copy.is_mapped(131));
  EXPECT_EQ(take(copy), 0u);
}

TEST(StackSlots, NoSlotIsTakenTwice) {
  StackSlots slots;
  constexpr u32 kTakers = 4;
  std::vector<std::atomic<bool>> taken(pico::kMaxThreads);
  std::vector<std::thread> takers;
  for (u32 i = 0; i < kTakers; ++i) {
    takers.emplace_back([&] {
      std::vector<u32> mine;
      for (int round = 0; round < 300; ++round) {
        for (int n = 0; n < 50; ++n) {
          const u32 slot = take(slots);
          ASSERT_FALSE(taken[slot].exchange(true));
          mine.push_back(slot);
        }
        for (u32 slot : mine) {
          taken[slot] = false;
          slots.leave(slot);
          clear(slots, slot);
        }
        mine.clear();
      }
    });
  }
  for (std::thread& taker : takers) taker.join();
  // They went low again.
  EXPECT_LT(take(slots), kTakers * 50);
}

}  // namespace
