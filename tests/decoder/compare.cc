// compare [--everywhere] PATH...: our instruction decoder against Zydis, over all programs and
// libraries there. With --everywhere from each byte on, not only from each instruction.
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/decoder/against_zydis.h"
#include "tests/decoder/executable_code.h"

int main(int count, char** arguments) {
  lxss::tests::AgainstZydis comparison;
  bool everywhere = false;
  size_t files = 0;
  const auto compare = [&](const std::filesystem::path& path) {
    const lxss::tests::ExecutableCode file(path);
    const auto sections = file.sections();
    files += !sections.empty();
    for (const auto& code : sections) comparison.compare(path.c_str(), code, everywhere);
  };
  for (int i = 1; i < count; ++i) {
    const std::string path = arguments[i];
    if (path == "--everywhere") {
      everywhere = true;
    } else if (std::filesystem::is_directory(path)) {
      constexpr auto kOptions = std::filesystem::directory_options::skip_permission_denied;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path, kOptions)) {
        if (entry.is_regular_file() && !entry.is_symlink()) compare(entry.path());
      }
    } else {
      compare(path);
    }
  }
  std::printf(
      "%zu files, %zu instructions, %zu differences; %zu are none, %zu of which we take "
      "for common ones\n",
      files, comparison.instructions(), comparison.differences(), comparison.not_instructions(),
      comparison.taken_for_common());
  return comparison.differences() != 0 || files == 0;
}
