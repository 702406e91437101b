// What the program that runs the scenes can see of the one that is played.
#pragma once

#include "stage.h"

namespace stress {

inline constexpr int kSkipped = 77;
inline constexpr int kSeats = 256;

struct Seat {
  std::atomic<pid_t> tid;
  std::atomic<u64> steps;
  std::atomic<const char*> doing;  // of the program's own text: the same in all forked processes
};

struct Board {
  std::atomic<bool> failed = false, told = false;
  std::atomic<u64> round = 0, rounds_done = 0;
  pid_t group = 0;  // what kill() takes to reach the scene's processes: negative
  char message[8192] = "";
  Seat seats[kSeats];
};

Board& board();

}  // namespace stress
