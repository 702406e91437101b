// Many threads and processes on the same pipes, FIFOs, epoll sets and event files.
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <atomic>
#include <functional>
#include <memory>

#include "check.h"

namespace {

class Thread {
 public:
  template <typename Body>
  explicit Thread(Body body) : body_(body) {
    CHECK_EQ(pthread_create(
                 &thread_, nullptr,
                 [](void* self) -> void* {
                   auto* thread = static_cast<Thread*>(self);
                   thread->tid_ = static_cast<pid_t>(syscall(SYS_gettid));
                   thread->body_();
                   return nullptr;
                 },
                 this),
             0);
  }
  ~Thread() { CHECK_EQ(pthread_join(thread_, nullptr), 0); }
  Thread(const Thread&) = delete;

  void await_sleep() const {
    while (tid_ == 0) sched_yield();
    await_state(tid_, 'S');
  }

 private:
  std::function<void()> body_;
  pthread_t thread_;
  std::atomic<pid_t> tid_ = 0;
};
using Threads = std::vector<std::unique_ptr<Thread>>;

template <typename Body>
Threads start(int count, Body body) {
  Threads threads;
  for (int i = 0; i < count; ++i) {
    threads.push_back(std::make_unique<Thread>([body, i] { body(i); }));
  }
  return threads;
}

struct Pipe {
  explicit Pipe(int flags = 0) { OK(pipe2(ends, flags | O_CLOEXEC)); }
  ~Pipe() {
    shut(0);
    shut(1);
  }
  Pipe(const Pipe&) = delete;
  int in() const { return ends[0]; }
  int out() const { return ends[1]; }
  void shut(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
  int ends[2];
};

void watch(int epoll, int fd, uint32_t events, uint64_t data) {
  epoll_event event = {.events = events, .data = {.u64 = data}};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int queued(int fd) {
  int bytes = 0;
  OK(ioctl(fd, FIONREAD, &bytes));
  return bytes;
}

}  // namespace

TEST(pipe_writes_are_atomic_among_writers) {
  constexpr int kWriters = 4, kRecords = 400;
  const Pipe pipe;
  {
    const Threads writers = start(kWriters, [&](int id) {
      for (int i = 0; i < kRecords; ++i) {
        const int size = 8 + (i * 997 + id * 131) % (PIPE_BUF - 8);
        std::string record(static_cast<size_t>(size), static_cast<char>('a' + id));
        std::memcpy(record.data(), &size, sizeof size);
        CHECK_EQ(write(pipe.out(), record.data(), record.size()), size);
      }
    });
    auto take = [&](char* to, size_t size) {
      for (size_t done = 0; done < size;) {
        const ssize_t got = OK(read(pipe.in(), to + done, size - done));
        CHECK(got > 0);
        done += static_cast<size_t>(got);
      }
    };
    char record[PIPE_BUF];
    for (int i = 0; i < kWriters * kRecords; ++i) {
      int size = 0;
      take(reinterpret_cast<char*>(&size), sizeof size);
      CHECK(size >= 8 && size <= PIPE_BUF);
      take(record + 4, static_cast<size_t>(size) - 4);
      for (int at = 5; at < size; ++at) CHECK_EQ(record[at], record[4]);
    }
  }
  CHECK_EQ(queued(pipe.in()), 0);
}

TEST(pipe_readers_share_all_there_is) {
  constexpr int kReaders = 8, kBytes = 20000;
  Pipe pipe;
  std::atomic<int> got = 0, ends = 0;
  {
    const Threads readers = start(kReaders, [&](int id) {
      char bytes[16];
      for (;;) {
        const ssize_t count = OK(read(pipe.in(), bytes, 1 + static_cast<size_t>(id % 3)));
        if (count == 0) break;
        got += static_cast<int>(count);
      }
      ++ends;
    });
    char block[257] = {};
    for (int sent = 0; sent < kBytes;) {
      const int size = std::min<int>(kBytes - sent, 1 + sent % 257);
      sent += static_cast<int>(OK(write(pipe.out(), block, static_cast<size_t>(size))));
    }
    pipe.shut(1);
  }
  CHECK_EQ(got.load(), kBytes);
  CHECK_EQ(ends.load(), kReaders);
}

TEST(pipe_end_is_told_to_all_who_wait) {
  for (int round = 0; round < 20; ++round) {
    Pipe pipe;
    const Threads readers = start(6, [&](int) {
      char byte;
      CHECK_EQ(read(pipe.in(), &byte, 1), 0);
    });
    if (round % 2) {
      for (const auto& reader : readers) reader->await_sleep();
    }
    pipe.shut(1);
  }
}

TEST(pipe_break_is_told_to_all_who_wait) {
  signal(SIGPIPE, SIG_IGN);
  for (int round = 0; round < 20; ++round) {
    Pipe pipe;
    const std::string fill(65536, 'x');
    CHECK_EQ(write(pipe.out(), fill.data(), fill.size()), 65536);
    const Threads writers = start(6, [&](int) { CHECK_ERRNO(write(pipe.out(), "y", 1), EPIPE); });
    if (round % 2) {
      for (const auto& writer : writers) writer->await_sleep();
    }
    pipe.shut(0);
  }
}

TEST(pipe_many_writers_into_a_full_pipe) {
  constexpr int kWriters = 6, kWrites = 200;
  const Pipe pipe;
  OK(fcntl(pipe.in(), F_SETPIPE_SZ, 4096));
  const Threads writers = start(kWriters, [&](int id) {
    const std::string data(static_cast<size_t>(100 + id * 700), 'w');
    for (int i = 0; i < kWrites; ++i) {
      CHECK_EQ(write(pipe.out(), data.data(), data.size()), data.size());
    }
  });
  long expected = 0;
  for (int id = 0; id < kWriters; ++id) expected += (100 + id * 700) * kWrites;
  std::string buffer(3000, '\0');
  while (expected != 0) {
    expected -= OK(read(pipe.in(), buffer.data(), std::min<size_t>(buffer.size(), expected)));
  }
}

TEST(pipe_resize_keeps_the_stream) {
  constexpr int kNumbers = 50000;
  const Pipe pipe;
  std::atomic<bool> stop = false;
  const Thread resizer([&] {
    for (int i = 0; !stop; ++i) {
      const int result = fcntl(pipe.in(), F_SETPIPE_SZ, 4096 << i % 6);
      CHECK(result > 0 || errno == EBUSY);
    }
  });
  const Thread writer([&] {
    for (int i = 0; i < kNumbers; ++i) CHECK_EQ(write(pipe.out(), &i, sizeof i), 4);
  });
  for (int i = 0; i < kNumbers; ++i) {
    int number = -1;
    CHECK_EQ(read(pipe.in(), &number, sizeof number), 4);
    CHECK_EQ(number, i);
  }
  stop = true;
}

TEST(splice_in_a_ring) {
  // What goes round two pipes in both directions stays as much as it was.
  const Pipe a, b;
  const std::string data(20000, 'r');
  CHECK_EQ(write(a.out(), data.data(), data.size()), 20000);
  {
    const Threads movers = start(4, [&](int id) {
      const Pipe& from = id % 2 ? a : b;
      const Pipe& to = id % 2 ? b : a;
      for (int i = 0; i < 300; ++i) {
        const ssize_t moved = splice(from.in(), nullptr, to.out(), nullptr,
                                     static_cast<size_t>(1 + i * 37 % 9000), SPLICE_F_NONBLOCK);
        CHECK(moved > 0 || errno == EAGAIN);
      }
    });
  }
  CHECK_EQ(queued(a.in()) + queued(b.in()), 20000);
}

TEST(tee_beside_a_reader) {
  const Pipe from, to;
  std::atomic<bool> stop = false;
  const Thread copier([&] {
    char bytes[4096];
    while (!stop) {
      if (tee(from.in(), to.out(), 512, SPLICE_F_NONBLOCK) <= 0) continue;
      const ssize_t got = OK(read(to.in(), bytes, sizeof bytes));
      for (ssize_t i = 1; i < got; ++i) {
        CHECK_EQ(static_cast<uint8_t>(bytes[i]), static_cast<uint8_t>(bytes[i - 1] + 1));
      }
    }
  });
  const Thread writer([&] {
    uint8_t next = 0;
    for (int i = 0; i < 3000; ++i) {
      uint8_t bytes[100];
      for (uint8_t& byte : bytes) byte = next++;
      CHECK_EQ(write(from.out(), bytes, sizeof bytes), 100);
    }
  });
  uint8_t next = 0;
  for (int left = 300000; left != 0;) {
    uint8_t bytes[333];
    const ssize_t got = OK(read(from.in(), bytes, sizeof bytes));
    for (ssize_t i = 0; i < got; ++i) CHECK_EQ(bytes[i], next++);
    left -= static_cast<int>(got);
  }
  stop = true;
}

TEST(fifo_partners_meet) {
  OK(mkfifo("fifo", 0600));
  constexpr int kRounds = 300;
  const Signpost closed;
  const pid_t writer = in_child([&] {
    for (int i = 0; i < kRounds; ++i) {
      const int fd = OK(open("fifo", O_WRONLY));
      CHECK_EQ(write(fd, &i, sizeof i), 4);
      close(fd);
      closed.await();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    const int fd = OK(open("fifo", O_RDONLY));
    int number = -1;
    CHECK_EQ(read(fd, &number, sizeof number), 4);
    CHECK_EQ(number, i);
    CHECK_EQ(read(fd, &number, sizeof number), 0);
    close(fd);
    closed.reach();
  }
  CHECK_EXIT(writer, 0);
}

TEST(fifo_many_open_and_close) {
  OK(mkfifo("fifo", 0600));
  const Threads all = start(6, [](int id) {
    for (int i = 0; i < 200; ++i) {
      const int flags = id % 3 == 0 ? O_RDWR : id % 3 == 1 ? O_RDONLY : O_WRONLY;
      const int fd = open("fifo", flags | O_NONBLOCK);
      CHECK(fd >= 0 || errno == ENXIO);
      if (fd >= 0) close(fd);
    }
  });
}

TEST(epoll_exclusive_wakes_one_set) {
  const int event = OK(eventfd(0, 0));
  std::atomic<int> woken = 0;
  const int stop = OK(eventfd(0, 0));
  const Threads waiters = start(4, [&](int) {
    const int epoll = OK(epoll_create1(0));
    watch(epoll, event, EPOLLIN | EPOLLEXCLUSIVE, 1);
    watch(epoll, stop, EPOLLIN, 2);
    epoll_event found;
    CHECK_EQ(epoll_wait(epoll, &found, 1, -1), 1);
    if (found.data.u64 == 1) ++woken;
    pollfd stopped = {stop, POLLIN, 0};
    CHECK_EQ(poll(&stopped, 1, -1), 1);
    close(epoll);
  });
  for (const auto& waiter : waiters) waiter->await_sleep();
  OK(eventfd_write(event, 1));
  while (woken == 0) sched_yield();
  for (const auto& waiter : waiters) waiter->await_sleep();
  CHECK_EQ(woken.load(), 1);
  OK(eventfd_write(stop, 1));
}

TEST(epoll_each_event_wakes_a_waiter) {
  const int epoll = OK(epoll_create1(0)), event = OK(eventfd(0, EFD_SEMAPHORE));
  watch(epoll, event, EPOLLIN | EPOLLET, 1);
  std::atomic<int> woken = 0;
  const Threads waiters = start(4, [&](int) {
    epoll_event found;
    CHECK_EQ(epoll_wait(epoll, &found, 1, -1), 1);
    ++woken;
  });
  for (int i = 1; i <= 4; ++i) {
    OK(eventfd_write(event, 1));
    while (woken < i) sched_yield();
  }
}

TEST(epoll_oneshot_is_told_once) {
  constexpr int kThreads = 4, kRounds = 2000;
  const int epoll = OK(epoll_create1(0)), event = OK(eventfd(0, EFD_NONBLOCK));
  watch(epoll, event, EPOLLIN | EPOLLONESHOT, 0);
  std::atomic<int> inside = 0, told = 0;
  const Threads threads = start(kThreads, [&](int) {
    while (told < kRounds) {
      epoll_event found;
      if (OK(epoll_wait(epoll, &found, 1, 10)) == 0) continue;
      CHECK_EQ(inside.fetch_add(1), 0);
      ++told;
      eventfd_t value;
      (void)eventfd_read(event, &value);
      CHECK_EQ(inside.fetch_sub(1), 1);
      epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = 0}};
      OK(epoll_ctl(epoll, EPOLL_CTL_MOD, event, &again));
    }
  });
  while (told < kRounds) {
    OK(eventfd_write(event, 1));
    sched_yield();
  }
}

TEST(epoll_oneshot_of_a_socket_is_told_once) {
  constexpr int kThreads = 4, kRounds = 2000;
  // A listening socket of the network with a connection that is never taken: always ready.
  const int epoll = OK(epoll_create1(0)), listener = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(listen(listener, 5));
  sockaddr_storage name = {};
  socklen_t size = sizeof name;
  OK(getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size));
  const int client = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(connect(client, reinterpret_cast<sockaddr*>(&name), size));
  watch(epoll, listener, EPOLLIN | EPOLLONESHOT, 0);
  std::atomic<int> inside = 0, told = 0;
  const Threads threads = start(kThreads, [&](int) {
    while (told < kRounds) {
      epoll_event found;
      if (OK(epoll_wait(epoll, &found, 1, 10)) == 0) continue;
      CHECK_EQ(inside.fetch_add(1), 0);
      ++told;
      CHECK_EQ(inside.fetch_sub(1), 1);
      epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = 0}};
      OK(epoll_ctl(epoll, EPOLL_CTL_MOD, listener, &again));
    }
  });
}

