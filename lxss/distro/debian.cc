#include "lxss/distro/debian.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <vector>

#include "lxss/common/failure.h"
#include "lxss/common/files.h"
#include "lxss/common/text.h"
#include "lxss/distro/apt_sources.h"

namespace lxss::distro {
namespace {

namespace fs = std::filesystem;
using common::Failure;
using common::throw_errno;
using common::UniqueFd;

constexpr auto kCacheLife = std::chrono::hours(24 * 7);

/// Starts the program with standard error (and output) on the returned pipe.
UniqueFd spawn(std::vector<std::string> arguments, const std::string& temporary, pid_t& pid) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make a pipe");
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const std::string tmpdir = "TMPDIR=" + temporary;
  std::vector<char*> environment;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("TMPDIR=")) environment.push_back(*entry);
  }
  environment.push_back(const_cast<char*>(tmpdir.c_str()));
  environment.push_back(nullptr);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), 2);
  const int error =
      ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw Failure("'{}' cannot be run; the package of that name is missing.", argv[0]);
  return read_end;
}

/// Reports mmdebstrap's progress ("I: ...") line by line; the last complaint is
/// returned for the message of a failure.
std::string follow(int output, const Report& report) {
  std::string pending;
  std::string complaint;
  char buffer[4096];
  for (ssize_t count; (count = ::read(output, buffer, sizeof buffer)) > 0;) {
    pending.append(buffer, std::size_t(count));
    for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
      const std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      if (line.starts_with("I: ")) report(line.substr(3));
      if (line.starts_with("E: ") && complaint.empty()) complaint = line.substr(3);
    }
  }
  return complaint;
}

/// Besides apt and what is essential: what a person at a shell expects to be there.
constexpr char kPackages[] = "procps,mount,xz-utils";

void run_mmdebstrap(const DebianMirrors& mirrors, const std::string& archive,
                    const std::string& temporary, const Report& report) {
  std::vector<std::string> arguments = {"mmdebstrap",
                                        "--mode=fakechroot",
                                        "--variant=apt",
                                        "--format=tar",
                                        std::string("--include=") + kPackages,
                                        mirrors.codename,
                                        archive};
  for (const AptSource& source : mirrors.sources) arguments.push_back(source.line());
  pid_t pid = -1;
  const UniqueFd output = spawn(std::move(arguments), temporary, pid);
  const std::string complaint = follow(output.get(), report);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    throw Failure("Debian could not be fetched from {}: {}.", mirrors.sources.front().uri,
                  complaint.empty() ? "mmdebstrap failed" : complaint);
  }
}

bool is_fresh(const std::string& path) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && fs::file_time_type::clock::now() - written < kCacheLife;
}

}  // namespace

std::string fetch_debian(const std::string& cache, const std::string& scratch,
                         const Report& report) {
  const DebianMirrors mirrors = debian_mirrors();
  std::string key = std::string(kPackages) + '\n';
  for (const AptSource& source : mirrors.sources) key += source.line() + '\n';
  const std::string archive = fmt::format("{}/debian-{}-{:016x}.tar", cache, mirrors.codename,
                                          std::hash<std::string>{}(key));
  if (is_fresh(archive)) {
    report(fmt::format("using the Debian {} fetched before", mirrors.codename));
    return archive;
  }
  common::make_directories(scratch);
  ::chmod(scratch.c_str(), 0755);  // mmdebstrap's helpers run as other (faked) users.
  const std::string unfinished = scratch + "/debian.tar";
  report(fmt::format("fetching Debian {} from {}", mirrors.codename, mirrors.sources.front().uri));
  run_mmdebstrap(mirrors, unfinished, scratch, report);
  common::make_directories(cache);
  std::error_code other_file_system;
  fs::rename(unfinished, archive, other_file_system);
  return other_file_system ? unfinished : archive;
}

}  // namespace lxss::distro
