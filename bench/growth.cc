// The cost of an operation as a function of how much there is of something. A request is
// `ROW SIZE SECONDS`: at most SECONDS are spent on setting up, so the size that is reached may be
// smaller. The answer is {"size": reached, "ns": cost of one operation}, {} if it is not possible.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>

#include "measure.h"

using namespace bench;

namespace {

constexpr size_t kPage = 4096;
constexpr long kMeasureNs = 60'000'000;

struct Outcome {
  std::atomic<long> size;
  double ns;
};

/// What a row is given: how much to make, until when, and where to say what came of it.
class Run {
 public:
  Run(long wanted, double seconds, Outcome& outcome)
      : wanted_(wanted), end_(now_ns() + static_cast<long>(seconds * 1e9)), outcome_(outcome) {}

  long wanted() const { return wanted_; }
  /// Not more than a limit allows, with room for what is measured.
  Run within(long limit) const {
    Run run = *this;
    run.wanted_ = std::min(wanted_, limit - 64);
    return run;
  }
  /// Calls `make(i)` until it fails or the time is over; returns how many there are.
  long fill(const std::function<bool(long)>& make) const {
    long made = 0;
    while (made < wanted_ && now_ns() < end_ && make(made)) ++made;
    REQUIRE(made > 0);
    outcome_.size = made;
    return made;
  }
  /// For what is already there.
  void has(long size) const { outcome_.size = size; }
  void measure(const Operation& operation) const { outcome_.ns = cost_ns(operation, kMeasureNs); }
  /// For what uses itself up: the time of `count` together.
  void measure_once(long count, const Operation& all) const {
    took(time_once(all, 1) / static_cast<double>(count));
  }
  void took(double ns) const { outcome_.ns = ns; }

 private:
  long wanted_, end_;
  Outcome& outcome_;
};

std::string file_name(long i) { return "file" + std::to_string(i); }

bool touch(const std::string& name) {
  const int fd = open(name.c_str(), O_RDWR | O_CREAT, 0644);
  return fd >= 0 && close(fd) == 0;
}

/// A different number below `size` each time, in no order.
class Shuffle {
 public:
  explicit Shuffle(long size) : size_(size) {}
  long next() {
    return static_cast<long>((state_ = state_ * 6364136223846793005u + 1) >> 33) % size_;
  }

