// Descriptor tables that threads share: numbers are used while others change what they mean.
#include <dirent.h>
#include <linux/close_range.h>
#include <sys/socket.h>

#include "linear.h"
#include "stage.h"

using namespace stress;

namespace {

constexpr int kFiles = 8;
constexpr int kWords = 32;

/// Files that say in each word which they are.
struct MarkedFiles {
  int fds[kFiles];

  explicit MarkedFiles(u64 salt) : salt_(salt) {
    for (int i = 0; i < kFiles; ++i) {
      fds[i] = OK(open(name(i).c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
      u64 words[kWords];
      for (u64& word : words) word = mark(i);
      write_all(fds[i], words, sizeof words);
    }
  }
  ~MarkedFiles() {
    for (int fd : fds) close(fd);
  }
  static std::string name(int i) { return "marked" + std::to_string(i); }
  u64 mark(int i) const { return mix(salt_ + i) << 8 | i; }

  /// Which file the words are of; all of one.
  int which(const u64* words) const {
    const int i = words[0] & 0xff;
    CHECK(i < kFiles);
    for (int n = 0; n < kWords; ++n) CHECK_EQ(words[n], mark(i));
    return i;
  }

 private:
  u64 salt_;
};

}  // namespace

/// A number that dup2 always replaces is never closed, and what is read through it is one file's.
SCENE(tables_replace) {
  constexpr int kFirst = 100, kNumbers = 4;
  stage.rounds([&] {
    MarkedFiles files(stage.random.next());
    for (int i = 0; i < kNumbers; ++i) OK(dup2(files.fds[i], kFirst + i));
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      for (int i = 0; i < 150; ++i) {
        const int number = kFirst + worker.random.below(kNumbers);
        u64 words[kWords];
        switch (worker.random.below(4)) {
          case 0:
            worker.step("dup2");
            CHECK_EQ(OK(dup2(files.fds[worker.random.below(kFiles)], number)), number);
            break;
          case 1:
            worker.step("dup3");
            CHECK_EQ(OK(dup3(files.fds[worker.random.below(kFiles)], number, O_CLOEXEC)), number);
            break;
          case 2:
            worker.step("pread");
            CHECK_EQ(OK(pread(number, words, sizeof words, 0)), (ssize_t)sizeof words);
            files.which(words);
            break;
          case 3: {
            worker.step("dup and read twice");
            const int copy = OK(dup(number));
            CHECK_EQ(OK(pread(copy, words, sizeof words, 0)), (ssize_t)sizeof words);
            const int first = files.which(words);
            sched_yield();
            CHECK_EQ(OK(pread(copy, words, sizeof words, 0)), (ssize_t)sizeof words);
            CHECK_EQ(files.which(words), first);
            close(copy);
            break;
          }
        }
      }
    });
    for (int i = 0; i < kNumbers; ++i) close(kFirst + i);
  });
}

