#include "stage.h"

#include <linux/futex.h>
#include <pthread.h>

#include <ctime>
#include <set>

#include "board.h"

namespace stress {

namespace {

thread_local const Worker* this_worker = nullptr;

long futex(std::atomic<u32>* word, int operation, u32 value) {
  return syscall(SYS_futex, word, operation, value, nullptr, nullptr, 0);
}

u64 hash(const char* text) {
  u64 value = 0xcbf29ce484222325;
  while (*text) value = (value ^ (u8)*text++) * 0x100000001b3;
  return mix(value);
}

}  // namespace

std::vector<Scene>& scenes() {
  static std::vector<Scene> all;
  return all;
}

std::vector<Helper>& helpers() {
  static std::vector<Helper> all;
  return all;
}

Board& board() {
  static Shared<Board> shared;
  return *shared;
}

u64 now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ull + now.tv_nsec;
}

void sleep_us(u64 microseconds) {
  timespec left{(time_t)(microseconds / 1'000'000), (long)(microseconds % 1'000'000 * 1000)};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

void Gate::pass() {
  const u32 generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == count_) {
    arrived_ = 0;
    generation_.fetch_add(1);
    futex(&generation_, FUTEX_WAKE, INT32_MAX);
    return;
  }
  // Who sleeps starts late: with so few cores a short wait is worth its while.
  for (int i = 0; i < 20 && generation_ == generation; ++i) sched_yield();
  while (generation_ == generation) futex(&generation_, FUTEX_WAIT, generation);
}

void Worker::step(const char* doing) {
  Seat& seat = board().seats[number];
  seat.doing.store(doing, std::memory_order_relaxed);
  seat.steps.fetch_add(1, std::memory_order_relaxed);
}

Stage::Stage(const Options& options, const char* scene, double seconds)
    : processes(options.processes),
      threads(options.threads),
      scene_(scene),
      seed_(options.seed),
      end_ns_(now_ns() + (u64)(seconds * 1e9)),
      first_round_(options.first_round) {}

void Stage::rounds(const std::function<void()>& body) {
  round = first_round_;
  do {
    board().round = round;
    for (Seat& seat : board().seats) seat.tid = 0;
    random = Random(mix(seed_ ^ hash(scene_)) + mix(round));
    body();
    ++round;
    board().rounds_done.fetch_add(1);
  } while (time_left());
}

Worker Stage::make_worker(int number, int process, int thread) const {
  Random base(mix(seed_ ^ hash(scene_)) + mix(round) + mix(number + 1));
  return {number, process, thread, base};
}

void Stage::play(int process, int count, const std::function<void(Worker&)>& body) {
  struct Job {
    Worker worker;
    const std::function<void(Worker&)>* body;
    pthread_t thread;
  };
  std::vector<Job> jobs;
  for (int thread = 0; thread < count; ++thread) {
    jobs.push_back({make_worker(process * count + thread, process, thread), &body, {}});
  }
  auto start = [](void* argument) -> void* {
    Job& job = *static_cast<Job*>(argument);
    Seat& seat = board().seats[job.worker.number];
    seat.steps = 0;
    seat.tid = syscall(SYS_gettid);
    this_worker = &job.worker;
    (*job.body)(job.worker);
    this_worker = nullptr;
    seat.tid = 0;
    return nullptr;
  };
  for (size_t i = 1; i < jobs.size(); ++i) {
    const int error = pthread_create(&jobs[i].thread, nullptr, start, &jobs[i]);
    if (error != 0) FAIL(std::string("pthread_create: ") + strerror(error));
  }
  start(&jobs[0]);
  for (size_t i = 1; i < jobs.size(); ++i) pthread_join(jobs[i].thread, nullptr);
}

void Stage::own_threads(int count, const std::function<void(Worker&)>& body) {
  play(0, count, body);
}

void Stage::everyone(int process_count, int thread_count, const std::function<void(Worker&)>& body,
                     const std::function<void()>& meanwhile) {
  if (process_count * thread_count > kSeats) FAIL("too many workers");
  std::set<pid_t> children;
  for (int process = 0; process < process_count; ++process) {
    children.insert(in_child([&] { play(process, thread_count, body); }));
  }
  meanwhile();
  while (!children.empty()) {
    int status;
    const pid_t pid = waitpid(-1, &status, 0);
    if (pid == -1 && errno == EINTR) continue;
    OK(pid);
    // Others are a scene's orphans.
    if (children.erase(pid) != 0 && status != 0) FAIL("a process: " + describe_status(status));
  }
}

void fail(const char* file, int line, const std::string& message) {
  Board& shared = board();
  bool first = false;
  if (shared.failed.compare_exchange_strong(first, true)) {
    std::string text = std::string(file) + ":" + std::to_string(line) + ": " + message + " (";
    if (this_worker) {
      const Seat& seat = shared.seats[this_worker->number];
      const char* doing = seat.doing.load();
      text += "worker " + std::to_string(this_worker->number) + ", step " +
              std::to_string(seat.steps.load()) + (doing ? std::string(": ") + doing : "") + ")";
    } else {
      text += "the director)";
    }
    snprintf(shared.message, sizeof shared.message, "%s", text.c_str());
    shared.told.store(true);
  }
  // The rest of the scene cannot know that it need not go on. Who reads the board sees the message.
  while (!shared.told) sched_yield();
  kill(shared.group, SIGKILL);
  _exit(1);
}

void skip(const std::string& reason) {
  snprintf(board().message, sizeof board().message, "%s", reason.c_str());
  _exit(kSkipped);
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return "exit " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return std::string("signal ") + strsignal(WTERMSIG(status));
  return "status " + std::to_string(status);
}

void reap(pid_t pid, int code, const char* file, int line) {
  int status = 0;
  while (waitpid(pid, &status, 0) == -1) {
    if (errno != EINTR) fail(file, line, std::string("waitpid: ") + strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == code) return;
  fail(file, line, describe_status(status) + ", expected exit " + std::to_string(code));
}

void write_all(int fd, const void* data, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t count = write(fd, (const char*)data + done, size - done);
    if (count == -1 && errno == EINTR) continue;
    done += OK(count);
  }
}

size_t read_all(int fd, void* data, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t count = read(fd, (char*)data + done, size - done);
    if (count == -1 && errno == EINTR) continue;
    if (OK(count) == 0) break;
    done += count;
  }
  return done;
}

}  // namespace stress
