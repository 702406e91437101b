// lxss: what a person types.
#include "lxss/common/failure.h"
#include "lxss/common/protocol.h"
#include "lxss/launcher/actions.h"
#include "lxss/launcher/command_line.h"

int main(int argc, char** argv) {
  try {
    return lxss::launcher::perform(lxss::launcher::parse_command_line({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    fmt::print(stderr, "lxss: {}\n", error.what());
    return lxss::common::kExitFailure;
  }
}