TEST(epoll_many_sockets_in_one_call) {
  constexpr int kSockets = 150;
  const int epoll = OK(epoll_create1(0));
  std::vector<int> receivers;
  const int sender = OK(socket(AF_INET, SOCK_DGRAM, 0));
  for (int i = 0; i < kSockets; ++i) {
    const int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_storage name = {};
    name.ss_family = AF_INET;
    OK(bind(fd, reinterpret_cast<sockaddr*>(&name), 16));
    socklen_t size = sizeof name;
    OK(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size));
    watch(epoll, fd, EPOLLIN, static_cast<uint64_t>(i));
    CHECK_EQ(sendto(sender, "x", 1, 0, reinterpret_cast<sockaddr*>(&name), size), 1);
    receivers.push_back(fd);
  }
  std::vector<epoll_event> found(kSockets + 10);
  CHECK_EQ(epoll_wait(epoll, found.data(), kSockets + 10, -1), kSockets);
  CHECK_EQ(epoll_wait(epoll, found.data(), 7, 0), 7);
  for (int fd : receivers) close(fd);
  CHECK_EQ(epoll_wait(epoll, found.data(), kSockets, 0), 0);
}

TEST(epoll_both_kinds_have_their_turn) {
  // One place for events, something of lxcore's own and a socket both always ready.
  const int epoll = OK(epoll_create1(0)), event = OK(eventfd(1, 0));
  int ends[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const int socket_fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  watch(epoll, event, EPOLLIN, 1);
  watch(epoll, ends[0], EPOLLOUT, 2);
  watch(epoll, socket_fd, EPOLLOUT, 4);
  int seen = 0;
  for (int i = 0; i < 12; ++i) {
    epoll_event found;
    CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 1);
    seen |= static_cast<int>(found.data.u64);
  }
  CHECK_EQ(seen, 7);
}

