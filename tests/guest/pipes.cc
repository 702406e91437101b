// Pipes and FIFOs: atomic writes, ends that close, capacity, splice and its kin.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "check.h"

namespace {

struct Pipe {
  explicit Pipe(int flags = 0) {
    int ends[2];
    OK(pipe2(ends, flags));
    read_end = ends[0];
    write_end = ends[1];
  }
  int read_end, write_end;
};

int available(int fd) {
  int count = -1;
  OK(ioctl(fd, FIONREAD, &count));
  return count;
}

size_t fill(int fd) {
  const std::string block(4096, 'x');
  size_t total = 0;
  ssize_t count;
  while ((count = write(fd, block.data(), block.size())) > 0) total += count;
  CHECK_EQ(errno, EAGAIN);
  return total;
}

}  // namespace

TEST(pipe_basics) {
  const Pipe pipe;
  CHECK_EQ(write(pipe.write_end, "hello", 5), 5);
  CHECK_EQ(available(pipe.read_end), 5);
  char buffer[16] = {};
  CHECK_EQ(read(pipe.read_end, buffer, 3), 3);
  CHECK_EQ(read(pipe.read_end, buffer + 3, 10), 2);
  CHECK_EQ(std::string(buffer), "hello");
  CHECK_ERRNO(write(pipe.read_end, "x", 1), EBADF);
  CHECK_ERRNO(read(pipe.write_end, buffer, 1), EBADF);
  CHECK_ERRNO(pread(pipe.write_end, buffer, 1, 0), ESPIPE);
  CHECK_ERRNO(pwrite(pipe.read_end, buffer, 1, 0), ESPIPE);
  struct stat status;
  OK(fstat(pipe.read_end, &status));
  CHECK(S_ISFIFO(status.st_mode));
  CHECK_EQ(fcntl(pipe.read_end, F_GETFL), O_RDONLY);
  CHECK_EQ(fcntl(pipe.write_end, F_GETFL), O_WRONLY);
  CHECK(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(pipe.read_end))
            .string()
            .starts_with("pipe:["));
}

TEST(pipe_flags_and_errors) {
  const Pipe pipe(O_CLOEXEC | O_NONBLOCK);
  CHECK_EQ(fcntl(pipe.read_end, F_GETFD), FD_CLOEXEC);
  CHECK(fcntl(pipe.write_end, F_GETFL) & O_NONBLOCK);
  int ends[2];
  CHECK_ERRNO(pipe2(ends, O_APPEND), EINVAL);
  CHECK_ERRNO(::pipe(reinterpret_cast<int*>(8)), EFAULT);
}

TEST(end_of_file_when_all_writers_close) {
  const Pipe pipe;
  const int other = OK(dup(pipe.write_end));
  CHECK_EQ(write(pipe.write_end, "x", 1), 1);
  OK(close(pipe.write_end));
  OK(close(other));
  char byte;
  CHECK_EQ(read(pipe.read_end, &byte, 1), 1);
  CHECK_EQ(read(pipe.read_end, &byte, 1), 0);
}

TEST(reader_wakes_when_the_writer_dies) {
  const Pipe pipe;
  const pid_t child = in_child([] { pause(); });
  OK(close(pipe.write_end));
  const pid_t reader = in_child([=] {
    char byte;
    CHECK_EQ(read(pipe.read_end, &byte, 1), 0);
  });
  await_state(reader, 'S');
  OK(kill(child, SIGKILL));
  CHECK_EXIT(reader, 0);
  CHECK_KILLED(child, SIGKILL);
}

TEST(nonblocking_forms) {
  const Pipe pipe(O_NONBLOCK);
  char byte;
  CHECK_ERRNO(read(pipe.read_end, &byte, 1), EAGAIN);
  CHECK_EQ(fill(pipe.write_end), 65536);
  CHECK_EQ(available(pipe.read_end), 65536);
  CHECK_ERRNO(write(pipe.write_end, "x", 1), EAGAIN);
  pollfd poller = {pipe.write_end, POLLOUT, 0};
  CHECK_EQ(poll(&poller, 1, 0), 0);
  // A write of up to PIPE_BUF goes whole or not at all; a larger one may go in part.
  char page[4096];
  CHECK_EQ(read(pipe.read_end, page, 4096), 4096);
  const std::string large(8192, 'y');
  CHECK_EQ(write(pipe.write_end, large.data(), large.size()), 4096);
}

