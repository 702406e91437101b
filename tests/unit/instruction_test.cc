// pico/direct/instruction.h, against Zydis: the libraries that this program runs with, and bytes
// that are no program's. tests/decoder/compare.cc does the same over whole installations.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/decoder/against_zydis.h"
#include "tests/decoder/executable_code.h"

namespace lxss::tests {
namespace {

TEST(Instruction, OfLibraries) {
  std::set<std::string> paths = {"/proc/self/exe"};
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    if (line.find(".so") != std::string::npos) paths.insert(line.substr(line.find('/')));
  }
  AgainstZydis comparison;
  for (const std::string& path : paths) {
    const ExecutableCode file(path);
    for (const auto& code : file.sections()) comparison.compare(path.c_str(), code, true);
  }
  std::printf("%zu instructions of %zu files\n", comparison.instructions(), paths.size());
  EXPECT_EQ(comparison.differences(), 0u);
  EXPECT_GT(comparison.instructions(), 100'000u);
}

TEST(Instruction, OfAnyBytes) {
  AgainstZydis comparison;
  std::vector<u8> code(2'000'000);
  u64 state = 1;
  for (u8& byte : code) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<u8>(state >> 56);
  }
  comparison.compare("any", code, true);
  EXPECT_EQ(comparison.differences(), 0u);
}

TEST(Instruction, CutOff) {
  // mov 0x12345678(%rax,%rcx,4), ... with an immediate.
  const u8 bytes[] = {0x48, 0xc7, 0x84, 0x88, 1, 2, 3, 4, 5, 6, 7, 8};
  for (usize size = 0; size < sizeof bytes; ++size) {
    EXPECT_EQ(pico::direct::decode({bytes, size}).size, 0);
  }
  EXPECT_EQ(pico::direct::decode(bytes).size, sizeof bytes);
}

}  // namespace
}  // namespace lxss::tests
