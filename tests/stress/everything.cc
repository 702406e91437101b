// Everything at once: random calls on the same few names, numbers, areas and processes. What each
// call answers only its neighbours could tell; here it is an answer of its manual page, none hangs,
// and when all is quiet the directory can be emptied and the kernel still does what it is asked.
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <filesystem>
#include <set>

#include "stage.h"

using namespace stress;

namespace {

constexpr int kFirst = 60, kNumbers = 24;  // descriptors that all threads of a process use
constexpr size_t kArea = 64 * 4096;

struct Player {
  Worker& worker;
  char* area;  // of the process: reserved, its pages come and go
  char buffer[2048];

  u64 below(u64 bound) { return worker.random.below(bound); }
  int number() { return kFirst + below(kNumbers); }
  std::string name() {
    const char* names[] = {"a",          "b",   "c",        "d",     "sub/a",   "sub/b",
                           "sub/deep/a", "sub", "sub/deep", "other", "other/a", "link/a"};
    return names[below(std::size(names))];
  }
  /// `fd` becomes one of the numbers.
  int place(int fd) {
    if (fd == -1) return -1;
    const int result = dup3(fd, number(), below(2) ? O_CLOEXEC : 0);
    const int error = errno;
    close(fd);
    errno = error;
    return result;
  }
  int place(int result, int* fds) {
    if (result == -1) return -1;
    place(fds[0]);
    return place(fds[1]);
  }
};

struct Call {
  const char* name;
  long (*make)(Player&);
};

sockaddr_un address_of(u64 which) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "socket%lu", which);
  return address;
}

