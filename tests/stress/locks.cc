// Locks on files keep others out, whoever holds them and however they go.
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "stage.h"

using namespace stress;

namespace {

/// Who is inside, for each of a few ranges.
struct Inside {
  static constexpr int kRanges = 4;
  std::atomic<int> writers[kRanges], readers[kRanges];
  std::atomic<u64> entries;

  void enter(int range, bool exclusive) {
    if (exclusive) {
      CHECK_EQ(++writers[range], 1);
      CHECK_EQ(readers[range].load(), 0);
    } else {
      ++readers[range];
      CHECK_EQ(writers[range].load(), 0);
    }
    ++entries;
  }
  void leave(int range, bool exclusive) { exclusive ? --writers[range] : --readers[range]; }
};

struct flock range_lock(short type, int begin, int length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = length;
  return lock;
}

/// One operation on a lock, then perhaps a death inside a second one, which lets it go.
void play_locks(Stage& stage, int threads,
                const std::function<void(int fd, int range, bool exclusive)>& lock,
                const std::function<void(int fd, int range)>& unlock) {
  stage.rounds([&] {
    Shared<Inside> inside;
    close(OK(open("locked", O_CREAT | O_RDWR | O_CLOEXEC, 0600)));
    stage.everyone(stage.processes, threads, [&](Worker& worker) {
      const int fd = OK(open("locked", O_RDWR | O_CLOEXEC));
      for (int i = 0; i < 60; ++i) {
        const int range = worker.random.below(Inside::kRanges);
        const bool exclusive = worker.random.below(3) != 0;
        worker.step("lock");
        lock(fd, range, exclusive);
        inside->enter(range, exclusive);
        if (worker.random.one_in(4)) sched_yield();
        inside->leave(range, exclusive);
        worker.step("unlock");
        unlock(fd, range);
        if (i % 20 == 19) {
          worker.step("a child that ends with a lock");
          const bool killed = worker.random.one_in(2);
          const pid_t child = in_child([&] {
            const int own = OK(open("locked", O_RDWR | O_CLOEXEC));
            lock(own, range, true);
            inside->enter(range, true);
            sched_yield();
            inside->leave(range, true);
            if (killed) kill(getpid(), SIGKILL);
          });
          int status;
          OK(waitpid(child, &status, 0));
          CHECK(status == 0 || (killed && WIFSIGNALED(status)));
        }
      }
      close(fd);
    });
    CHECK(inside->entries >= (u64)60 * stage.processes * threads);
  });
}

}  // namespace

SCENE(locks_flock) {
  // One range: flock knows only the whole file. Descriptions are what it distinguishes.
  play_locks(
      stage, stage.threads,
      [](int fd, int, bool exclusive) {
        while (!OK_OR(flock(fd, exclusive ? LOCK_EX : LOCK_SH), error == EINTR)) {
        }
      },
      [](int fd, int) { OK(flock(fd, LOCK_UN)); });
}

SCENE(locks_records) {
  // Processes are what these distinguish: one thread in each.
  play_locks(
      stage, 1,
      [](int fd, int range, bool exclusive) {
        struct flock lock = range_lock(exclusive ? F_WRLCK : F_RDLCK, range * 10, 10);
        OK(fcntl(fd, F_SETLKW, &lock));
      },
      [](int fd, int range) {
        // More than was locked, which does not matter.
        struct flock lock = range_lock(F_UNLCK, range * 10, range == 3 ? 0 : 10);
        OK(fcntl(fd, F_SETLK, &lock));
      });
}

SCENE(locks_descriptions) {
  play_locks(
      stage, stage.threads,
      [](int fd, int range, bool exclusive) {
        struct flock lock = range_lock(exclusive ? F_WRLCK : F_RDLCK, range * 10, 10);
        OK(fcntl(fd, F_OFD_SETLKW, &lock));
      },
      [](int fd, int range) {
        struct flock lock = range_lock(F_UNLCK, range * 10, 10);
        OK(fcntl(fd, F_OFD_SETLK, &lock));
      });
}

/// System V semaphores: what is taken with SEM_UNDO comes back however the taker goes.
SCENE(locks_semaphores) {
  stage.rounds([&] {
    const int set = OK(semget(IPC_PRIVATE, 2, 0600));
    OK(semctl(set, 0, SETVAL, 1));
    OK(semctl(set, 1, SETVAL, 3));
    Shared<Inside> inside;
    stage.everyone(stage.processes, 1, [&](Worker& worker) {
      for (int i = 0; i < 40; ++i) {
        const bool killed = worker.random.one_in(3);
        worker.step("a semaphore that is undone");
        auto play = [&] {
          // One of the first and one of the second, or neither.
          sembuf take[2] = {{0, -1, SEM_UNDO}, {1, -1, SEM_UNDO}};
          OK(semop(set, take, 2));
          inside->enter(0, true);
          sched_yield();
          inside->leave(0, true);
        };
        if (i % 4 == 0) {
          const pid_t child = in_child([&] {
            play();
            if (killed) kill(getpid(), SIGKILL);
          });
          int status;
          OK(waitpid(child, &status, 0));
          CHECK(status == 0 || (killed && WIFSIGNALED(status)));
          continue;
        }
        play();
        sembuf give[2] = {{0, 1, SEM_UNDO}, {1, 1, SEM_UNDO}};
        OK(semop(set, give, 2));
      }
    });
    CHECK_EQ(OK(semctl(set, 0, GETVAL)), 1);
    CHECK_EQ(OK(semctl(set, 1, GETVAL)), 3);
    OK(semctl(set, 0, IPC_RMID));
  });
}