TEST(epoll_forgets_closed_files) {
  const int epoll = OK(epoll_create1(0));
  std::atomic<bool> stop = false;
  // Others look and change meanwhile what they may or may not find.
  const Threads others = start(2, [&](int id) {
    while (!stop) {
      epoll_event events[8];
      OK(epoll_wait(epoll, events, 8, id));
      for (int fd = 10; fd < 30; ++fd) {
        epoll_event change = {.events = EPOLLIN, .data = {.u64 = 0}};
        (void)epoll_ctl(epoll, id ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd, &change);
      }
    }
  });
  for (uint64_t i = 1; i < 3000; ++i) {
    int fd;
    Pipe pipe;
    if (i % 2) {
      fd = pipe.in();
      CHECK_EQ(write(pipe.out(), "x", 1), 1);
    } else {
      fd = OK(eventfd(1, 0));
    }
    epoll_event event = {.events = EPOLLIN | (i % 3 ? EPOLLET : 0u), .data = {.u64 = i}};
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    if (i % 2) {
      pipe.shut(0);
    } else {
      close(fd);
    }
    epoll_event found[8];
    const int count = OK(epoll_wait(epoll, found, 8, 0));
    for (int at = 0; at < count; ++at) CHECK(found[at].data.u64 != i);
  }
  stop = true;
}