 private:
  long size_;
  unsigned long state_ = 1;
};

// Processes.

pid_t zombie() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  if (child > 0) REQUIRE(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  return child;
}

void wait_for_one_among_zombies(const Run& run) {
  const pid_t alive = fork();
  if (alive == 0) {
    pause();
    _exit(0);
  }
  run.fill([](long) { return zombie() > 0; });
  run.measure([alive] { REQUIRE(waitpid(alive, nullptr, WNOHANG) == 0); });
  kill(alive, SIGKILL);
  reap(alive);
}

void reap_any_of(const Run& run) {
  const long size = run.fill([](long) { return zombie() > 0; });
  run.measure_once(size, [] {
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  });
}

void reap_each_of(const Run& run) {
  std::vector<pid_t> children;
  const long size = run.fill([&](long) {
    children.push_back(zombie());
    return children.back() > 0;
  });
  run.measure_once(size, [&] {
    for (auto child = children.rbegin(); child != children.rend(); ++child)
      waitpid(*child, nullptr, 0);
  });
}

void fork_beside_children(const Run& run) {
  run.fill([](long) { return zombie() > 0; });
  run.measure(fork_and_wait);
}

void kill_beside_processes(const Run& run) {
  run.fill([](long) { return zombie() > 0; });
  run.measure([] { REQUIRE(kill(getpid(), 0) == 0); });
}

// Descriptors.

long open_descriptors(const Run& run) {
  const long limit = raise_descriptor_limit(run.wanted() + 100);
  return run.within(limit).fill([](long) { return dup(0) >= 0; });
}

void open_beside_descriptors(const Run& run) {
  open_descriptors(run);
  run.measure([] { REQUIRE(close(dup(0)) == 0); });
}

void fork_with_descriptors(const Run& run) {
  open_descriptors(run);
  run.measure(fork_and_wait);
}

void dup2_high(const Run& run) {
  const int high = static_cast<int>(raise_descriptor_limit(run.wanted() + 1)) - 1;
  run.has(high);
  run.measure([high] { REQUIRE(dup2(0, high) == high && close(high) == 0); });
}

void fork_with_high_descriptor(const Run& run) {
  const int high = static_cast<int>(raise_descriptor_limit(run.wanted() + 1)) - 1;
  run.has(high);
  REQUIRE(dup2(0, high) == high);
  run.measure(fork_and_wait);
}

void poll_descriptors(const Run& run) {
  const long limit = raise_descriptor_limit(run.wanted() + 100);
  std::vector<pollfd> polled;
  run.within(limit).fill([&](long) {
    polled.push_back({eventfd(0, 0), POLLIN, 0});
    return polled.back().fd >= 0;
  });
  run.measure([&] { REQUIRE(poll(polled.data(), polled.size(), 0) == 0); });
}

// Mapped areas.

void* map_page(int protection) {
  return mmap(nullptr, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

constexpr long kMostAreas = 65'000;  // Linux's default of vm.max_map_count, less the program's own

/// Neighbours differ, so that they stay areas of their own.
long map_areas(const Run& run) {
  return run.within(kMostAreas).fill([](long i) {
    auto* page =
        static_cast<volatile char*>(map_page(i % 2 == 0 ? PROT_READ | PROT_WRITE : PROT_READ));
    if (page == MAP_FAILED) return false;
    (void)*page;
    return true;
  });
}

void map_beside_areas(const Run& run) {
  map_areas(run);
  run.measure([] {
    void* page = map_page(PROT_READ | PROT_WRITE);
    *static_cast<volatile char*>(page) = 1;
    REQUIRE(munmap(page, kPage) == 0);
  });
}

void protect_beside_areas(const Run& run) {
  void* page = map_page(PROT_READ | PROT_WRITE);
  map_areas(run);
  run.measure([page] {
    REQUIRE(mprotect(page, kPage, PROT_READ) == 0);
    REQUIRE(mprotect(page, kPage, PROT_READ | PROT_WRITE) == 0);
  });
}

void fork_with_areas(const Run& run) {
  map_areas(run);
  run.measure(fork_and_wait);
}

// Directories.

long create_files(const Run& run) {
  return run.fill([](long i) { return touch(file_name(i)); });
}

/// The average of making all of them.
void create_all(const Run& run) {
  const long start = now_ns();
  const long size = create_files(run);
  run.took(static_cast<double>(now_ns() - start) / static_cast<double>(size));
}

void create_unlink_beside_files(const Run& run) {
  create_files(run);
  run.measure([] { REQUIRE(touch("another") && unlink("another") == 0); });
}

void stat_random_file(const Run& run) {
  const auto shuffle = std::make_shared<Shuffle>(create_files(run));
  run.measure([shuffle] {
    struct stat status;
    REQUIRE(stat(file_name(shuffle->next()).c_str(), &status) == 0);
  });
}

void stat_new_missing_name(const Run& run) {
  create_files(run);
  run.measure([next = std::make_shared<long>(0)] {
    struct stat status;
    REQUIRE(stat(("missing" + std::to_string(++*next)).c_str(), &status) == -1);
  });
}

long list(bool with_stat) {
  DIR* directory = opendir(".");
  REQUIRE(directory != nullptr);
  long seen = 0;
  while (const dirent* entry = readdir(directory)) {
    struct stat status;
    if (with_stat) REQUIRE(lstat(entry->d_name, &status) == 0);
    ++seen;
  }
  closedir(directory);
  return seen;
}

void list_once(const Run& run, bool with_stat) {
  const long size = create_files(run);
  run.measure_once(size, [with_stat] { list(with_stat); });
}

void rename_beside_files(const Run& run) {
  create_files(run);
  REQUIRE(touch("one"));
  run.measure([] { REQUIRE(rename("one", "two") == 0 && rename("two", "one") == 0); });
}

void unlink_all(const Run& run) {
  const long size = create_files(run);
  run.measure_once(size, [size] {
    for (long i = 0; i < size; ++i) REQUIRE(unlink(file_name(i).c_str()) == 0);
  });
}

// Links of one file.

long make_links(const Run& run) {
  REQUIRE(touch("origin"));
  return run.fill([](long i) { return link("origin", file_name(i).c_str()) == 0; });
}

void link_beside_links(const Run& run) {
  make_links(run);
  REQUIRE(unlink("file0") == 0);
  run.measure([] { REQUIRE(link("origin", "another") == 0 && unlink("another") == 0); });
}

void unlink_links(const Run& run) {
  const long size = make_links(run);
  run.measure_once(size, [size] {
    for (long i = 0; i < size; ++i) REQUIRE(unlink(file_name(i).c_str()) == 0);
  });
}

// System V semaphores. Sets outlive processes, so whoever started this one removes them.

std::atomic<int>* semaphore_sets;
constexpr long kMaxSemaphoreSets = 100'000;

bool make_semaphore_set(long i) {
  if (i >= kMaxSemaphoreSets) return false;
  const int id = semget(IPC_PRIVATE, 1, 0600);
  if (id >= 0) semaphore_sets[i] = id + 1;
  return id >= 0;
}

void remove_semaphore_sets() {
  for (long i = 0; i < kMaxSemaphoreSets && semaphore_sets[i] > 0; ++i) {
    semctl(semaphore_sets[i] - 1, 0, IPC_RMID);
    semaphore_sets[i] = 0;
  }
}

void semget_beside_sets(const Run& run) {
  run.fill(make_semaphore_set);
  run.measure([] {
    const int id = semget(IPC_PRIVATE, 1, 0600);
    REQUIRE(id >= 0 && semctl(id, 0, IPC_RMID) == 0);
  });
}

void semctl_beside_sets(const Run& run) {
  const long size = run.fill(make_semaphore_set);
  run.measure([id = semaphore_sets[size / 2] - 1] { REQUIRE(semctl(id, 0, GETVAL) == 0); });
}

// Waiters.

struct Waiters {
  int ends[2];
  std::atomic<long> woken;
};

void* read_bytes(void* argument) {
  auto& waiters = *static_cast<Waiters*>(argument);
  char byte;
  while (read(waiters.ends[0], &byte, 1) == 1) ++waiters.woken;
  return nullptr;
}

void wake_one_of_waiters(const Run& run) {
  static Waiters waiters;
  REQUIRE(pipe(waiters.ends) == 0);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  run.fill([&](long) {
    pthread_t thread;
    return pthread_create(&thread, &small, read_bytes, &waiters) == 0;
  });
  usleep(50'000);
  run.measure([] {
    const long before = waiters.woken;
    REQUIRE(write(waiters.ends[1], "x", 1) == 1);
    while (waiters.woken == before) sched_yield();
  });
}

long watch_events(const Run& run, int epoll) {
  const long limit = raise_descriptor_limit(run.wanted() + 100);
  return run.within(limit).fill([epoll](long i) {
    epoll_event event = {.events = EPOLLIN, .data = {.fd = static_cast<int>(i)}};
    const int fd = eventfd(0, 0);
    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
  });
}

void epoll_wait_with_items(const Run& run) {
  const int epoll = epoll_create1(0);
  watch_events(run, epoll);
  run.measure([epoll] {
    epoll_event seen;
    REQUIRE(epoll_wait(epoll, &seen, 1, 0) == 0);
  });
}

void epoll_ready_with_items(const Run& run) {
  const int epoll = epoll_create1(0);
  watch_events(run, epoll);
  const int fd = eventfd(0, 0);
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  run.measure([epoll, fd] {
    epoll_event seen;
    unsigned long value = 1;
    REQUIRE(write(fd, &value, sizeof value) == sizeof value);
    REQUIRE(epoll_wait(epoll, &seen, 1, 0) == 1);
    REQUIRE(read(fd, &value, sizeof value) == sizeof value);
  });
}

void epoll_ctl_with_items(const Run& run) {
  const int epoll = epoll_create1(0);
  watch_events(run, epoll);
  run.measure([epoll, fd = eventfd(0, 0)] {
    epoll_event event = {.events = EPOLLIN, .data = {}};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr) == 0);
  });
}

// Signals and timers.

void queue_signal_beside_queued(const Run& run) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  REQUIRE(sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  rlimit limit = {200'000, 200'000};
  setrlimit(RLIMIT_SIGPENDING, &limit);
  run.fill([](long) { return sigqueue(getpid(), SIGRTMIN, {}) == 0; });
  sigdelset(&set, SIGRTMIN);
  run.measure([set] {
    const timespec none = {};
    if (sigqueue(getpid(), SIGRTMIN + 1, {}) != 0) {  // the queue is full: make room
      sigset_t queued;
      sigemptyset(&queued);
      sigaddset(&queued, SIGRTMIN);
      REQUIRE(sigtimedwait(&queued, nullptr, &none) == SIGRTMIN);
      return;
    }
    REQUIRE(sigtimedwait(&set, nullptr, &none) == SIGRTMIN + 1);
  });
}

void set_timer_beside_timers(const Run& run) {
  rlimit limit = {200'000, 200'000};
  setrlimit(RLIMIT_SIGPENDING, &limit);
  sigevent silent = {};
  silent.sigev_notify = SIGEV_NONE;
  auto arm = [](timer_t timer, long seconds) {
    const itimerspec when = {{}, {seconds, 0}};
    return timer_settime(timer, 0, &when, nullptr) == 0;
  };
  timer_t last;
  run.fill([&](long i) {
    return timer_create(CLOCK_MONOTONIC, &silent, &last) == 0 && arm(last, 1000 + i);
  });
  run.measure([=] { REQUIRE(arm(last, 500) && arm(last, 100'000)); });
}

void lock_beside_locks(const Run& run) {
  const int fd = open("locked", O_RDWR | O_CREAT, 0644);
  auto set = [fd](short type, long at) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_start = at;
    lock.l_len = 1;
    return fcntl(fd, F_SETLK, &lock) == 0;
  };
  const long size = run.fill([&](long i) { return set(F_WRLCK, 2 * i); });
  run.measure([=] { REQUIRE(set(F_WRLCK, 2 * size + 2) && set(F_UNLCK, 2 * size + 2)); });
}

// Mounts: in a name space of its own where there are such; taken away in any case.

std::string mount_point(long i) { return "mount" + std::to_string(i); }

bool mount_at(const std::string& name) {
  return mount("none", name.c_str(), "tmpfs", 0, "size=4k") == 0;
}

void beside_mounts(const Run& run, const std::function<Operation(long)>& make) {
  if (unshare(CLONE_NEWNS) == 0) mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const long made = run.fill(
      [](long i) { return mkdir(mount_point(i).c_str(), 0755) == 0 && mount_at(mount_point(i)); });
  run.measure(make(made));
  for (long i = 0; i < made; ++i) umount(mount_point(i).c_str());
}

void mount_beside_mounts(const Run& run) {
  REQUIRE(mkdir("another", 0755) == 0);
  beside_mounts(run, [](long) -> Operation {
    return [] { REQUIRE(mount_at("another") && umount("another") == 0); };
  });
}

void stat_beside_mounts(const Run& run) {
  beside_mounts(run, [](long made) -> Operation {
    return [shuffle = std::make_shared<Shuffle>(made)] {
      struct stat status;
      REQUIRE(stat(mount_point(shuffle->next()).c_str(), &status) == 0);
    };
  });
}

const std::map<std::string, std::function<void(const Run&)>> kRows = {
    {"wait-one/zombies", wait_for_one_among_zombies},
    {"reap-any/zombies", reap_any_of},
    {"reap-each/zombies", reap_each_of},
    {"fork/zombies", fork_beside_children},
    {"kill/processes", kill_beside_processes},
    {"dup+close/descriptors", open_beside_descriptors},
    {"fork/descriptors", fork_with_descriptors},
    {"dup2+close/number", dup2_high},
    {"fork/highest-number", fork_with_high_descriptor},
    {"poll/descriptors", poll_descriptors},
    {"mmap-cycle/areas", map_beside_areas},
    {"mprotect/areas", protect_beside_areas},
    {"fork/areas", fork_with_areas},
    {"create/files", create_all},
    {"create+unlink/files", create_unlink_beside_files},
    {"stat/files", stat_random_file},
    {"stat-missing/files", stat_new_missing_name},
    {"readdir/files", [](const Run& run) { list_once(run, false); }},
    {"readdir+stat/files", [](const Run& run) { list_once(run, true); }},
    {"rename/files", rename_beside_files},
    {"unlink/files", unlink_all},
    {"link+unlink/links", link_beside_links},
    {"unlink/links", unlink_links},
    {"semget/sets", semget_beside_sets},
    {"semctl/sets", semctl_beside_sets},
    {"wake/waiters", wake_one_of_waiters},
    {"epoll_wait/items", epoll_wait_with_items},
    {"epoll-ready/items", epoll_ready_with_items},
    {"epoll_ctl/items", epoll_ctl_with_items},
    {"sigqueue/queued", queue_signal_beside_queued},
    {"timer/timers", set_timer_beside_timers},
    {"lock/locks", lock_beside_locks},
    {"mount/mounts", mount_beside_mounts},
    {"stat/mounts", stat_beside_mounts},
};

}  // namespace

int main() {
  semaphore_sets = shared<std::atomic<int>>(kMaxSemaphoreSets);
  auto* outcome = shared<Outcome>();
  serve([&](std::istringstream& request) -> std::string {
    std::string row;
    long size;
    double seconds;
    REQUIRE(static_cast<bool>(request >> row >> size >> seconds));
    const bool done = in_fresh_process([&] { kRows.at(row)(Run(size, seconds, *outcome)); });
    remove_semaphore_sets();
    if (!done) return "{}";
    return "{\"size\": " + std::to_string(outcome->size) +
           ", \"ns\": " + std::to_string(outcome->ns) + "}";
  });
}
