// Many processes and threads on the same few kernel objects, with checks of what Linux promises.
//
//     stress [--seconds N] [--seed S] [--threads T] [--processes P] [--only NAME[,NAME]]
//            [--first-round R] [--patience SECONDS] [--directory DIR] [--list]
//
// Plays each scene, or those whose name begins with one of NAMEs, for an equal share of N seconds;
// prints `PASS|FAIL|SKIP name` for each and the tally of tests/guest. A failure says how to play
// the same round again. A scene that does not end within PATIENCE seconds after its time has
// failed, and what each worker was about is told.
#include <getopt.h>
#include <sys/prctl.h>

#include <cmath>
#include <filesystem>

#include "board.h"

namespace stress {
namespace {

std::string first_line(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) return "";
  char text[512];
  const ssize_t count = read(fd, text, sizeof text);
  close(fd);
  std::string line(text, count > 0 ? count : 0);
  return line.substr(0, line.find('\n'));
}

void tell_who_hangs() {
  for (int i = 0; i < kSeats; ++i) {
    const Seat& seat = board().seats[i];
    const pid_t tid = seat.tid;
    if (tid == 0) continue;
    const std::string proc = "/proc/" + std::to_string(tid);
    const std::string stat = first_line(proc + "/stat");
    const size_t end = stat.rfind(')');
    const char* doing = seat.doing;
    printf("  worker %d, thread %d: step %lu, %s; state %c, in %s\n", i, tid, seat.steps.load(),
           doing ? doing : "?", end == std::string::npos ? '-' : stat[end + 2],
           first_line(proc + "/wchan").c_str());
  }
}

enum class Verdict { kPass, kFail, kSkip };

/// The director of a scene, from its own fork on.
[[noreturn]] void direct(const Scene& scene, const Options& options, double seconds,
                         const std::string& directory) {
  setpgid(0, 0);
  // Orphans of a scene are nobody else's.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  umask(022);
  OK(chdir(directory.c_str()));
  Stage stage(options, scene.name, seconds);
  scene.play(stage);
  fflush(nullptr);
  _exit(0);
}

/// The status of the director, or nothing when it does not end in time.
bool await(pid_t pid, double seconds, int& status) {
  const u64 end = now_ns() + (u64)(seconds * 1e9);
  while (true) {
    const pid_t ended = OK(waitpid(pid, &status, WNOHANG));
    if (ended == pid) return true;
    if (now_ns() > end) return false;
    sleep_us(5000);
  }
}

Verdict play(const Scene& scene, const Options& options, double seconds, std::string directory) {
  Board& shared = board();
  new (&shared) Board;
  directory += std::string("/stress.") + scene.name + ".XXXXXX";
  if (!mkdtemp(directory.data())) OK(-1);
  fflush(nullptr);
  const pid_t pid = OK(fork());
  shared.group = -pid;  // the child's copy is set before it can read it, or it has no group yet
  if (pid == 0) {
    shared.group = -getpid();
    direct(scene, options, seconds, directory);
  }
  setpgid(pid, pid);
  const u64 begin = now_ns();
  int status = 0;
  const bool ended = await(pid, seconds + options.patience, status);
  const double took = (now_ns() - begin) / 1e9;
  Verdict verdict = Verdict::kPass;
  if (!ended) {
    verdict = Verdict::kFail;
    printf("%s: hangs (%.0f s)\n", scene.name, took);
    tell_who_hangs();
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped && !shared.failed) {
    printf("%s: %s\n", scene.name, shared.message);
    verdict = Verdict::kSkip;
  } else if (shared.failed) {
    printf("%s: %s\n", scene.name, shared.message);
    verdict = Verdict::kFail;
  } else if (status != 0) {
    printf("%s: the director: %s\n", scene.name, describe_status(status).c_str());
    verdict = Verdict::kFail;
  }
  if (verdict == Verdict::kFail) {
    printf("  again: --only %s --seed %lu --processes %d --threads %d --first-round %lu\n",
           scene.name, options.seed, options.processes, options.threads, shared.round.load());
  }
  kill(-pid, SIGKILL);
  if (!ended) {
    // A kernel that has lost the director must not hold up the rest.
    if (!await(pid, 10, status)) printf("%s: and cannot be killed\n", scene.name);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  const char* names[] = {"PASS", "FAIL", "SKIP"};
  printf("%s %s (%lu rounds, %.1f s)\n", names[(int)verdict], scene.name, shared.rounds_done.load(),
         took);
  fflush(stdout);
  return verdict;
}

bool wanted(const Scene& scene, const std::string& only) {
  if (only.empty()) return true;
  for (size_t begin = 0; begin <= only.size();) {
    size_t end = only.find(',', begin);
    if (end == std::string::npos) end = only.size();
    const std::string name = only.substr(begin, end - begin);
    if (!name.empty() && std::string(scene.name).starts_with(name)) return true;
    begin = end + 1;
  }
  return false;
}

int run(int argc, char** argv) {
  Options options;
  std::string only, directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
  const option names[] = {
      {"seconds", 1, nullptr, 's'},  {"seed", 1, nullptr, 'S'},
      {"threads", 1, nullptr, 't'},  {"processes", 1, nullptr, 'p'},
      {"only", 1, nullptr, 'o'},     {"first-round", 1, nullptr, 'r'},
      {"patience", 1, nullptr, 'P'}, {"directory", 1, nullptr, 'd'},
      {"list", 0, nullptr, 'l'},     {},
  };
  for (int name; (name = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    switch (name) {
      case 's':
        options.seconds = atof(optarg);
        break;
      case 'S':
        options.seed = strtoull(optarg, nullptr, 0);
        break;
      case 't':
        options.threads = atoi(optarg);
        break;
      case 'p':
        options.processes = atoi(optarg);
        break;
      case 'o':
        only = optarg;
        break;
      case 'r':
        options.first_round = strtoull(optarg, nullptr, 0);
        break;
      case 'P':
        options.patience = atof(optarg);
        break;
      case 'd':
        directory = optarg;
        break;
      case 'l':
        for (const Scene& scene : scenes()) puts(scene.name);
        return 0;
      default:
        return 2;
    }
  }
  if (options.threads < 1 || options.processes < 1 ||
      options.threads * options.processes > kSeats / 4) {
    fprintf(stderr, "between 1 and %d workers\n", kSeats / 4);
    return 2;
  }
  std::vector<Scene> chosen;
  for (const Scene& scene : scenes()) {
    if (wanted(scene, only)) chosen.push_back(scene);
  }
  if (chosen.empty()) {
    fprintf(stderr, "no scene %s\n", only.c_str());
    return 2;
  }
  int counts[3] = {};
  for (const Scene& scene : chosen) {
    ++counts[(int)play(scene, options, options.seconds / chosen.size(), directory)];
  }
  printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] != 0;
}

}  // namespace
}  // namespace stress

int main(int argc, char** argv) {
  if (argc >= 3 && std::string(argv[1]) == "--helper") {
    for (const stress::Helper& helper : stress::helpers()) {
      if (std::string(argv[2]) == helper.name) return helper.play({argv + 3, argv + argc});
    }
    return 2;
  }
  return stress::run(argc, argv);
}