TEST(epoll_and_its_files_end_together) {
  for (int i = 0; i < 500; ++i) {
    const int epoll = OK(epoll_create1(0)), inner = OK(epoll_create1(0));
    const int event = OK(eventfd(0, 0));
    watch(epoll, event, EPOLLIN, 1);
    watch(inner, event, EPOLLIN, 2);
    watch(epoll, inner, EPOLLIN, 3);
    const Threads ends = start(4, [&](int id) {
      if (id == 3) {
        (void)eventfd_write(event, 1);
      } else {
        close(id == 0 ? epoll : id == 1 ? inner : event);
      }
    });
  }
}

TEST(epoll_nesting_from_both_sides) {
  // Two sets try to watch each other: never both.
  for (int i = 0; i < 300; ++i) {
    const int a = OK(epoll_create1(0)), b = OK(epoll_create1(0));
    std::atomic<int> added = 0;
    {
      const Threads both = start(2, [&](int id) {
        epoll_event event = {.events = EPOLLIN, .data = {.u64 = 0}};
        if (epoll_ctl(id ? a : b, EPOLL_CTL_ADD, id ? b : a, &event) == 0) {
          ++added;
        } else {
          CHECK_EQ(errno, ELOOP);
        }
      });
    }
    CHECK_EQ(added.load(), 1);
    close(a);
    close(b);
  }
}