/// Numbers are opened and closed by all: through each one reads the file that was there, or gets
/// EBADF; what one has opened and nobody else closes is its own.
SCENE(tables_churn) {
  stage.rounds([&] {
    MarkedFiles files(stage.random.next());
    Shared<std::atomic<int>> opened(0);
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      constexpr int kVictim = 200, kVictims = 3;
      for (int i = 0; i < 150; ++i) {
        const int number = kVictim + worker.random.below(kVictims);
        u64 words[kWords];
        switch (worker.random.below(5)) {
          case 0:
            worker.step("close what others use");
            OK_OR(close(number), error == EBADF);
            break;
          case 1:
            worker.step("put a file there");
            OK(dup2(files.fds[worker.random.below(kFiles)], number));
            break;
          case 2:
            worker.step("read what others close");
            if (OK_OR(pread(number, words, sizeof words, 0), error == EBADF)) files.which(words);
            break;
          case 3: {
            worker.step("a number of one's own");
            const int file = worker.random.below(kFiles);
            const int fd = OK(open(MarkedFiles::name(file).c_str(), O_RDONLY | O_CLOEXEC));
            CHECK(fd < kVictim);
            CHECK_EQ(OK(read(fd, words, sizeof words)), (ssize_t)sizeof words);
            CHECK_EQ(files.which(words), file);
            CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), (off_t)sizeof words);
            OK(close(fd));
            break;
          }
          case 4: {
            worker.step("write through what others close");
            // Writes put there what is there already, so that no file's contents change.
            if (!OK_OR(pread(number, words, sizeof words, 0), error == EBADF)) break;
            const int file = files.which(words);
            const int fd = OK(dup(files.fds[file]));
            CHECK_EQ(OK(pwrite(fd, words, sizeof words, 0)), (ssize_t)sizeof words);
            OK(close(fd));
            break;
          }
        }
      }
    });
    for (int i = 0; i < kFiles; ++i) {
      u64 words[kWords];
      CHECK_EQ(OK(pread(files.fds[i], words, sizeof words, 0)), (ssize_t)sizeof words);
      CHECK_EQ(files.which(words), i);
    }
  });
}

namespace {

/// The first few free numbers of a table, and the file that each names. A new descriptor's number
/// is taken before it names a file.
struct Table {
  static constexpr int kNumbers = 8;
  static constexpr u8 kFree = 0, kTaken = 255;
  enum Call : u8 { kDup, kDup2, kClose, kWhich, kDupAbove };
  struct Operation {
    Call call;
    u8 from, to;  // numbers, counted from the first
    u8 file;      // 1 and more: which file was found
    int result;   // a number, or -1
    int error;
  };
  struct State {
    u8 files[kNumbers] = {};
  };
  static bool names(u8 file) { return file != kFree && file != kTaken; }

  static Action act(State& state, const Operation& operation, int action, u64& note) {
    u8& from = state.files[operation.from];
    u8& to = state.files[operation.to];
    auto fails = [&](int error) {
      return operation.result == -1 && operation.error == error ? Action::kDone
                                                                : Action::kImpossible;
    };
    switch (operation.call) {
      case kWhich:
        if (!names(from)) return fails(EBADF);
        return operation.result != -1 && operation.file == from ? Action::kDone
                                                                : Action::kImpossible;
      case kClose:
        if (!names(from)) return fails(EBADF);
        from = kFree;
        return operation.result == -1 ? Action::kImpossible : Action::kDone;
      case kDup2:
        if (!names(from)) return fails(EBADF);
        if (to == kTaken) return fails(EBUSY);
        to = from;
        return operation.result == operation.to ? Action::kDone : Action::kImpossible;
      case kDup:
      case kDupAbove: {
        if (action == 0) {
          if (!names(from)) return fails(EBADF);
          note = from;
          return Action::kMore;
        }
        if (action == 1) {
          const int lowest = operation.call == kDupAbove ? operation.to : 0;
          for (int number = lowest; number < kNumbers; ++number) {
            if (state.files[number] != kFree) continue;
            if (number != operation.result) return Action::kImpossible;
            state.files[number] = kTaken;
            return Action::kMore;
          }
          // Above those that are modelled, the model keeps no account.
          return operation.result >= kNumbers ? Action::kDone : Action::kImpossible;
        }
        state.files[operation.result] = note;
        return Action::kDone;
      }
    }
    return Action::kImpossible;
  }

  static std::string describe(const Operation& operation) {
    const char* calls[] = {"dup", "dup2", "close", "which", "dup above"};
    std::string text = std::string(calls[operation.call]) + " " + std::to_string(operation.from);
    if (operation.call == kDup2 || operation.call == kDupAbove)
      text += " " + std::to_string(operation.to);
    if (operation.result == -1) return text + " = " + strerrorname_np(operation.error);
    if (operation.call == kWhich) return text + " = file " + std::to_string(operation.file);
    return text + " = " + std::to_string(operation.result);
  }
};

}  // namespace