const Call kCalls[] = {
    {"open",
     [](Player& p) -> long {
       const int flags[] = {O_RDONLY,
                            O_RDWR,
                            O_RDWR | O_CREAT,
                            O_RDWR | O_CREAT | O_EXCL,
                            O_WRONLY | O_TRUNC | O_CREAT,
                            O_RDWR | O_APPEND,
                            O_PATH,
                            O_RDONLY | O_DIRECTORY,
                            O_RDONLY | O_NOFOLLOW};
       return p.place(
           open(p.name().c_str(), flags[p.below(std::size(flags))] | O_NONBLOCK | O_CLOEXEC, 0600));
     }},
    {"openat",
     [](Player& p) -> long {
       return p.place(
           openat(p.number(), p.below(2) ? "a" : "..", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
     }},
    {"tmpfile",
     [](Player& p) -> long { return p.place(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }},
    {"close", [](Player& p) -> long { return close(p.number()); }},
    {"dup2", [](Player& p) -> long { return dup2(p.number(), p.number()); }},
    {"fcntl",
     [](Player& p) -> long {
       return fcntl(p.number(), p.below(2) ? F_GETFL : F_SETFD, p.below(2));
     }},
    {"pipe",
     [](Player& p) -> long {
       int fds[2];
       return p.place(pipe2(fds, O_NONBLOCK | O_CLOEXEC), fds);
     }},
    {"socketpair",
     [](Player& p) -> long {
       const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
       int fds[2];
       return p.place(socketpair(AF_UNIX, types[p.below(3)] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                      fds);
     }},
    {"listen",
     [](Player& p) -> long {
       const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
       const sockaddr_un address = address_of(p.below(2));
       if (p.below(2)) unlink(address.sun_path);
       if (bind(fd, (const sockaddr*)&address, sizeof address) == 0) listen(fd, 2);
       return p.place(fd);
     }},
    {"connect",
     [](Player& p) -> long {
       const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
       const sockaddr_un address = address_of(p.below(2));
       if (connect(fd, (const sockaddr*)&address, sizeof address) == -1) {
         close(fd);
         return 0;
       }
       return p.place(fd);
     }},
    {"accept",
     [](Player& p) -> long {
       return p.place(accept4(p.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
     }},
    {"shutdown", [](Player& p) -> long { return shutdown(p.number(), p.below(3)); }},
    {"eventfd",
     [](Player& p) -> long { return p.place(eventfd(p.below(3), EFD_NONBLOCK | EFD_CLOEXEC)); }},
    {"timerfd",
     [](Player& p) -> long {
       const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
       const itimerspec times{{0, 200'000}, {0, 200'000}};
       timerfd_settime(fd, 0, &times, nullptr);
       return p.place(fd);
     }},
    {"signalfd",
     [](Player& p) -> long {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR2);
       return p.place(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
     }},
    {"inotify",
     [](Player& p) -> long {
       const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
       if (fd != -1) inotify_add_watch(fd, p.below(2) ? "." : "sub", IN_ALL_EVENTS);
       // The host allows a user so many.
       return fd == -1 ? 0 : p.place(fd);
     }},
    {"epoll_create", [](Player& p) -> long { return p.place(epoll_create1(EPOLL_CLOEXEC)); }},
    {"epoll_ctl",
     [](Player& p) -> long {
       epoll_event event{
           (u32)p.below(2) * EPOLLET | (u32)p.below(2) * EPOLLONESHOT | EPOLLIN | EPOLLOUT,
           {.u64 = 1}};
       return epoll_ctl(p.number(), 1 + p.below(3), p.number(), &event);
     }},
    {"epoll_wait",
     [](Player& p) -> long {
       epoll_event events[8];
       return epoll_wait(p.number(), events, 8, p.below(2));
     }},
    {"poll",
     [](Player& p) -> long {
       pollfd fds[6];
       for (pollfd& fd : fds) fd = {p.number(), (short)(POLLIN | POLLOUT), 0};
       return poll(fds, 6, p.below(3));
     }},
    {"read",
     [](Player& p) -> long { return read(p.number(), p.buffer, p.below(sizeof p.buffer)); }},
    {"pread",
     [](Player& p) -> long {
       return pread(p.number(), p.buffer, p.below(sizeof p.buffer), p.below(9000));
     }},
    {"write",
     [](Player& p) -> long { return write(p.number(), p.buffer, p.below(sizeof p.buffer)); }},
    {"writev",
     [](Player& p) -> long {
       iovec parts[] = {{p.buffer, p.below(500)}, {p.buffer + 500, p.below(500)}};
       return writev(p.number(), parts, 2);
     }},
    {"lseek", [](Player& p) -> long { return lseek(p.number(), p.below(5000), p.below(3)); }},
    {"ftruncate", [](Player& p) -> long { return ftruncate(p.number(), p.below(9000)); }},
    {"fsync", [](Player& p) -> long { return p.below(20) ? 0 : fdatasync(p.number()); }},
    {"sendfile",
     [](Player& p) -> long { return sendfile(p.number(), p.number(), nullptr, p.below(3000)); }},
    {"splice",
     [](Player& p) -> long {
       return splice(p.number(), nullptr, p.number(), nullptr, p.below(3000), SPLICE_F_NONBLOCK);
     }},
    {"fstat",
     [](Player& p) -> long {
       struct stat status;
       return fstat(p.number(), &status);
     }},
    {"fchmod", [](Player& p) -> long { return fchmod(p.number(), 0600 | p.below(8)); }},
    {"getdents",
     [](Player& p) -> long {
       return syscall(SYS_getdents64, p.number(), p.buffer, sizeof p.buffer);
     }},
    {"flock",
     [](Player& p) -> long {
       const int how[] = {LOCK_SH, LOCK_EX, LOCK_UN};
       return flock(p.number(), how[p.below(3)] | LOCK_NB);
     }},
    {"record lock",
     [](Player& p) -> long {
       struct flock lock {};
       const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
       lock.l_type = types[p.below(3)];
       lock.l_start = p.below(100);
       lock.l_len = p.below(100);
       return fcntl(p.number(), p.below(2) ? F_SETLK : F_OFD_SETLK, &lock);
     }},
    {"send a file",
     [](Player& p) -> long {
       iovec data{p.buffer, 1};
       alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
       msghdr message{};
       message.msg_iov = &data;
       message.msg_iovlen = 1;
       message.msg_control = control;
       message.msg_controllen = sizeof control;
       cmsghdr* header = CMSG_FIRSTHDR(&message);
       header->cmsg_level = SOL_SOCKET;
       header->cmsg_type = SCM_RIGHTS;
       header->cmsg_len = CMSG_LEN(sizeof(int));
       const int fd = p.number();
       memcpy(CMSG_DATA(header), &fd, sizeof fd);
       return sendmsg(p.number(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
     }},
    {"receive a file",
     [](Player& p) -> long {
       iovec data{p.buffer, 8};
       alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
       msghdr message{};
       message.msg_iov = &data;
       message.msg_iovlen = 1;
       message.msg_control = control;
       message.msg_controllen = sizeof control;
       const long result = recvmsg(p.number(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
       if (result < 0) return result;
       for (cmsghdr* header = CMSG_FIRSTHDR(&message); header;
            header = CMSG_NXTHDR(&message, header)) {
         for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
           int fd;
           memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
           p.place(fd);
         }
       }
       return result;
     }},
    {"stat",
     [](Player& p) -> long {
       struct stat status;
       return stat(p.name().c_str(), &status);
     }},
    {"access", [](Player& p) -> long { return access(p.name().c_str(), R_OK); }},
    {"unlink", [](Player& p) -> long { return unlink(p.name().c_str()); }},
    {"rename", [](Player& p) -> long { return rename(p.name().c_str(), p.name().c_str()); }},
    {"exchange",
     [](Player& p) -> long {
       return syscall(SYS_renameat2, AT_FDCWD, p.name().c_str(), AT_FDCWD, p.name().c_str(), 2);
     }},
    {"link", [](Player& p) -> long { return link(p.name().c_str(), p.name().c_str()); }},
    {"link of a number",
     [](Player& p) -> long {
       const std::string from = "/proc/self/fd/" + std::to_string(p.number());
       return linkat(AT_FDCWD, from.c_str(), AT_FDCWD, p.name().c_str(), AT_SYMLINK_FOLLOW);
     }},
    {"symlink",
     [](Player& p) -> long {
       return symlink(p.below(2) ? "sub" : "a", p.below(2) ? "link" : p.name().c_str());
     }},
    {"mkdir", [](Player& p) -> long { return mkdir(p.name().c_str(), 0700); }},
    {"rmdir", [](Player& p) -> long { return rmdir(p.name().c_str()); }},
    {"chmod", [](Player& p) -> long { return chmod(p.name().c_str(), 0700); }},
    {"truncate", [](Player& p) -> long { return truncate(p.name().c_str(), p.below(9000)); }},
    {"setxattr",
     [](Player& p) -> long {
       return setxattr(p.name().c_str(), "user.mix", p.buffer, p.below(60), 0);
     }},
    {"getxattr",
     [](Player& p) -> long {
       return getxattr(p.name().c_str(), "user.mix", p.buffer, sizeof p.buffer);
     }},
    {"utimens",
     [](Player& p) -> long { return utimensat(AT_FDCWD, p.name().c_str(), nullptr, 0); }},
    {"readlink of a number",
     [](Player& p) -> long {
       const std::string path = "/proc/self/fd/" + std::to_string(p.number());
       return readlink(path.c_str(), p.buffer, sizeof p.buffer);
     }},
    {"getcwd", [](Player& p) -> long { return syscall(SYS_getcwd, p.buffer, sizeof p.buffer); }},
    {"map a file",
     [](Player& p) -> long {
       const size_t at = p.below(60) * 4096;
       // Not straight to its place: Linux unmaps what is there before it knows that the file cannot
       // be mapped, and something of the C library's might come to lie in the hole.
       void* memory = mmap(nullptr, 4 * 4096, PROT_READ | p.below(2) * PROT_WRITE,
                           p.below(2) ? MAP_SHARED : MAP_PRIVATE, p.number(), 0);
       if (memory == MAP_FAILED) return -1;
       return (long)mremap(memory, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
                           p.area + at) == -1
                  ? -1
                  : 0;
     }},
    {"map anew",
     [](Player& p) -> long {
       const size_t at = p.below(60) * 4096;
       return (long)mmap(p.area + at, 4 * 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == -1
                  ? -1
                  : 0;
     }},
    {"protect",
     [](Player& p) -> long {
       return mprotect(p.area + p.below(60) * 4096, 3 * 4096,
                       p.below(2) ? PROT_NONE : PROT_READ | PROT_WRITE);
     }},
    {"read into the area",
     [](Player& p) -> long { return pread(p.number(), p.area + p.below(kArea - 4096), 4000, 0); }},
    {"write from the area",
     [](Player& p) -> long { return write(p.number(), p.area + p.below(kArea - 4096), 1000); }},
    {"advise",
     [](Player& p) -> long {
       return madvise(p.area + p.below(60) * 4096, 2 * 4096, MADV_DONTNEED);
     }},
    {"signal", [](Player& p) -> long { return kill(getpid(), p.below(2) ? SIGUSR1 : SIGALRM); }},
    {"fork",
     [](Player& p) -> long {
       if (p.below(4) != 0) return 0;
       const pid_t child = fork();
       if (child == -1) return -1;
       if (child == 0) {
         for (int i = 0; i < kNumbers; i += 2) close(kFirst + i);
         _exit(0);
       }
       if (p.below(3) == 0) kill(child, SIGKILL);
       return waitpid(child, nullptr, 0);
     }},
    {"exec",
     [](Player& p) -> long {
       if (p.below(8) != 0) return 0;
       const char* arguments[] = {"stress", "--helper", "nothing", nullptr};
       const pid_t child = vfork();
       if (child == 0) {
         execv("/proc/self/exe", (char* const*)arguments);
         _exit(1);
       }
       return child == -1 ? -1 : waitpid(child, nullptr, 0);
     }},
    {"timer",
     [](Player& p) -> long {
       const itimerval times{{0, 0}, {0, (long)p.below(3000)}};
       return setitimer(ITIMER_REAL, &times, nullptr);
     }},
    {"a listing of the tables",
     [](Player& p) -> long {
       const char* paths[] = {"/proc/self/maps", "/proc/self/status", "/proc/self/stat",
                              "/proc/mounts"};
       const int fd = open(paths[p.below(4)], O_RDONLY | O_CLOEXEC);
       if (fd == -1) return -1;
       const long result = read(fd, p.buffer, sizeof p.buffer);
       close(fd);
       return result;
     }},
};

/// What no call here may answer.
bool is_odd(int error) {
  switch (error) {
    case ENOSYS:
    case EIO:
    case ENOMEM:
    case ENFILE:
    case EMFILE:
    case EUCLEAN:
    case EDEADLK:
    case ENOTRECOVERABLE:
    case EOWNERDEAD:
      return true;
    default:
      return error <= 0 || error > 133;
  }
}

}  // namespace

SCENE(everything) {
  stage.rounds([&] {
    OK(mkdir("play", 0700));
    OK(chdir("play"));
    stage.everyone([&](Worker& worker) {
      static char* area;
      static Gate gate(stage.threads);
      if (worker.thread == 0) {
        for (int signal : {SIGUSR1, SIGALRM, SIGPIPE}) {
          struct sigaction action {};
          action.sa_handler = [](int) {};
          action.sa_flags = SA_RESTART;
          OK(sigaction(signal, &action, nullptr));
        }
        void* memory = mmap(nullptr, kArea, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(memory != MAP_FAILED);
        area = (char*)memory;
      }
      gate.pass();
      Player player{worker, area, {}};
      for (int i = 0; i < 250; ++i) {
        const Call& call = kCalls[worker.random.below(std::size(kCalls))];
        worker.step(call.name);
        errno = 0;
        if (call.make(player) != -1) continue;
        const int error = errno;
        if (is_odd(error)) FAIL(std::string(call.name) + ": " + strerror(error));
      }
      gate.pass();
    });
    OK(chdir(".."));
    std::error_code error;
    std::filesystem::remove_all("play", error);
    if (error) FAIL("the directory cannot be emptied: " + error.message());
  });
}
