// What one process does to another's latency.
//
// `latency` answers requests `SECONDS` with the distribution of the times of stat of one cached
// file: {"p50": ns, "p99": ns, "p999": ns, "worst": ns}.
// `latency LOOP [DIRECTORY]` prints `ready` and runs the named hostile loop until it is killed;
// `latency --list` names the loops. A directory is where a loop makes files.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <map>

#include "measure.h"

using namespace bench;

namespace {

constexpr size_t kPage = 4096;
constexpr int kMostDescriptors = 1 << 20;

// Each sets up and returns what is repeated.

Operation spin() {
  return [] {
    for (int i = 0; i < 1'000'000; ++i) asm volatile("");
  };
}

Operation poll_many() {
  const long count = raise_descriptor_limit(kMostDescriptors);
  return [polled = std::vector<pollfd>(count, {0, 0, 0})]() mutable {
    REQUIRE(poll(polled.data(), polled.size(), 0) >= 0);
  };
}

Operation fork_with_high_descriptor() {
  const int high = static_cast<int>(raise_descriptor_limit(kMostDescriptors)) - 1;
  return [high] {
    REQUIRE(dup2(0, high) == high);
    fork_and_wait();
    close(high);
  };
}

Operation create_files() {
  return [next = 0]() mutable {
    const std::string name = "file" + std::to_string(++next);
    const int fd = open(name.c_str(), O_RDWR | O_CREAT, 0644);
    REQUIRE(fd >= 0 && close(fd) == 0);
    if (next % 2000 == 0)
      for (int i = next - 1999; i <= next; ++i) unlink(("file" + std::to_string(i)).c_str());
  };
}

/// One that nobody reads: the call waits with its page in hand.
Operation sendfile_to_full_terminal() {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  const int other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_NONBLOCK);
  const int file = open("data", O_RDWR | O_CREAT, 0644);
  REQUIRE(other >= 0 && file >= 0 && ftruncate(file, 64 << 20) == 0);
  return [other, file] {
    off_t at = 0;
    sendfile(other, file, &at, 64 << 20);
  };
}

Operation list_large_directory() {
  for (int i = 0; i < 5'000; ++i) {
    const int fd = open(("file" + std::to_string(i)).c_str(), O_RDWR | O_CREAT, 0644);
    REQUIRE(fd >= 0 && close(fd) == 0);
  }
  return [] {
    DIR* directory = opendir(".");
    while (readdir(directory)) {
    }
    closedir(directory);
  };
}

Operation forks() { return fork_and_wait; }

Operation rename_and_stat() {
  REQUIRE(mkdir("a", 0755) == 0);
  return [] { REQUIRE(rename("a", "b") == 0 && rename("b", "a") == 0); };
}

Operation write_and_sync() {
  const int fd = open("synced", O_RDWR | O_CREAT, 0644);
  return [fd] {
    static const char page[kPage] = {};
    REQUIRE(pwrite(fd, page, kPage, 0) == static_cast<ssize_t>(kPage) && fsync(fd) == 0);
  };
}

Operation stream_through_pipe() {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static char buffer[65536];
    while (read(ends[0], buffer, sizeof buffer) > 0) {
    }
  }
  return [out = ends[1]] {
    static const char data[65536] = {};
    REQUIRE(write(out, data, sizeof data) > 0);
  };
}

/// Sets outlive processes: those that a killed loop left are removed by who started it.
constexpr int kSets = 2000;
std::atomic<int>* sets;  ///< identifiers plus 1

void remove_sets() {
  for (int i = 0; i < kSets; ++i)
    if (const int id = sets[i].exchange(0)) semctl(id - 1, 0, IPC_RMID);
}

Operation semaphore_sets() {
  return [] {
    for (int i = 0; i < kSets; ++i) sets[i] = semget(IPC_PRIVATE, 1, 0600) + 1;
    remove_sets();
  };
}

