// UNIX sockets: messages, files that travel, connections that come and go.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stage.h"

using namespace stress;

namespace {

struct Address {
  sockaddr_un name{};
  socklen_t size = sizeof name;
  explicit Address(const std::string& path) {
    name.sun_family = AF_UNIX;
    memcpy(name.sun_path, path.data(), path.size());
    if (path[0] == 0) size = offsetof(sockaddr_un, sun_path) + path.size();
  }
  operator const sockaddr*() const { return reinterpret_cast<const sockaddr*>(&name); }
};

struct Note {
  static constexpr size_t kMost = 3000;
  u32 size, sender;
  u64 sequence, check;
  unsigned char padding[kMost];
  static constexpr size_t kHeader = 24;

  void fill(u32 from, u64 number, u32 padding_size) {
    size = kHeader + padding_size;
    sender = from;
    sequence = number;
    check = mix(from * 104729ull + number + size);
    memset(padding, (int)check, padding_size);
  }
  bool is_whole(size_t received) const {
    if (received != size || check != mix(sender * 104729ull + sequence + size)) return false;
    for (size_t i = 0; i < size - kHeader; ++i) {
      if (padding[i] != (unsigned char)check) return false;
    }
    return true;
  }
};

/// Sends `fds` with one byte; whether there was room.
bool send_files(int socket, std::initializer_list<int> fds, int flags = 0) {
  char byte = (char)fds.size();
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fds.size() != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(header), std::data(fds), fds.size() * sizeof(int));
  }
  return OK_OR(sendmsg(socket, &message, flags), error == EAGAIN || error == ETOOMANYREFS);
}

/// The files of one message; none if there was no message, or at its end.
std::vector<int> receive_files(int socket, int flags = 0) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = 0;
  if (!OK_OR(count = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC), error == EAGAIN))
    return {};
  if (count == 0) return {};
  CHECK(!(message.msg_flags & MSG_CTRUNC));
  std::vector<int> fds;
  if (cmsghdr* header = CMSG_FIRSTHDR(&message)) {
    CHECK_EQ(header->cmsg_type, (int)SCM_RIGHTS);
    fds.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds.data(), CMSG_DATA(header), fds.size() * sizeof(int));
  }
  CHECK_EQ(fds.size(), (size_t)byte);
  return fds;
}

}  // namespace

/// Messages arrive whole and once each, in their sender's order where one reads.
SCENE(sockets_messages) {
  constexpr u64 kNotes = 80;
  Shared<std::atomic<u8>[64 * kNotes]> times;
  stage.rounds([&] {
    for (auto& count : *times) count = 0;
    const int type = stage.random.one_in(2) ? SOCK_DGRAM : SOCK_SEQPACKET;
    const int readers = 1 + stage.random.below(3);
    int ends[2];
    OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
    Shared<std::atomic<u64>> received(0);
    const u64 total = kNotes * stage.workers();
    stage.everyone(
        stage.processes + 1, std::max(stage.threads, readers),
        [&](Worker& worker) {
          if (worker.process == 0) {
            if (worker.thread >= readers) return;
            std::vector<u64> next(64, 0);
            Note note;
            while (true) {
              worker.step("receive");
              const ssize_t count = OK(recv(ends[0], &note, sizeof note, 0));
              if (count == 1) break;  // a token to end by
              CHECK(note.is_whole(count));
              CHECK(note.sequence >= next[note.sender]);
              next[note.sender] = note.sequence + 1;
              ++(*times)[note.sender * kNotes + note.sequence];
              if (++*received == total) {
                for (int i = 0; i < readers; ++i) OK(send(ends[1], "", 1, 0));
              }
            }
            return;
          }
          if (worker.thread >= stage.threads) return;
          const u32 sender = (worker.process - 1) * stage.threads + worker.thread;
          for (u64 i = 0; i < kNotes; ++i) {
            Note note;
            note.fill(sender, i, worker.random.below(Note::kMost));
            worker.step("send");
            CHECK_EQ(OK(send(ends[1], &note, note.size, 0)), (ssize_t)note.size);
          }
        },
        [&] {
          close(ends[0]);
          close(ends[1]);
        });
    for (u64 i = 0; i < total; ++i) CHECK_EQ((*times)[i].load(), 1);
  });
}

