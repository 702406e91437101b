// Advisory locks: flock, POSIX record locks, open file description locks.
#include <sys/file.h>

#include "check.h"

namespace {

int open_file() { return OK(open("file", O_RDWR | O_CREAT, 0644)); }

struct flock range(short type, off_t start = 0, off_t length = 0, short whence = SEEK_SET) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = whence;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

int set_lock(int fd, struct flock lock, int command = F_SETLK) { return fcntl(fd, command, &lock); }

struct flock get_lock(int fd, struct flock lock, int command = F_GETLK) {
  OK(fcntl(fd, command, &lock));
  return lock;
}

/// Whether another process could take a write lock on the range.
bool others_can_lock(off_t start, off_t length) {
  const pid_t child = in_child([=] {
    _exit(set_lock(open_file(), range(F_WRLCK, start, length)) == 0 ? 0 : errno == EAGAIN ? 9 : 2);
  });
  const int code = WEXITSTATUS(reap(child));
  CHECK(code == 0 || code == 9);
  return code == 0;
}

}  // namespace

TEST(flock_conflicts) {
  const int first = open_file(), second = open_file();
  OK(flock(first, LOCK_SH));
  OK(flock(second, LOCK_SH | LOCK_NB));
  CHECK_ERRNO(flock(second, LOCK_EX | LOCK_NB), EAGAIN);
  // Linux: a failed conversion has given up the old lock.
  OK(flock(first, LOCK_EX | LOCK_NB));
  CHECK_ERRNO(flock(second, LOCK_SH | LOCK_NB), EAGAIN);
  OK(flock(first, LOCK_UN));
  OK(flock(second, LOCK_EX | LOCK_NB));
  CHECK_ERRNO(flock(first, 77), EINVAL);
  CHECK_ERRNO(flock(999, LOCK_SH), EBADF);
}

TEST(flock_belongs_to_the_open_file) {
  const int fd = open_file();
  const int copy = OK(dup(fd));
  OK(flock(fd, LOCK_EX));
  OK(flock(copy, LOCK_EX | LOCK_NB));
  CHECK_EXIT(in_child([=] { OK(flock(fd, LOCK_EX | LOCK_NB)); }), 0);
  const int other = open_file();
  OK(close(fd));
  CHECK_ERRNO(flock(other, LOCK_SH | LOCK_NB), EAGAIN);
  OK(close(copy));
  OK(flock(other, LOCK_SH | LOCK_NB));
}

TEST(flock_waits) {
  const int fd = open_file();
  OK(flock(fd, LOCK_EX));
  const pid_t child = in_child([=] {
    OK(close(fd));
    OK(flock(open_file(), LOCK_EX));
  });
  await_state(child, 'S');
  OK(flock(fd, LOCK_UN));
  CHECK_EXIT(child, 0);
}

TEST(posix_locks_conflict_between_processes) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 10, 10)));
  OK(set_lock(open_file(), range(F_WRLCK, 10, 10)));
  CHECK(!others_can_lock(15, 1));
  CHECK(!others_can_lock(0, 0));
  CHECK(others_can_lock(0, 10));
  CHECK(others_can_lock(20, 0));
}

TEST(posix_locks_split_and_merge) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 0, 30)));
  OK(set_lock(fd, range(F_UNLCK, 10, 10)));
  CHECK(!others_can_lock(9, 1));
  CHECK(others_can_lock(10, 10));
  CHECK(!others_can_lock(20, 1));
  OK(set_lock(fd, range(F_RDLCK, 0, 5)));
  CHECK_EXIT(in_child([] { OK(set_lock(open_file(), range(F_RDLCK, 0, 5))); }), 0);
  CHECK(!others_can_lock(5, 1));
}

TEST(posix_lock_is_described) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 100, 50)));
  const pid_t owner = getpid();
  CHECK_EXIT(in_child([=] {
               struct flock found = get_lock(open_file(), range(F_RDLCK));
               CHECK_EQ(found.l_type, F_WRLCK);
               CHECK_EQ(found.l_start, 100);
               CHECK_EQ(found.l_len, 50);
               CHECK_EQ(found.l_pid, owner);
               found = get_lock(open_file(), range(F_WRLCK, 0, 100));
               CHECK_EQ(found.l_type, F_UNLCK);
             }),
             0);
  CHECK_EQ(get_lock(fd, range(F_WRLCK)).l_type, F_UNLCK);
}

TEST(any_close_releases_posix_locks) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK)));
  CHECK(!others_can_lock(0, 0));
  OK(close(open_file()));
  CHECK(others_can_lock(0, 0));
}