TEST(writes_up_to_a_page_are_atomic) {
  const Pipe pipe;
  std::vector<pid_t> writers;
  for (char letter : {'a', 'b', 'c'}) {
    writers.push_back(in_child([=] {
      const std::string block(3000, letter);
      for (int i = 0; i < 50; ++i)
        CHECK_EQ(write(pipe.write_end, block.data(), block.size()), 3000);
    }));
  }
  OK(close(pipe.write_end));
  const std::string text = read_fd(pipe.read_end);
  CHECK_EQ(text.size(), 3 * 50 * 3000);
  for (size_t at = 0; at < text.size(); at += 3000) {
    CHECK(text.find_first_not_of(text[at], at) >= std::min(at + 3000, text.size()));
  }
  for (pid_t writer : writers) CHECK_EXIT(writer, 0);
}

TEST(large_write_blocks_until_read) {
  const Pipe pipe;
  constexpr size_t kSize = 1 << 20;
  const pid_t writer = in_child([=] {
    const std::string block(kSize, 'z');
    CHECK_EQ(write(pipe.write_end, block.data(), block.size()), kSize);
  });
  OK(close(pipe.write_end));
  CHECK_EQ(read_fd(pipe.read_end).size(), kSize);
  CHECK_EXIT(writer, 0);
}

