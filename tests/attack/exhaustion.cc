// Takes all there is of each resource; the instance must refuse politely and recover.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr int kMost = 20000;
constexpr int kMostProcesses = 2000;

bool is_polite(int error) {
  for (int polite :
       {EMFILE, ENFILE, EAGAIN, ENOMEM, ENOSPC, EDQUOT, ENOBUFS, ETOOMANYREFS, ENAMETOOLONG}) {
    if (error == polite) return true;
  }
  return false;
}

/// Calls `take` until it fails or has been called often enough; an impolite error is a finding.
template <typename Take>
void take_all(const char* name, Take take) {
  attempt(name, [=] {
    for (int i = 0; i < kMost; ++i) {
      if (take(i) != -1) continue;
      std::printf("%s: %d, then %s\n", name, i, std::strerror(errno));
      std::fflush(stdout);
      return !is_polite(errno);
    }
    return false;
  });
}

std::string numbered(const char* name, int number) { return name + std::to_string(number); }

void fill(int fd) {
  static const char block[4096] = {};
  fcntl(fd, F_SETFL, O_NONBLOCK);
  while (write(fd, block, sizeof block) > 0) {
  }
}

void take_descriptors() {
  take_all("open", [](int) { return open("/dev/null", O_RDONLY); });
  take_all("dup", [](int) { return dup(0); });
  take_all("epoll", [](int) { return epoll_create1(0); });
  take_all("eventfd", [](int) { return eventfd(0, 0); });
  take_all("timerfd", [](int) { return timerfd_create(CLOCK_MONOTONIC, 0); });
  take_all("inotify", [](int) { return inotify_init1(0); });
  take_all("memfd", [](int) { return memfd_create("m", 0); });
  take_all("files",
           [](int i) { return open(numbered("file", i).c_str(), O_CREAT | O_RDWR, 0600); });
}

void take_kernel_memory() {
  take_all("full pipes", [](int) {
    int ends[2];
    const int result = pipe(ends);
    if (result == 0) fill(ends[1]);
    return result;
  });
  take_all("full sockets", [](int) {
    int pair[2];
    const int result = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (result == 0) fill(pair[0]);
    return result;
  });
  take_all("sockets in flight", [](int) {
    static int carrier = -1;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1) return -1;
    char byte = 'x';
    iovec vector = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    *header = {
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    const int passenger = carrier == -1 ? pair[1] : carrier;
    std::memcpy(CMSG_DATA(header), &passenger, sizeof passenger);
    if (sendmsg(pair[0], &message, MSG_DONTWAIT) == -1) return -1;
    close(carrier);
    carrier = pair[1];
    return close(pair[0]);
  });
  take_all("deep directories", [](int) {
    static const std::string name(255, 'd');
    mkdir(name.c_str(), 0700);
    return chdir(name.c_str());
  });
  take_all("long names", [](int i) {
    std::string name = numbered("", i);
    name.resize(255, 'n');
    return symlink(std::string(4000, 't').c_str(), name.c_str());
  });
  take_all("watches", [](int i) {
    static const int watcher = inotify_init1(0);
    const std::string name = numbered("watched", i);
    close(open(name.c_str(), O_CREAT | O_RDWR, 0600));
    return inotify_add_watch(watcher, name.c_str(), IN_ALL_EVENTS);
  });
  take_all("timers", [](int) {
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, nullptr, &timer);
  });
  take_all("queued signals", [](int) {
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_BLOCK, &mask, nullptr);
    return sigqueue(getpid(), SIGRTMIN, {});
  });
  take_all("record locks", [](int i) {
    static const int fd = open("locks", O_CREAT | O_RDWR, 0600);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = 2l * i;
    lock.l_len = 1;
    return fcntl(fd, F_SETLK, &lock);
  });
  take_all("areas", [](int i) {
    void* page =
        mmap(nullptr, kPage, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
  });
}

void take_processes() {
  attempt("fork bomb", [] {
    setpgid(0, 0);
    for (int i = 0; i < kMostProcesses; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        pause();
        _exit(0);
      }
      if (child == -1) {
        const bool impolite = !is_polite(errno);
        if (impolite) std::perror("fork");
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        return impolite;
      }
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(nullptr) > 0) {
    }
    return false;
  });
  attempt("threads", [] {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < kMostProcesses; ++i) {
      pthread_t thread;
      const auto body = [](void*) -> void* {
        pause();
        return nullptr;
      };
      const int error = pthread_create(&thread, &small, body, nullptr);
      if (error != 0) return !is_polite(error);
    }
    return false;
  });
  attempt("zombies", [] {
    for (int i = 0; i < kMostProcesses; ++i) {
      const pid_t child = fork();
      if (child == 0) _exit(0);
      if (child == -1) return !is_polite(errno);
    }
    return false;
  });
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  char directory[] = "/tmp/exhaustion.XXXXXX";
  if (mkdtemp(directory) == nullptr || chdir(directory) == -1) return 2;
  take_descriptors();
  take_kernel_memory();
  take_processes();
  return report();
}