/// What threads do to their table can be told as if it had been done in turn: the lowest free
/// number is given, and each number names what was last put there.
SCENE(tables_history) {
  Shared<History<Table>> history;
  for (int i = 0; i < kFiles; ++i) {
    close(OK(open(MarkedFiles::name(i).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)));
  }
  stage.rounds([&] {
    REAP(in_child([&] {
           // Nothing is open but what the model knows of: the files are held at the far end.
           constexpr int kHeld = 300;
           ino_t inodes[kFiles];
           for (int i = 0; i < kFiles; ++i) {
             const int fd = OK(open(MarkedFiles::name(i).c_str(), O_RDWR | O_CLOEXEC));
             struct stat status;
             OK(fstat(fd, &status));
             inodes[i] = status.st_ino;
             OK(fcntl(fd, F_DUPFD, kHeld + i));
             close(fd);
           }
           // Our standard output and error stay reachable beyond.
           const int base = 3;
           OK(syscall(SYS_close_range, base, kHeld - 1, 0));
           Table::State initial;
           for (int i = 0; i < 3; ++i) {
             OK(dup2(kHeld + i, base + i));
             initial.files[i] = i + 1;
           }
           Gate gate(4);
           stage.own_threads(4, [&](Worker& worker) {
             gate.pass();
             for (int i = 0; i < 12; ++i) {
               Table::Operation operation{};
               operation.call = (Table::Call)worker.random.below(5);
               operation.from = worker.random.below(5);
               operation.to = worker.random.below(5);
               worker.step("a recorded step of a table");
               history->record(worker, operation, [&](Table::Operation& recorded) {
                 const int from = base + recorded.from;
                 int result = -1;
                 struct stat status {};
                 switch (recorded.call) {
                   case Table::kDup:
                     result = dup(from);
                     break;
                   case Table::kDup2:
                     result = dup2(from, base + recorded.to);
                     break;
                   case Table::kDupAbove:
                     result = fcntl(from, F_DUPFD, base + recorded.to);
                     break;
                   case Table::kClose:
                     result = close(from);
                     if (result == 0) result = base;
                     break;
                   case Table::kWhich:
                     result = fstat(from, &status);
                     if (result == 0) result = base;
                     break;
                 }
                 recorded.error = errno;
                 recorded.result = result == -1 ? -1 : result - base;
                 if (recorded.call != Table::kWhich || result == -1) return;
                 for (int file = 0; file < kFiles; ++file) {
                   if (inodes[file] == status.st_ino) recorded.file = file + 1;
                 }
               });
             }
           });
           history->check(initial);
         }),
         0);
  });
}

/// A process that is forked while threads change the table gets one that is whole: what nobody
/// touches is there, what is there can be read; exec closes exactly what is marked so.
SCENE(tables_fork) {
  constexpr int kPermanent = 60, kNumbers = 6;
  stage.rounds([&] {
    MarkedFiles files(stage.random.next());
    for (int i = 0; i < kFiles; ++i) OK(dup3(files.fds[i], kPermanent + i, i % 2 ? O_CLOEXEC : 0));
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      static std::atomic<bool> over;  // of each process
      if (worker.thread > 0) {
        while (!over) {
          worker.step("change the table");
          const int number = 80 + worker.random.below(kNumbers);
          if (worker.random.one_in(2)) {
            OK(dup3(files.fds[worker.random.below(kFiles)], number, O_CLOEXEC));
          } else {
            OK_OR(close(number), error == EBADF);
          }
        }
        return;
      }
      for (int i = 0; i < 10; ++i) {
        worker.step("fork while the table changes");
        const bool executes = i % 3 == 0;
        REAP(in_child([&] {
               u64 words[kWords];
               for (int f = 0; f < kFiles; ++f) {
                 CHECK_EQ(OK(pread(kPermanent + f, words, sizeof words, 0)), (ssize_t)sizeof words);
                 CHECK_EQ(files.which(words), f);
               }
               for (int n = 0; n < kNumbers; ++n) {
                 if (!OK_OR(pread(80 + n, words, sizeof words, 0), error == EBADF)) continue;
                 const int which = files.which(words);
                 // Nobody changes a table that is this process's alone.
                 CHECK_EQ(OK(pread(80 + n, words, sizeof words, 0)), (ssize_t)sizeof words);
                 CHECK_EQ(files.which(words), which);
               }
               if (executes) {
                 execl("/proc/self/exe", "stress", "--helper", "open_numbers", nullptr);
                 OK(-1);
               }
             }),
             0);
      }
      over = true;
    });
    for (int i = 0; i < kFiles; ++i) close(kPermanent + i);
  });
}