TEST(interrupted_write_returns_what_went) {
  const Pipe pipe;
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  const pid_t parent = getpid();
  const pid_t child = in_child([=] {
    await_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  const std::string block(100000, 'w');
  CHECK_EQ(write(pipe.write_end, block.data(), block.size()), 65536);
  CHECK_EXIT(child, 0);
}

TEST(capacity) {
  const Pipe pipe(O_NONBLOCK);
  CHECK_EQ(fcntl(pipe.read_end, F_GETPIPE_SZ), 65536);
  CHECK_EQ(fcntl(pipe.write_end, F_SETPIPE_SZ, 4000), 4096);
  CHECK_EQ(fill(pipe.write_end), 4096);
  CHECK_EQ(fcntl(pipe.write_end, F_SETPIPE_SZ, 8192), 8192);
  CHECK_EQ(fill(pipe.write_end), 4096);
  CHECK_ERRNO(fcntl(pipe.write_end, F_SETPIPE_SZ, 4096), EBUSY);
  write_file("file", "");
  CHECK_ERRNO(fcntl(OK(open("file", O_RDONLY)), F_GETPIPE_SZ), EBADF);
}

TEST(poll_states) {
  const Pipe pipe;
  pollfd pollers[] = {{pipe.read_end, POLLIN, 0}, {pipe.write_end, POLLOUT, 0}};
  CHECK_EQ(poll(pollers, 2, 0), 1);
  CHECK_EQ(pollers[1].revents, POLLOUT);
  CHECK_EQ(write(pipe.write_end, "x", 1), 1);
  CHECK_EQ(poll(pollers, 1, 0), 1);
  CHECK_EQ(pollers[0].revents, POLLIN);
  OK(close(pipe.write_end));
  CHECK_EQ(poll(pollers, 1, 0), 1);
  CHECK_EQ(pollers[0].revents, POLLIN | POLLHUP);
  const Pipe broken;
  OK(close(broken.read_end));
  pollfd writer = {broken.write_end, POLLOUT, 0};
  CHECK_EQ(poll(&writer, 1, 0), 1);
  CHECK_EQ(writer.revents, POLLOUT | POLLERR);
}

TEST(packet_mode) {
  const Pipe pipe(O_DIRECT);
  CHECK_EQ(write(pipe.write_end, "abc", 3), 3);
  CHECK_EQ(write(pipe.write_end, "defg", 4), 4);
  char buffer[16];
  CHECK_EQ(read(pipe.read_end, buffer, 2), 2);
  // The rest of a packet is lost.
  CHECK_EQ(read(pipe.read_end, buffer, 16), 4);
}

TEST(reopened_through_proc) {
  const Pipe pipe;
  const int again = OK(open(("/proc/self/fd/" + std::to_string(pipe.read_end)).c_str(), O_WRONLY));
  CHECK_EQ(write(again, "x", 1), 1);
  char byte;
  CHECK_EQ(read(pipe.read_end, &byte, 1), 1);
}

TEST(fifo_open_waits_for_the_other_side) {
  OK(mkfifo("fifo", 0600));
  const pid_t reader = in_child([] { CHECK_EQ(read_file("fifo"), "through"); });
  await_state(reader, 'S');
  const int fd = OK(open("fifo", O_WRONLY));
  CHECK_EQ(write(fd, "through", 7), 7);
  OK(close(fd));
  CHECK_EXIT(reader, 0);
}

TEST(fifo_nonblocking_open) {
  OK(mkfifo("fifo", 0600));
  CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  const int reader = OK(open("fifo", O_RDONLY | O_NONBLOCK));
  char byte;
  CHECK_EQ(read(reader, &byte, 1), 0);
  const int writer = OK(open("fifo", O_WRONLY | O_NONBLOCK));
  CHECK_ERRNO(read(reader, &byte, 1), EAGAIN);
  CHECK_EQ(write(writer, "x", 1), 1);
  OK(close(writer));
  CHECK_EQ(read(reader, &byte, 1), 1);
  CHECK_EQ(read(reader, &byte, 1), 0);
  // Linux: opening for both never waits.
  OK(open("fifo", O_RDWR));
}

TEST(fifo_open_is_interrupted) {
  OK(mkfifo("fifo", 0600));
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  const pid_t parent = getpid();
  const pid_t child = in_child([=] {
    await_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  CHECK_ERRNO(open("fifo", O_RDONLY), EINTR);
  CHECK_EXIT(child, 0);
}

TEST(splice_between_file_and_pipe) {
  write_file("source", "0123456789");
  const int in = OK(open("source", O_RDONLY));
  const int out = OK(open("target", O_RDWR | O_CREAT, 0644));
  const Pipe pipe;
  off64_t offset = 3;
  CHECK_EQ(splice(in, &offset, pipe.write_end, nullptr, 4, 0), 4);
  CHECK_EQ(offset, 7);
  CHECK_EQ(splice(pipe.read_end, nullptr, out, nullptr, 100, 0), 4);
  CHECK_EQ(read_file("target"), "3456");
  CHECK_ERRNO(splice(in, nullptr, out, nullptr, 4, 0), EINVAL);
  CHECK_ERRNO(splice(pipe.read_end, &offset, out, nullptr, 4, 0), ESPIPE);
  CHECK_ERRNO(splice(pipe.read_end, nullptr, out, nullptr, 4, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERRNO(splice(999, nullptr, out, nullptr, 4, 0), EBADF);
}

TEST(tee_leaves_the_data) {
  const Pipe from, to;
  CHECK_EQ(write(from.write_end, "abc", 3), 3);
  CHECK_EQ(tee(from.read_end, to.write_end, 10, 0), 3);
  CHECK_EQ(available(from.read_end), 3);
  CHECK_EQ(available(to.read_end), 3);
  CHECK_EQ(splice(from.read_end, nullptr, to.write_end, nullptr, 10, 0), 3);
  CHECK_EQ(available(to.read_end), 6);
  CHECK_ERRNO(tee(from.read_end, from.write_end, 1, 0), EINVAL);
}

TEST(vmsplice_gives_memory) {
  const Pipe pipe;
  char first[] = "abc", second[] = "de";
  const iovec vector[] = {{first, 3}, {second, 2}};
  CHECK_EQ(vmsplice(pipe.write_end, vector, 2, 0), 5);
  char buffer[8] = {};
  CHECK_EQ(read(pipe.read_end, buffer, 8), 5);
  CHECK_EQ(std::string(buffer), "abcde");
}