TEST(epoll_nested_wakes_the_outer) {
  const int outer = OK(epoll_create1(0)), inner = OK(epoll_create1(0));
  watch(outer, inner, EPOLLIN, 1);
  const int event = OK(eventfd(0, EFD_NONBLOCK));
  watch(inner, event, EPOLLIN, 2);
  epoll_event found;
  for (int i = 0; i < 200; ++i) {
    const Thread writer([&] { OK(eventfd_write(event, 1)); });
    CHECK_EQ(epoll_wait(outer, &found, 1, -1), 1);
    // Level-triggered it is told again until the inner has nothing more to tell.
    CHECK_EQ(epoll_wait(outer, &found, 1, 0), 1);
    CHECK_EQ(epoll_wait(inner, &found, 1, 0), 1);
    eventfd_t value;
    OK(eventfd_read(event, &value));
    CHECK_EQ(epoll_wait(outer, &found, 1, 0), 0);
  }
}

TEST(epoll_learns_of_a_socket_while_others_wait) {
  const int epoll = OK(epoll_create1(0)), socket_fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  const int event = OK(eventfd(0, 0));
  watch(epoll, event, EPOLLIN, 1);
  std::atomic<int> woken = 0;
  const Threads waiters = start(3, [&](int) {
    epoll_event found;
    CHECK_EQ(epoll_wait(epoll, &found, 1, -1), 1);
    ++woken;
  });
  for (const auto& waiter : waiters) waiter->await_sleep();
  // Always ready for writing: all of them are told in time.
  watch(epoll, socket_fd, EPOLLOUT, 2);
  while (woken < 3) sched_yield();
}

TEST(poll_learns_of_a_socket_in_a_set) {
  const int epoll = OK(epoll_create1(0)), socket_fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  const Thread waiter([&] {
    pollfd poller = {epoll, POLLIN, 0};
    CHECK_EQ(poll(&poller, 1, -1), 1);
  });
  waiter.await_sleep();
  watch(epoll, socket_fd, EPOLLOUT, 2);
}

