// Waiting for descriptors: poll, select, epoll, eventfd, timerfd, inotify.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <climits>

#include "check.h"

namespace {

int epoll_with(int fd, uint32_t events) {
  const int epoll = OK(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {.events = events, .data = {.fd = fd}};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  return epoll;
}

int ready(int epoll) {
  epoll_event events[8];
  return OK(epoll_wait(epoll, events, 8, 0));
}

void drain(const Signpost& post) { post.await(); }

std::string read_inotify(int fd) {
  alignas(inotify_event) char buffer[4096];
  const ssize_t size = OK(read(fd, buffer, sizeof buffer));
  std::string text;
  for (ssize_t at = 0; at < size;) {
    const auto* event = reinterpret_cast<inotify_event*>(buffer + at);
    char entry[300];
    std::snprintf(entry, sizeof entry, "%x:%s ", event->mask, event->len ? event->name : "");
    text += entry;
    at += sizeof *event + event->len;
  }
  return text;
}

}  // namespace

TEST(poll_forms) {
  const Signpost post;
  pollfd pollers[] = {{post.read_end(), POLLIN, 0}, {-1, POLLIN, 77}, {999, POLLIN, 0}};
  CHECK_EQ(poll(pollers, 2, 0), 0);
  CHECK_EQ(pollers[1].revents, 0);
  CHECK_EQ(poll(pollers, 3, 0), 1);
  CHECK_EQ(pollers[2].revents, POLLNVAL);
  post.reach();
  CHECK_EQ(poll(pollers, 1, -1), 1);
  CHECK_EQ(poll(nullptr, 0, 1), 0);
  CHECK_ERRNO(poll(reinterpret_cast<pollfd*>(8), 1, 0), EFAULT);
  write_file("file", "");
  pollfd file = {OK(open("file", O_RDWR)), POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&file, 1, 0), 1);
  CHECK_EQ(file.revents, POLLIN | POLLOUT);
  const rlimit limit = {2, 2};
  CHECK_EXIT(in_child([&] {
               OK(setrlimit(RLIMIT_NOFILE, &limit));
               CHECK_ERRNO(poll(pollers, 3, 0), EINVAL);
             }),
             0);
}

TEST(poll_wakes) {
  const Signpost post;
  const pid_t parent = getpid();
  const pid_t child = in_child([&] {
    await_state(parent, 'S');
    post.reach();
  });
  pollfd poller = {post.read_end(), POLLIN, 0};
  CHECK_EQ(poll(&poller, 1, -1), 1);
  CHECK_EXIT(child, 0);
}

TEST(ppoll_swaps_the_mask) {
  sigset_t usr1, none;
  sigemptyset(&none);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &usr1, nullptr));
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  OK(raise(SIGUSR1));
  CHECK_ERRNO(ppoll(nullptr, 0, nullptr, &none), EINTR);
  sigset_t now;
  OK(sigprocmask(SIG_BLOCK, nullptr, &now));
  CHECK(sigismember(&now, SIGUSR1));
  const timespec invalid = {0, -1}, zero = {0, 0};
  CHECK_ERRNO(ppoll(nullptr, 0, &invalid, nullptr), EINVAL);
  CHECK_EQ(ppoll(nullptr, 0, &zero, nullptr), 0);
}

TEST(select_forms) {
  const Signpost first, second;
  const int high = OK(dup2(second.read_end(), 500));
  first.reach();
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(first.read_end(), &readable);
  FD_SET(high, &readable);
  FD_SET(first.write_end(), &writable);
  timeval zero = {0, 0};
  CHECK_EQ(select(501, &readable, &writable, nullptr, &zero), 2);
  CHECK(FD_ISSET(first.read_end(), &readable));
  CHECK(!FD_ISSET(high, &readable));
  CHECK(FD_ISSET(first.write_end(), &writable));
  CHECK_ERRNO(select(-1, nullptr, nullptr, nullptr, &zero), EINVAL);
  FD_SET(400, &readable);
  CHECK_ERRNO(select(501, &readable, nullptr, nullptr, &zero), EBADF);
  timeval rest = {0, 2000};
  CHECK_EQ(select(0, nullptr, nullptr, nullptr, &rest), 0);
  // Linux: the time that is left is written back.
  CHECK_EQ(rest.tv_sec + rest.tv_usec, 0);
  const timespec now = {0, 0};
  CHECK_EQ(pselect(0, nullptr, nullptr, nullptr, &now, nullptr), 0);
}