/// Streams in both directions at once: every byte in order, then the end, by shutdown or by close.
SCENE(sockets_stream) {
  stage.rounds([&] {
    const u64 bytes = stage.random.between(1, 150'000);
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < stage.processes; ++i) {
      int ends[2];
      OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
      pairs.push_back({ends[0], ends[1]});
    }
    auto pattern = [](u64 at, int salt) { return (unsigned char)(at * 13 + (at >> 7) + salt); };
    auto send_pattern = [&](Worker& worker, int fd, int salt) {
      std::vector<unsigned char> buffer(6000);
      for (u64 at = 0; at < bytes;) {
        const u64 size = std::min<u64>(worker.random.between(1, buffer.size()), bytes - at);
        for (u64 i = 0; i < size; ++i) buffer[i] = pattern(at + i, salt);
        worker.step("send a stream");
        write_all(fd, buffer.data(), size);
        at += size;
      }
      OK(shutdown(fd, SHUT_WR));
      signal(SIGPIPE, SIG_IGN);
      OK_OR(write(fd, "x", 1) == -1 ? -1 : (FAIL("written after shutdown"), 0), error == EPIPE);
    };
    auto receive_pattern = [&](Worker& worker, int fd, int salt) {
      std::vector<unsigned char> buffer(8000);
      u64 at = 0;
      while (true) {
        worker.step("receive a stream");
        const ssize_t count = OK(read(fd, buffer.data(), worker.random.between(1, buffer.size())));
        if (count == 0) break;
        for (ssize_t i = 0; i < count; ++i) CHECK_EQ(buffer[i], pattern(at + i, salt));
        at += count;
      }
      CHECK_EQ(at, bytes);
    };
    // Two processes for each pair, each with a thread for each direction.
    stage.everyone(
        stage.processes * 2, 2,
        [&](Worker& worker) {
          const auto [left, right] = pairs[worker.process / 2];
          const int fd = worker.process % 2 ? right : left;
          if (worker.thread == 0) {
            send_pattern(worker, fd, worker.process % 2);
          } else {
            receive_pattern(worker, fd, 1 - worker.process % 2);
          }
        },
        [&] {
          for (auto [left, right] : pairs) {
            close(left);
            close(right);
          }
        });
  });
}

/// Files travel in a circle of sockets, in messages that carry some: each is at the end what it
/// was.
SCENE(sockets_rights) {
  stage.rounds([&] {
    const int members = stage.processes + 1;
    constexpr int kFiles = 6, kLaps = 30;
    int sockets[32][2];
    for (int i = 0; i < members; ++i)
      OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets[i]));
    // Member i sends into sockets[i][0] and receives from sockets[i - 1][1].
    stage.everyone(
        members, 1,
        [&](Worker& worker) {
          const int to = sockets[worker.number][0];
          const int from = sockets[(worker.number + members - 1) % members][1];
          for (int i = 0; i < members; ++i) {
            for (int fd : sockets[i]) {
              if (fd != to && fd != from) close(fd);
            }
          }
          std::vector<int> held;
          for (u64 i = 0; i < kFiles; ++i) {
            const int fd = OK(memfd_create("traveller", MFD_CLOEXEC));
            const u64 words[2] = {mix(worker.number * 100 + i), worker.number * 100 + i};
            write_all(fd, words, sizeof words);
            held.push_back(fd);
          }
          auto check = [](int fd) {
            u64 words[2];
            CHECK_EQ(OK(pread(fd, words, sizeof words, 0)), (ssize_t)sizeof words);
            CHECK_EQ(words[0], mix(words[1]));
          };
          for (int lap = 0; lap < kLaps; ++lap) {
            worker.step("hand files on");
            const bool two = worker.random.one_in(3);
            if (two) {
              CHECK(send_files(to, {held[0], held[1]}));
            } else {
              CHECK(send_files(to, {held[0]}));
            }
            for (int i = 0; i < 1 + two; ++i) {
              close(held.front());
              held.erase(held.begin());
            }
            worker.step("take files");
            for (int fd : receive_files(from)) {
              check(fd);
              held.push_back(fd);
            }
            if (held.size() < 2) held.push_back(OK(dup(held[0])));
          }
          OK(shutdown(to, SHUT_WR));
          while (true) {
            worker.step("take what is left");
            const std::vector<int> fds = receive_files(from);
            if (fds.empty()) break;
            for (int fd : fds) {
              check(fd);
              close(fd);
            }
          }
        },
        [&] {
          for (int i = 0; i < members; ++i) {
            close(sockets[i][0]);
            close(sockets[i][1]);
          }
        });
  });
}

