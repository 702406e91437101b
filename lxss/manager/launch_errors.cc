#include "lxss/manager/launch_errors.h"

#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "lxss/common/failure.h"

namespace lxss::manager {
namespace {

constexpr int kLinuxENOENT = 2;

/// Linux's error numbers are those of the host that the manager runs on.
std::string error_text(int error) {
  return error > 0 && error < 134 ? std::strerror(error) : "unknown error";
}

}  // namespace

LaunchError describe(const control::LaunchFailed& failed, const LaunchPlan& plan) {
  switch (failed.step) {
    case control::LaunchStep::kWorkingDirectory:
      return {
          fmt::format("cannot enter '{}': {}", plan.directories.back(), error_text(failed.error)),
          common::kExitFailure};
    case control::LaunchStep::kProgram:
      return {fmt::format("{}: {}", plan.program, error_text(failed.error)),
              failed.error == kLinuxENOENT ? common::kExitNotFound : common::kExitCannotExecute};
    case control::LaunchStep::kResources:
      return {fmt::format("The instance has no resources left for another session: {}.",
                          error_text(failed.error)),
              common::kExitFailure};
    case control::LaunchStep::kMessage:
      break;
  }
  return {"The instance did not understand the request.", common::kExitFailure};
}

std::string describe_wait_status(int wait_status) {
  return WIFSIGNALED(wait_status) ? fmt::format("signal {}", WTERMSIG(wait_status))
                                  : fmt::format("exit code {}", WEXITSTATUS(wait_status));
}

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return result;
}

}  // namespace lxss::manager