TEST(posix_locks_are_not_inherited_by_fork) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK)));
  CHECK_EXIT(in_child([=] { CHECK_ERRNO(set_lock(fd, range(F_WRLCK)), EAGAIN); }), 0);
}

TEST(posix_locks_survive_exec) {
  const Signpost locked;
  const pid_t child = in_child([&] {
    const int fd = open_file();
    OK(set_lock(fd, range(F_WRLCK)));
    dup2(locked.write_end(), STDOUT_FILENO);
    execl(own_path().c_str(), "name", "--helper", "announce_and_pause", nullptr);
  });
  locked.await();
  CHECK(!others_can_lock(0, 0));
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
  CHECK(others_can_lock(0, 0));
}

HELPER(announce_and_pause) {
  OK(write(STDOUT_FILENO, ".", 1));
  return pause();
}

TEST(posix_lock_ranges) {
  const int fd = open_file();
  OK(ftruncate(fd, 100));
  OK(lseek(fd, 50, SEEK_SET));
  OK(set_lock(fd, range(F_WRLCK, -10, 5, SEEK_CUR)));
  CHECK(!others_can_lock(40, 1));
  CHECK(others_can_lock(45, 1));
  OK(set_lock(fd, range(F_WRLCK, -1, 1, SEEK_END)));
  CHECK(!others_can_lock(99, 1));
  // A negative length reaches back from the start.
  OK(set_lock(fd, range(F_WRLCK, 20, -10)));
  CHECK(!others_can_lock(10, 1));
  CHECK(others_can_lock(20, 1));
  CHECK_ERRNO(set_lock(fd, range(F_WRLCK, -1, 1)), EINVAL);
  CHECK_ERRNO(set_lock(fd, range(77)), EINVAL);
  CHECK_ERRNO(set_lock(OK(open("file", O_RDONLY)), range(F_WRLCK)), EBADF);
}

TEST(posix_lock_waits_and_is_interrupted) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK)));
  const pid_t waiter = in_child([] { OK(set_lock(open_file(), range(F_WRLCK), F_SETLKW)); });
  await_state(waiter, 'S');
  OK(set_lock(fd, range(F_UNLCK)));
  CHECK_EXIT(waiter, 0);

  OK(set_lock(fd, range(F_WRLCK)));
  const Signpost ready;
  const pid_t interrupted = in_child([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    OK(sigaction(SIGUSR1, &action, nullptr));
    const int own = open_file();
    ready.reach();
    CHECK_ERRNO(set_lock(own, range(F_WRLCK), F_SETLKW), EINTR);
  });
  ready.await();
  await_state(interrupted, 'S');
  OK(kill(interrupted, SIGUSR1));
  CHECK_EXIT(interrupted, 0);
}

TEST(deadlock_is_found) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 0, 1)));
  const Signpost locked;
  const pid_t child = in_child([&] {
    const int own = open_file();
    OK(set_lock(own, range(F_WRLCK, 1, 1)));
    locked.reach();
    OK(set_lock(own, range(F_WRLCK, 0, 1), F_SETLKW));
  });
  locked.await();
  await_state(child, 'S');
  CHECK_ERRNO(set_lock(fd, range(F_WRLCK, 1, 1), F_SETLKW), EDEADLK);
  OK(set_lock(fd, range(F_UNLCK)));
  CHECK_EXIT(child, 0);
}

TEST(ofd_locks_belong_to_the_open_file) {
  const int first = open_file(), second = open_file();
  OK(set_lock(first, range(F_WRLCK, 0, 10), F_OFD_SETLK));
  CHECK_ERRNO(set_lock(second, range(F_WRLCK, 5, 10), F_OFD_SETLK), EAGAIN);
  OK(set_lock(second, range(F_WRLCK, 10, 10), F_OFD_SETLK));
  const struct flock found = get_lock(second, range(F_WRLCK, 0, 5), F_OFD_GETLK);
  CHECK_EQ(found.l_type, F_WRLCK);
  CHECK_EQ(found.l_pid, -1);
  CHECK_EXIT(in_child([=] { OK(set_lock(first, range(F_WRLCK, 0, 10), F_OFD_SETLK)); }), 0);
  // Another descriptor's close releases nothing.
  OK(close(open_file()));
  CHECK_ERRNO(set_lock(second, range(F_WRLCK, 0, 1), F_OFD_SETLK), EAGAIN);
  OK(close(first));
  OK(set_lock(second, range(F_WRLCK, 0, 1), F_OFD_SETLK));
  struct flock with_pid = range(F_WRLCK);
  with_pid.l_pid = 1;
  CHECK_ERRNO(fcntl(second, F_OFD_SETLK, &with_pid), EINVAL);
}