TEST(epoll_level_and_edge) {
  const Signpost post;
  const int level = epoll_with(post.read_end(), EPOLLIN);
  const int edge = epoll_with(post.read_end(), EPOLLIN | EPOLLET);
  CHECK_EQ(ready(level), 0);
  post.reach();
  CHECK_EQ(ready(level), 1);
  CHECK_EQ(ready(level), 1);
  CHECK_EQ(ready(edge), 1);
  CHECK_EQ(ready(edge), 0);
  post.reach();
  CHECK_EQ(ready(edge), 1);
  drain(post);
  drain(post);
  CHECK_EQ(ready(level), 0);
}

TEST(epoll_oneshot) {
  const Signpost post;
  post.reach();
  const int epoll = epoll_with(post.read_end(), EPOLLIN | EPOLLONESHOT);
  CHECK_EQ(ready(epoll), 1);
  CHECK_EQ(ready(epoll), 0);
  epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = 42}};
  OK(epoll_ctl(epoll, EPOLL_CTL_MOD, post.read_end(), &event));
  epoll_event seen;
  CHECK_EQ(epoll_wait(epoll, &seen, 1, 0), 1);
  CHECK_EQ(uint64_t{seen.data.u64}, 42);
}

TEST(epoll_errors) {
  const Signpost post;
  const int epoll = epoll_with(post.read_end(), EPOLLIN);
  epoll_event event = {.events = EPOLLIN, .data = {}};
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, post.read_end(), &event), EEXIST);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_MOD, post.write_end(), &event), ENOENT);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, post.write_end(), nullptr), ENOENT);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, 999, &event), EBADF);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event), EINVAL);
  CHECK_ERRNO(epoll_ctl(epoll, 77, post.read_end(), &event), EINVAL);
  CHECK_ERRNO(epoll_ctl(post.read_end(), EPOLL_CTL_ADD, post.write_end(), &event), EINVAL);
  write_file("file", "");
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, OK(open("file", O_RDONLY)), &event), EPERM);
  CHECK_ERRNO(epoll_wait(epoll, &event, 0, 0), EINVAL);
  CHECK_ERRNO(epoll_wait(epoll, &event, -1, 0), EINVAL);
  CHECK_ERRNO(epoll_wait(post.read_end(), &event, 1, 0), EINVAL);
  CHECK_ERRNO(epoll_create(0), EINVAL);
  CHECK_ERRNO(epoll_create1(1), EINVAL);
}

TEST(epoll_hang_up_and_error_are_always_reported) {
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  const int epoll = epoll_with(pair[0], EPOLLRDHUP);
  OK(shutdown(pair[1], SHUT_WR));
  epoll_event event;
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
  CHECK_EQ(uint32_t{event.events}, EPOLLRDHUP);
  OK(close(pair[1]));
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
  CHECK(event.events & EPOLLHUP);
}

TEST(epoll_nested) {
  const Signpost post;
  const int inner = epoll_with(post.read_end(), EPOLLIN);
  const int outer = epoll_with(inner, EPOLLIN);
  CHECK_EQ(ready(outer), 0);
  post.reach();
  CHECK_EQ(ready(outer), 1);
  pollfd poller = {outer, POLLIN, 0};
  CHECK_EQ(poll(&poller, 1, 0), 1);
  drain(post);
  CHECK_EQ(ready(outer), 0);
  epoll_event event = {.events = EPOLLIN, .data = {}};
  CHECK_ERRNO(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event), ELOOP);
}