/// Of the permanent numbers every second is open, and none of those that were marked to close.
HELPER(open_numbers) {
  for (int i = 0; i < kFiles; ++i) {
    if ((fcntl(60 + i, F_GETFD) != -1) != (i % 2 == 0)) return 1;
    if (fcntl(80 + i, F_GETFD) != -1) return 2;
  }
  return 0;
}

/// Who reads from a pipe goes on with it when its number is closed and given away.
SCENE(tables_close_under_read) {
  stage.rounds([&] {
    stage.everyone(stage.processes, 2, [&](Worker& worker) {
      static std::atomic<int> read_end, write_end;
      static std::atomic<bool> reading;
      static Gate gate(2);
      for (int i = 0; i < 25; ++i) {
        if (worker.thread == 0) {
          int pipe[2];
          OK(pipe2(pipe, O_CLOEXEC));
          read_end = pipe[0];
          write_end = pipe[1];
          reading = false;
        }
        gate.pass();
        if (worker.thread == 0) {
          char byte = 0;
          worker.step("read what is closed meanwhile");
          reading = true;
          // Either it read in time, or it came late and the number is another file's.
          const ssize_t count = read(read_end, &byte, 1);
          if (count == 1) {
            CHECK(byte == 'p' || byte == 'm');
          } else {
            CHECK(count == -1 && errno == EBADF);
          }
        } else {
          while (!reading) sched_yield();
          if (worker.random.one_in(2)) sleep_us(200);
          worker.step("close and reuse the number");
          const int other = OK(memfd_create("other", MFD_CLOEXEC));
          OK(pwrite(other, "m", 1, 0));
          if (worker.random.one_in(2)) {
            OK(dup2(other, read_end));
          } else {
            OK(close(read_end));
          }
          signal(SIGPIPE, SIG_IGN);
          OK_OR(write(write_end, "p", 1), error == EPIPE);
          close(other);
        }
        gate.pass();
        if (worker.thread == 0) {
          close(read_end);
          close(write_end);
        }
        gate.pass();
      }
    });
  });
}

/// Close_range and unsharing against other threads that use the table.
SCENE(tables_close_range) {
  stage.rounds([&] {
    MarkedFiles files(stage.random.next());
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      u64 words[kWords];
      for (int i = 0; i < 60; ++i) {
        if (worker.thread == 0) {
          worker.step("close a range");
          if (worker.random.one_in(2)) {
            OK(syscall(SYS_close_range, 400, 500, 0));
          } else {
            OK(syscall(SYS_close_range, 400, 500, CLOSE_RANGE_CLOEXEC));
          }
          continue;
        }
        worker.step("use numbers in a range that is closed");
        const int number = 400 + worker.random.below(50);
        OK(dup2(files.fds[worker.random.below(kFiles)], number));
        if (OK_OR(pread(number, words, sizeof words, 0), error == EBADF)) files.which(words);
        const int file = worker.random.below(kFiles);
        CHECK_EQ(OK(pread(files.fds[file], words, sizeof words, 0)), (ssize_t)sizeof words);
        CHECK_EQ(files.which(words), file);
      }
    });
  });
}