TEST(ofd_and_posix_locks_conflict) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK), F_OFD_SETLK));
  CHECK_ERRNO(set_lock(fd, range(F_WRLCK)), EAGAIN);
}

TEST(lockf_works) {
  const int fd = open_file();
  OK(lockf(fd, F_TLOCK, 10));
  CHECK(!others_can_lock(0, 1));
  OK(lockf(fd, F_ULOCK, 10));
  CHECK(others_can_lock(0, 1));
}

TEST(exclusive_lock_is_handed_on) {
  // Many wait for one lock and count under it: none is lost, each gets its turn.
  constexpr int kProcesses = 4, kRounds = 15;
  const int counter = OK(open("counter", O_RDWR | O_CREAT, 0644));
  uint64_t zero = 0;
  CHECK_EQ(pwrite(counter, &zero, sizeof zero, 0), sizeof zero);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(in_child([=] {
      const int fd = open_file();
      for (int round = 0; round < kRounds; ++round) {
        const bool record = (i + round) % 2 == 0;
        // Either kind alone excludes only its own: each round takes both, in one order.
        OK(flock(fd, LOCK_EX));
        OK(set_lock(fd, range(F_WRLCK, 0, 1), record ? F_SETLKW : F_OFD_SETLKW));
        uint64_t value = 0;
        CHECK_EQ(pread(counter, &value, sizeof value, 0), sizeof value);
        ++value;
        CHECK_EQ(pwrite(counter, &value, sizeof value, 0), sizeof value);
        OK(set_lock(fd, range(F_UNLCK, 0, 1), record ? F_SETLK : F_OFD_SETLK));
        OK(flock(fd, LOCK_UN));
      }
    }));
  }
  for (pid_t child : children) CHECK_EXIT(child, 0);
  uint64_t value = 0;
  CHECK_EQ(pread(counter, &value, sizeof value, 0), sizeof value);
  CHECK_EQ(value, uint64_t{kProcesses * kRounds});
}

TEST(waiting_locks_die_with_their_process) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 0, 10)));
  std::vector<pid_t> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(in_child([] { set_lock(open_file(), range(F_WRLCK, 0, 10), F_SETLKW); }));
  }
  for (pid_t child : waiting) {
    OK(kill(child, SIGKILL));
    reap(child);
  }
  OK(set_lock(fd, range(F_UNLCK, 0, 10)));
  CHECK(others_can_lock(0, 10));
}

TEST(conversion_lets_readers_in) {
  const int fd = open_file();
  OK(set_lock(fd, range(F_WRLCK, 0, 10)));
  std::vector<pid_t> readers;
  for (int i = 0; i < 3; ++i) {
    readers.push_back(in_child([] { OK(set_lock(open_file(), range(F_RDLCK, 2, 3), F_SETLKW)); }));
  }
  OK(set_lock(fd, range(F_RDLCK, 0, 10)));
  for (pid_t child : readers) CHECK_EXIT(child, 0);
}

TEST(long_circle_of_records_is_found) {
  // Each of a chain waits for the next; the last that would close the circle is told.
  constexpr int kLinks = 5;
  int ready[2], go[2];
  OK(pipe(ready));
  OK(pipe(go));
  std::vector<pid_t> children;
  for (int i = 0; i < kLinks; ++i) {
    children.push_back(in_child([=] {
      const int fd = open_file();
      OK(set_lock(fd, range(F_WRLCK, i, 1)));
      char byte = 0;
      CHECK_EQ(write(ready[1], &byte, 1), 1);
      CHECK_EQ(read(go[0], &byte, 1), 1);
      const int result = set_lock(fd, range(F_WRLCK, (i + 1) % kLinks, 1), F_SETLKW);
      if (result != 0) CHECK_EQ(errno, EDEADLK);
      _exit(result == 0 ? 0 : 7);
    }));
  }
  char bytes[kLinks] = {};
  for (int i = 0; i < kLinks; ++i) CHECK_EQ(read(ready[0], bytes, 1), 1);
  CHECK_EQ(write(go[1], bytes, kLinks), kLinks);
  int refused = 0;
  for (pid_t child : children) refused += WEXITSTATUS(reap(child)) == 7;
  CHECK_EQ(refused, 1);
}