TEST(epoll_forgets_closed_files) {
  const int fd = OK(eventfd(1, 0));
  const int copy = OK(dup(fd));
  const int epoll = epoll_with(fd, EPOLLIN);
  OK(close(fd));
  // The open file lives on in the copy.
  CHECK_EQ(ready(epoll), 1);
  OK(close(copy));
  CHECK_EQ(ready(epoll), 0);
}

TEST(epoll_is_fair) {
  std::vector<int> fds;
  const int epoll = OK(epoll_create1(0));
  for (int i = 0; i < 4; ++i) {
    fds.push_back(OK(eventfd(1, 0)));
    epoll_event event = {.events = EPOLLIN, .data = {.u32 = static_cast<uint32_t>(i)}};
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
  }
  unsigned seen = 0;
  for (int i = 0; i < 4; ++i) {
    epoll_event event;
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    seen |= 1u << event.data.u32;
  }
  CHECK_EQ(seen, 0xf);
}

TEST(epoll_wakes_a_sleeper) {
  const Signpost post;
  const int epoll = epoll_with(post.read_end(), EPOLLIN | EPOLLET);
  const pid_t parent = getpid();
  const pid_t child = in_child([&] {
    await_state(parent, 'S');
    post.reach();
  });
  epoll_event event;
  CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  CHECK_EXIT(child, 0);
}

TEST(eventfd_counts) {
  const int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
  uint64_t value;
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 3);
  CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
  CHECK_ERRNO(read(fd, &value, 4), EINVAL);
  value = 5;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 10);
  value = UINT64_MAX;
  CHECK_ERRNO(write(fd, &value, 8), EINVAL);
  value = UINT64_MAX - 1;
  CHECK_EQ(write(fd, &value, 8), 8);
  value = 1;
  CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
  pollfd poller = {fd, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&poller, 1, 0), 1);
  CHECK_EQ(poller.revents, POLLIN);
  CHECK_ERRNO(eventfd(0, 0x100), EINVAL);
}

TEST(eventfd_semaphore) {
  const int fd = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
  uint64_t value;
  for (int i = 0; i < 2; ++i) {
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 1);
  }
  CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
}

TEST(eventfd_blocks_between_processes) {
  const int fd = OK(eventfd(0, 0));
  const pid_t child = in_child([=] {
    uint64_t value;
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 7);
  });
  await_state(child, 'S');
  const uint64_t value = 7;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EXIT(child, 0);
}

TEST(timerfd_expires) {
  const int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  uint64_t expirations;
  CHECK_ERRNO(read(fd, &expirations, 8), EAGAIN);
  itimerspec spec = {{0, 1000000}, {0, 1000000}};
  OK(timerfd_settime(fd, 0, &spec, nullptr));
  pollfd poller = {fd, POLLIN, 0};
  CHECK_EQ(poll(&poller, 1, -1), 1);
  CHECK_EQ(read(fd, &expirations, 8), 8);
  CHECK(expirations >= 1);
  OK(timerfd_gettime(fd, &spec));
  CHECK_EQ(spec.it_interval.tv_nsec, 1000000);
  itimerspec off = {}, old;
  OK(timerfd_settime(fd, 0, &off, &old));
  CHECK_EQ(old.it_interval.tv_nsec, 1000000);
  OK(timerfd_gettime(fd, &spec));
  CHECK_EQ(spec.it_value.tv_nsec + spec.it_value.tv_sec, 0);
}