/// Files in messages that nobody can receive any more are closed, in circles of sockets too: the
/// other end of a pipe says so.
SCENE(sockets_rights_lost) {
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      for (int i = 0; i < 8; ++i) {
        int pipe[2], circle[3][2];
        OK(pipe2(pipe, O_CLOEXEC));
        const int sockets = 1 + worker.random.below(3);
        for (int s = 0; s < sockets; ++s) {
          OK(socketpair(AF_UNIX, worker.random.one_in(2) ? SOCK_STREAM : SOCK_DGRAM, 0, circle[s]));
        }
        worker.step("sockets in each other's queues");
        for (int s = 0; s < sockets; ++s) {
          const int next = (s + 1) % sockets;
          CHECK(send_files(circle[s][0], {circle[next][1], circle[next][0], pipe[1]}));
        }
        close(pipe[1]);
        for (int s = 0; s < sockets; ++s) {
          close(circle[s][0]);
          close(circle[s][1]);
        }
        worker.step("wait for the collector");
        char byte;
        const u64 begin = now_ns();
        while (true) {
          pollfd wait{pipe[0], POLLIN, 0};
          if (OK(poll(&wait, 1, 100)) == 1) break;
          // Another socket's close makes the collector look.
          int nudge[2];
          OK(socketpair(AF_UNIX, SOCK_STREAM, 0, nudge));
          send_files(nudge[0], {nudge[0]});
          close(nudge[0]);
          close(nudge[1]);
          CHECK(now_ns() - begin < 20'000'000'000);
        }
        CHECK_EQ(OK(read(pipe[0], &byte, 1)), 0);
        close(pipe[0]);
      }
    });
  });
}