TEST(eventfd_counts_for_all) {
  constexpr int kThreads = 4, kEach = 3000;
  const int event = OK(eventfd(0, EFD_SEMAPHORE));
  std::atomic<long> taken = 0;
  {
    const Threads readers = start(kThreads, [&](int) {
      for (int i = 0; i < kEach; ++i) {
        eventfd_t value;
        OK(eventfd_read(event, &value));
        taken += static_cast<long>(value);
      }
    });
    const Threads writers = start(kThreads, [&](int) {
      for (int i = 0; i < kEach; ++i) OK(eventfd_write(event, 1));
    });
  }
  CHECK_EQ(taken.load(), kThreads * kEach);
}

TEST(timerfd_set_and_closed_while_it_fires) {
  for (int i = 0; i < 200; ++i) {
    const int timer = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    const int epoll = OK(epoll_create1(0));
    watch(epoll, timer, EPOLLIN, 1);
    const itimerspec often = {{0, 100000}, {0, 1}};
    OK(timerfd_settime(timer, 0, &often, nullptr));
    epoll_event found;
    CHECK_EQ(epoll_wait(epoll, &found, 1, -1), 1);
    uint64_t times = 0;
    CHECK_EQ(read(timer, &times, sizeof times), 8);
    CHECK(times > 0);
    close(timer);
    CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 0);
    close(epoll);
  }
}

TEST(inotify_beside_changes) {
  OK(mkdir("dir", 0700));
  std::atomic<bool> stop = false;
  const Thread changer([&] {
    while (!stop) {
      close(OK(open("dir/file", O_CREAT | O_WRONLY, 0600)));
      OK(rename("dir/file", "dir/other"));
      OK(unlink("dir/other"));
    }
  });
  for (int i = 0; i < 300; ++i) {
    const int fd = OK(inotify_init1(IN_NONBLOCK));
    const int dir = OK(inotify_add_watch(fd, "dir", IN_ALL_EVENTS | (i % 3 ? 0u : IN_ONESHOT)));
    const int file = inotify_add_watch(fd, "dir/file", IN_ALL_EVENTS);
    CHECK(file >= 0 || errno == ENOENT);
    alignas(inotify_event) char buffer[8192];
    for (int looks = 0; looks < 5; ++looks) {
      const ssize_t size = read(fd, buffer, sizeof buffer);
      if (size < 0) {
        CHECK_EQ(errno, EAGAIN);
        continue;
      }
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<inotify_event*>(buffer + at);
        CHECK(event->wd == dir || event->wd == file);
        at += static_cast<ssize_t>(sizeof *event + event->len);
      }
    }
    if (i % 2) (void)inotify_rm_watch(fd, dir);
    close(fd);
  }
  stop = true;
}

TEST(inotify_oneshot_beside_its_removal) {
  for (int i = 0; i < 300; ++i) {
    write_file("file", "");
    const int fd = OK(inotify_init1(IN_NONBLOCK));
    const int watched = OK(inotify_add_watch(fd, "file", IN_MODIFY | IN_ONESHOT));
    {
      const Threads both = start(2, [&](int id) {
        if (id) {
          const int file = OK(open("file", O_WRONLY));
          CHECK_EQ(write(file, "x", 1), 1);
          close(file);
        } else if (inotify_rm_watch(fd, watched) != 0) {
          CHECK_EQ(errno, EINVAL);
        }
      });
    }
    // Its end is told exactly once.
    alignas(inotify_event) char buffer[4096];
    const ssize_t size = OK(read(fd, buffer, sizeof buffer));
    int ended = 0;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<inotify_event*>(buffer + at);
      if (event->mask & IN_IGNORED) ++ended;
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
    CHECK_EQ(ended, 1);
    close(fd);
  }
}

TEST(poll_of_many_ends_with_its_process) {
  constexpr size_t kMany = 4000;
  const pid_t child = in_child([] {
    const Pipe pipe;
    std::vector<pollfd> all(kMany, pollfd{pipe.in(), POLLIN, 0});
    const rlimit limit = {kMany, kMany};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(0);
    (void)poll(all.data(), kMany, -1);
  });
  await_state(child, 'S');
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}