TEST(timerfd_absolute_and_errors) {
  const int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
  itimerspec past = {{0, 0}, {1, 0}};
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, nullptr));
  uint64_t expirations;
  CHECK_EQ(read(fd, &expirations, 8), 8);
  CHECK_EQ(expirations, 1);
  CHECK_ERRNO(read(fd, &expirations, 7), EINVAL);
  past.it_value.tv_nsec = 1000000000;
  CHECK_ERRNO(timerfd_settime(fd, 0, &past, nullptr), EINVAL);
  CHECK_ERRNO(timerfd_settime(STDOUT_FILENO, 0, &past, nullptr), EINVAL);
  CHECK_ERRNO(timerfd_settime(999, 0, &past, nullptr), EINVAL);
  CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
}

TEST(inotify_reports_changes) {
  const int fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  const int watch =
      OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE));
  char byte[300];
  CHECK_ERRNO(read(fd, byte, sizeof byte), EAGAIN);
  write_file("file", "x");
  CHECK_EQ(read_inotify(fd), "100:file 8:file ");
  OK(rename("file", "moved"));
  CHECK_EQ(read_inotify(fd), "40:file 80:moved ");
  OK(mkdir("directory", 0755));
  CHECK_EQ(read_inotify(fd), "40000100:directory ");
  OK(unlink("moved"));
  CHECK_EQ(read_inotify(fd), "200:moved ");
  OK(inotify_rm_watch(fd, watch));
  CHECK_EQ(read_inotify(fd), "8000: ");
  CHECK_ERRNO(inotify_rm_watch(fd, watch), EINVAL);
  CHECK_ERRNO(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
  CHECK_ERRNO(inotify_add_watch(fd, ".", 0), EINVAL);
}

TEST(inotify_on_a_file) {
  write_file("file", "x");
  const int fd = OK(inotify_init1(IN_NONBLOCK));
  OK(inotify_add_watch(fd, "file", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF));
  const int file = OK(open("file", O_WRONLY));
  CHECK_EQ(write(file, "y", 1), 1);
  CHECK_EQ(read_inotify(fd), "2: ");
  OK(chmod("file", 0600));
  CHECK_EQ(read_inotify(fd), "4: ");
  OK(close(file));
  OK(unlink("file"));
  CHECK_EQ(read_inotify(fd), "4: 400: 8000: ");
}

TEST(inotify_of_a_deleted_file_in_use) {
  write_file("file", "x");
  const int fd = OK(inotify_init1(IN_NONBLOCK));
  OK(inotify_add_watch(fd, "file", IN_ATTRIB | IN_DELETE_SELF));
  OK(link("file", "other"));
  CHECK_EQ(read_inotify(fd), "4: ");
  int file = OK(open("file", O_RDONLY));
  OK(unlink("other"));
  OK(unlink("file"));
  CHECK_EQ(read_inotify(fd), "4: ");
  OK(close(file));
  CHECK_EQ(read_inotify(fd), "400: 8000: ");

  write_file("file", "x");
  write_file("new", "x");
  OK(inotify_add_watch(fd, "file", IN_ATTRIB | IN_DELETE_SELF));
  file = OK(open("file", O_RDONLY));
  OK(rename("new", "file"));
  CHECK_EQ(read_inotify(fd), "4: ");
  OK(close(file));
  CHECK_EQ(read_inotify(fd), "400: 8000: ");
}

TEST(inotify_on_a_directory_itself) {
  OK(mkdir("directory", 0755));
  const int fd = OK(inotify_init1(IN_NONBLOCK));
  OK(inotify_add_watch(fd, "directory", IN_ACCESS | IN_OPEN | IN_CLOSE | IN_DELETE_SELF));
  CHECK(std::filesystem::is_empty("directory"));
  CHECK_EQ(read_inotify(fd), "40000020: 40000001: 40000010: ");
  OK(rmdir("directory"));
  CHECK_EQ(read_inotify(fd), "400: 8000: ");
}

TEST(what_epoll_cannot_watch) {
  write_file("file", "x");
  const int epoll = OK(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {.events = EPOLLIN, .data = {}};
  for (const char* path : {"file", ".", "/dev/null", "/dev/zero"}) {
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, OK(open(path, O_RDONLY)), &event), EPERM);
  }
}
