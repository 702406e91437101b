// File locks.
#include "lxcore/vfs/locks.h"

#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::LockOp;
using abi::OpenFlag;

class Locks : public VfsTest {
 protected:
  Locks() {
    create("/f", 0666);
    a_ = &task();
    fd_a_ = must_open("/f", OpenFlag::kO_RDWR);
    b_ = &instance_.new_process();
    use(*b_);
    fd_b_ = must_open("/f", OpenFlag::kO_RDWR);
    use(*a_);
  }
  i64 lock(Task& who, Fd fd, i32 command, i16 type, i64 start, i64 length,
           abi::Flock* result = nullptr) {
    Task& before = task();
    use(who);
    abi::Flock request{type, abi::kSEEK_SET, 0, start, length, 0, 0};
    i64 done = to_register(sys::fcntl(who, fd, command, reinterpret_cast<u64>(&request)));
    if (result) *result = request;
    use(before);
    return done;
  }
  i64 set(Task& who, Fd fd, i16 type, i64 start, i64 length) {
    return lock(who, fd, abi::kF_SETLK, type, start, length);
  }

  Task *a_, *b_;
  Fd fd_a_, fd_b_;
};

TEST_F(Locks, RecordsConflictByRange) {
  EXPECT_EQ(set(*a_, fd_a_, abi::kF_WRLCK, 10, 10), 0);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_RDLCK, 0, 10), 0);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_RDLCK, 19, 1), error(Errno::kEAGAIN));
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_RDLCK, 20, 0), 0);
  abi::Flock seen;
  EXPECT_EQ(lock(*b_, fd_b_, abi::kF_GETLK, abi::kF_WRLCK, 0, 0, &seen), 0);
  EXPECT_EQ(seen.l_type, abi::kF_WRLCK);
  EXPECT_EQ(seen.l_start, 10);
  EXPECT_EQ(seen.l_len, 10);
  EXPECT_EQ(seen.l_pid, a_->process->pid.value);
  // A hole in the middle.
  EXPECT_EQ(set(*a_, fd_a_, abi::kF_UNLCK, 13, 3), 0);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 13, 3), 0);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 12, 1), error(Errno::kEAGAIN));
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 16, 1), error(Errno::kEAGAIN));
  EXPECT_NE(locks::list().find("POSIX  ADVISORY  WRITE"), std::string::npos);
}

TEST_F(Locks, AnyCloseReleasesRecords) {
  EXPECT_EQ(set(*a_, fd_a_, abi::kF_WRLCK, 0, 0), 0);
  Fd other = must_open("/f", {});
  close(other);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 0, 0), 0);
}

TEST_F(Locks, OfOpenFilesStayUntilTheLastClose) {
  EXPECT_EQ(lock(*a_, fd_a_, abi::kF_OFD_SETLK, abi::kF_WRLCK, 0, 0), 0);
  EXPECT_EQ(set(*a_, fd_a_, abi::kF_WRLCK, 0, 0), error(Errno::kEAGAIN));
  Fd copy{static_cast<i32>(to_register(sys::dup(*a_, fd_a_)))};
  close(fd_a_);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_RDLCK, 0, 0), error(Errno::kEAGAIN));
  abi::Flock seen;
  lock(*b_, fd_b_, abi::kF_GETLK, abi::kF_RDLCK, 0, 0, &seen);
  EXPECT_EQ(seen.l_pid, -1);
  close(copy);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_RDLCK, 0, 0), 0);
}

TEST_F(Locks, FlockIsApart) {
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 0, 0), 0);
  EXPECT_EQ(to_register(sys::flock(*a_, fd_a_, LockOp::kLOCK_EX)), 0);
  EXPECT_EQ(to_register(sys::flock(*b_, fd_b_, LockOp::kLOCK_SH | LockOp::kLOCK_NB)),
            error(Errno::kEAGAIN));
  EXPECT_EQ(to_register(sys::flock(*a_, fd_a_, LockOp::kLOCK_SH)), 0);
  EXPECT_EQ(to_register(sys::flock(*b_, fd_b_, LockOp::kLOCK_SH | LockOp::kLOCK_NB)), 0);
  EXPECT_EQ(to_register(sys::flock(*a_, fd_a_, LockOp::kLOCK_EX | LockOp::kLOCK_NB)),
            error(Errno::kEAGAIN));
  EXPECT_EQ(to_register(sys::flock(*a_, fd_a_, abi::LockOps(3u))), error(Errno::kEINVAL));
}

TEST_F(Locks, WaitingEndsWithTheRelease) {
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 0, 0), 0);
  int blocked = 0;
  instance_.on_block = [&] {
    ++blocked;
    EXPECT_EQ(set(*b_, fd_b_, abi::kF_UNLCK, 0, 0), 0);
  };
  EXPECT_EQ(lock(*a_, fd_a_, abi::kF_SETLKW, abi::kF_WRLCK, 0, 5), 0);
  EXPECT_EQ(blocked, 1);
}

TEST_F(Locks, CirclesAreFound) {
  EXPECT_EQ(set(*a_, fd_a_, abi::kF_WRLCK, 0, 1), 0);
  EXPECT_EQ(set(*b_, fd_b_, abi::kF_WRLCK, 1, 1), 0);
  instance_.on_block = [&] {
    EXPECT_EQ(lock(*b_, fd_b_, abi::kF_SETLKW, abi::kF_WRLCK, 0, 1), error(Errno::kEDEADLK));
    EXPECT_EQ(set(*b_, fd_b_, abi::kF_UNLCK, 1, 1), 0);
  };
  EXPECT_EQ(lock(*a_, fd_a_, abi::kF_SETLKW, abi::kF_WRLCK, 1, 1), 0);
}

TEST_F(Locks, NeedTheRightMode) {
  Fd reader = must_open("/f", {});
  EXPECT_EQ(set(*a_, reader, abi::kF_WRLCK, 0, 0), error(Errno::kEBADF));
  EXPECT_EQ(set(*a_, reader, abi::kF_RDLCK, -1, 0), error(Errno::kEINVAL));
  EXPECT_EQ(set(*a_, reader, 7, 0, 0), error(Errno::kEINVAL));
  EXPECT_EQ(lock(*a_, reader, abi::kF_SETLK, abi::kF_RDLCK, INT64_MAX, 2),
            error(Errno::kEOVERFLOW));
}

}  // namespace
}  // namespace lxss
