// Throughput of busy processes, each on objects of its own. A request is
// `ROW PROCESSES MILLISECONDS`, the answer {"per_second": operations of all of them together}.
// `scaling --exit` is the program that exec measures.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstring>
#include <map>

#include "measure.h"

using namespace bench;

namespace {

constexpr size_t kPage = 4096;
/// The clock is looked at about as often as this.
constexpr double kSliceNs = 20'000;

std::string self;

int page_file() {
  static const std::string page(kPage, 'x');
  const int fd = open("page", O_RDWR | O_CREAT, 0644);
  REQUIRE(fd >= 0 && pwrite(fd, page.data(), kPage, 0) == static_cast<ssize_t>(kPage));
  return fd;
}

Operation byte_through(int in, int out) {
  return [in, out] {
    char byte = 'x';
    REQUIRE(write(in, &byte, 1) == 1);
    REQUIRE(read(out, &byte, 1) == 1);
  };
}

/// Each sets up in the current directory and returns what is to be repeated.
const std::map<std::string, std::function<Operation()>> kRows = {
    {"getppid", [] { return [] { syscall(SYS_getppid); }; }},
    {"stat",
     [] {
       page_file();
       return [] {
         struct stat status;
         REQUIRE(stat("page", &status) == 0);
       };
     }},
    {"open+close",
     [] {
       page_file();
       return [] { REQUIRE(close(open("page", O_RDONLY)) == 0); };
     }},
    {"pread-4K",
     [] {
       return [fd = page_file()] {
         char buffer[kPage];
         REQUIRE(pread(fd, buffer, kPage, 0) == static_cast<ssize_t>(kPage));
       };
     }},
    {"pwrite-4K",
     [] {
       return [fd = page_file()] {
         static const char buffer[kPage] = {};
         REQUIRE(pwrite(fd, buffer, kPage, 0) == static_cast<ssize_t>(kPage));
       };
     }},
    {"pipe-1B",
     [] {
       int ends[2];
       REQUIRE(pipe(ends) == 0);
       return byte_through(ends[1], ends[0]);
     }},
    {"unix-socket",
     [] {
       int ends[2];
       REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
       return byte_through(ends[1], ends[0]);
     }},
    {"mmap-cycle",
     [] {
       return [] {
         void* page =
             mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         *static_cast<volatile char*>(page) = 1;
         REQUIRE(munmap(page, kPage) == 0);
       };
     }},
    {"create+unlink",
     [] {
       return [] {
         REQUIRE(close(open("short_lived", O_RDWR | O_CREAT | O_EXCL, 0644)) == 0);
         REQUIRE(unlink("short_lived") == 0);
       };
     }},
    {"fork+wait", [] { return fork_and_wait; }},
    {"vfork+exec", [] {
       return [] {
         const pid_t child = vfork();
         if (child == 0) {
           execl(self.c_str(), "scaling", "--exit", nullptr);
           _exit(1);
         }
         reap(child);
       };
     }}};

struct Gate {
  std::atomic<int> ready;
  std::atomic<bool> open;
};

double busy_process(const std::function<Operation()>& make, Gate& gate, long duration_ns) {
  const Operation operation = make();
  const long slice = count_for(operation, kSliceNs);
  ++gate.ready;
  while (!gate.open) usleep(100);
  const long start = now_ns();
  long done = 0, elapsed;
  do {
    for (long i = 0; i < slice; ++i) operation();
    done += slice;
    elapsed = now_ns() - start;
  } while (elapsed < duration_ns);
  return done * 1e9 / elapsed;
}

double throughput(const std::function<Operation()>& make, int processes, long duration_ns) {
  auto* gate = shared<Gate>();
  auto* figures = shared<double>(processes);
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    const std::string directory = "process" + std::to_string(i);
    REQUIRE(mkdir(directory.c_str(), 0755) == 0);
    children.push_back(fork());
    REQUIRE(children.back() >= 0);
    if (children.back() != 0) continue;
    REQUIRE(chdir(directory.c_str()) == 0);
    figures[i] = busy_process(make, *gate, duration_ns);
    _exit(0);
  }
  while (gate->ready < processes) usleep(100);
  gate->open = true;
  double sum = 0;
  for (int i = 0; i < processes; ++i) {
    reap(children[i]);
    sum += figures[i];
  }
  munmap(gate, sizeof(Gate));
  munmap(figures, processes * sizeof(double));
  return sum;
}

std::string answer(std::istringstream& request) {
  std::string row;
  int processes;
  long milliseconds;
  REQUIRE(static_cast<bool>(request >> row >> processes >> milliseconds));
  auto* sum = shared<double>();
  const bool done = in_fresh_process(
      [&] { *sum = throughput(kRows.at(row), processes, milliseconds * 1'000'000); });
  const std::string result = done ? "{\"per_second\": " + std::to_string(*sum) + "}" : "{}";
  munmap(sum, sizeof *sum);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--exit") == 0) return 0;
  self = std::filesystem::read_symlink("/proc/self/exe");
  serve(answer);
}