Operation unlink_many_links() {
  return [] {
    const int fd = open("origin", O_RDWR | O_CREAT, 0644);
    close(fd);
    for (int i = 0; i < 5000; ++i) link("origin", ("link" + std::to_string(i)).c_str());
    for (int i = 0; i < 5000; ++i) unlink(("link" + std::to_string(i)).c_str());
  };
}

Operation signals_to_self() {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return [] {
    for (int i = 0; i < 10'000; ++i) sigqueue(getpid(), SIGRTMIN, {});
    sigset_t queued;
    sigemptyset(&queued);
    sigaddset(&queued, SIGRTMIN);
    const timespec none = {};
    while (sigtimedwait(&queued, nullptr, &none) > 0) {
    }
  };
}

const std::map<std::string, std::function<Operation()>> kLoops = {
    {"spin", spin},
    {"poll-of-a-million", poll_many},
    {"dup2-high-and-fork", fork_with_high_descriptor},
    {"create", create_files},
    {"sendfile-to-full-terminal", sendfile_to_full_terminal},
    {"list-5000", list_large_directory},
    {"fork", forks},
    {"rename", rename_and_stat},
    {"write-and-sync", write_and_sync},
    {"pipe-64K", stream_through_pipe},
    {"semaphore-sets", semaphore_sets},
    {"links", unlink_many_links},
    {"queued-signals", signals_to_self},
};

/// Calls without a pause. The median is that of the calls. The others are of the longest call in
/// each interval, and a call that outlasts intervals counts in each of them: so stalls weigh what
/// they last, however many short calls there are between them.
std::string distribution(double seconds) {
  constexpr long kIntervalNs = 200'000;
  std::vector<long> calls, longest;
  calls.reserve(1 << 20);
  const long end = now_ns() + static_cast<long>(seconds * 1e9);
  long before = now_ns(), interval = before, most = 0;
  while (before < end) {
    struct stat status;
    REQUIRE(stat("file", &status) == 0);
    const long after = now_ns();
    const long took = after - before;
    if (calls.size() < calls.capacity()) calls.push_back(took);
    most = std::max(most, took);
    if (after - interval >= kIntervalNs) {
      longest.push_back(most);
      for (long left = took - kIntervalNs; left > 0; left -= kIntervalNs) longest.push_back(left);
      most = 0;
      interval = after;
    }
    before = after;
  }
  auto at = [](std::vector<long>& times, double share) {
    std::sort(times.begin(), times.end());
    const auto index = static_cast<size_t>(share * static_cast<double>(times.size() - 1));
    return std::to_string(times.at(index));
  };
  return "{\"p50\": " + at(calls, 0.5) + ", \"p99\": " + at(longest, 0.99) +
         ", \"p999\": " + at(longest, 0.999) + ", \"worst\": " + at(longest, 1) + "}";
}

void be_hostile(const std::string& loop, const char* directory) {
  if (directory) std::filesystem::create_directories(directory);
  std::string place = std::string(directory ? directory : "/tmp") + "/lxss-bench.XXXXXX";
  REQUIRE(mkdtemp(place.data()) != nullptr);
  static std::atomic<bool> over;
  // To whoever is killed politely, so that the directory goes, too.
  signal(SIGTERM, [](int) { over = true; });
  sets = shared<std::atomic<int>>(kSets);
  const pid_t worker = fork();
  if (worker == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    REQUIRE(chdir(place.c_str()) == 0);
    const Operation operation = kLoops.at(loop)();
    operation();
    std::cout << "ready" << std::endl;
    for (;;) operation();
  }
  while (!over) usleep(10'000);
  kill(worker, SIGKILL);
  reap(worker);
  remove_sets();
  std::filesystem::remove_all(place);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& [name, make] : kLoops) std::cout << name << "\n";
  } else if (argc >= 2) {
    be_hostile(argv[1], argc > 2 ? argv[2] : nullptr);
  } else {
    serve([](std::istringstream& request) {
      double seconds;
      REQUIRE(static_cast<bool>(request >> seconds));
      close(open("file", O_RDWR | O_CREAT, 0644));
      return distribution(seconds);
    });
  }
}