/// Connections: each that was made is served, whatever the backlog; one name is one listener's.
SCENE(sockets_connect) {
  constexpr u64 kConnections = 25;
  stage.rounds([&] {
    const bool abstract = stage.random.one_in(2);
    const int type = stage.random.one_in(3) ? SOCK_SEQPACKET : SOCK_STREAM;
    const std::string path = abstract ? std::string(1, '\0') + "stress-" + std::to_string(getpid())
                                      : std::string("listener");
    const Address address(path);
    const int listener = OK(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    OK(bind(listener, address, address.size));
    OK(listen(listener, stage.random.below(4)));
    Shared<std::atomic<u64>> served(0), satisfied(0);
    const u64 total = kConnections * stage.workers();
    stage.everyone(
        stage.processes + 2, stage.threads,
        [&](Worker& worker) {
          if (worker.process < 2) {
            while (true) {
              worker.step("accept");
              int fd = -1;
              // Linux: who waits in accept when the listener is shut down gets EINVAL.
              if (!OK_OR(fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC),
                         error == EINVAL || error == ECONNABORTED)) {
                return;
              }
              u64 word = 0;
              worker.step("serve");
              CHECK_EQ(OK(recv(fd, &word, sizeof word, 0)), (ssize_t)sizeof word);
              word = mix(word);
              CHECK_EQ(OK(send(fd, &word, sizeof word, 0)), (ssize_t)sizeof word);
              if (worker.random.one_in(2)) OK(shutdown(fd, SHUT_RDWR));
              close(fd);
              if (++*served == total) OK(shutdown(listener, SHUT_RDWR));
            }
          }
          for (u64 i = 0; i < kConnections; ++i) {
            const int fd = OK(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
            worker.step("connect");
            OK(connect(fd, address, address.size));
            const u64 word = worker.number * 1000 + i;
            u64 answer = 0;
            CHECK_EQ(OK(send(fd, &word, sizeof word, 0)), (ssize_t)sizeof word);
            worker.step("wait for the answer");
            CHECK_EQ(OK(recv(fd, &answer, sizeof answer, 0)), (ssize_t)sizeof answer);
            CHECK_EQ(answer, mix(word));
            CHECK_EQ(OK(recv(fd, &answer, sizeof answer, 0)), 0);
            ++*satisfied;
            close(fd);
          }
        },
        [&] { close(listener); });
    CHECK_EQ(served->load(), total);
    CHECK_EQ(satisfied->load(), total);
    if (!abstract) OK(unlink("listener"));
  });
}

/// Listeners that close under those who connect: each connection is refused, reset or served; none
/// hangs. A name is bound by one at a time.
SCENE(sockets_refused) {
  stage.rounds([&] {
    const Address address(std::string(1, '\0') + "stress-refused-" + std::to_string(getpid()));
    Shared<std::atomic<int>> owners(0), servers(2);
    stage.everyone(stage.processes + 2, 1, [&](Worker& worker) {
      signal(SIGPIPE, SIG_IGN);
      if (worker.number < 2) {
        for (int i = 0; i < 25; ++i) {
          const int listener = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
          worker.step("bind");
          if (OK_OR(bind(listener, address, address.size), error == EADDRINUSE)) {
            CHECK_EQ(++*owners, 1);
            OK(listen(listener, 1));
            worker.step("serve some");
            for (u64 n = worker.random.below(6); n > 0; --n) {
              pollfd wait{listener, POLLIN, 0};
              if (OK(poll(&wait, 1, 5)) == 0) break;
              int fd = -1;
              if (!OK_OR(fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), error == EAGAIN))
                break;
              OK_OR(send(fd, "!", 1, MSG_NOSIGNAL), error == EPIPE);
              close(fd);
            }
            --*owners;
          }
          close(listener);
        }
        --*servers;
        return;
      }
      while (*servers > 0) {
        const int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        worker.step("connect to who may close");
        if (OK_OR(connect(fd, address, address.size), error == ECONNREFUSED)) {
          char byte;
          worker.step("read from who may close");
          ssize_t count = 0;
          if (OK_OR(count = recv(fd, &byte, 1, 0), error == ECONNRESET))
            CHECK(count == 0 || byte == '!');
        }
        close(fd);
      }
    });
  });
}

/// Who is blocked in a socket is woken by its peer's close and by shutdown, from any thread.
SCENE(sockets_woken) {
  stage.rounds([&] {
    stage.everyone(stage.processes, 2, [&](Worker& worker) {
      // The two threads of a process share the pair that the first has made.
      static std::atomic<int> shared_ends[2];
      static Gate gate(2);
      signal(SIGPIPE, SIG_IGN);
      for (int i = 0; i < 30; ++i) {
        if (worker.thread == 0) {
          int ends[2];
          OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
          shared_ends[0] = ends[0];
          shared_ends[1] = ends[1];
        }
        gate.pass();
        const int mine = shared_ends[0], other = shared_ends[1];
        // Both draw the same: the streams of the process's two threads differ otherwise.
        const u64 way = mix(stage.round * 1000 + worker.process * 100 + i) % 4;
        char buffer[4000] = {};
        if (worker.thread == 0) {
          if (way == 0 || way == 1) {
            worker.step("read until the end");
            CHECK_EQ(OK(read(mine, buffer, sizeof buffer)), 0);
          } else {
            worker.step("write until nobody reads");
            while (
                OK_OR(write(mine, buffer, sizeof buffer), error == EPIPE || error == ECONNRESET)) {
            }
          }
        } else {
          if (worker.random.one_in(2)) sched_yield();
          worker.step("close or shut down");
          if (way == 0) OK(shutdown(mine, SHUT_RD));
          if (way == 1) OK(shutdown(other, SHUT_WR));
          if (way == 2) OK(shutdown(other, SHUT_RD));
          if (way == 3) OK(shutdown(mine, SHUT_WR));
        }
        gate.pass();
        if (worker.thread == 0) {
          close(mine);
          close(other);
        }
        gate.pass();
      }
    });
  });
}
