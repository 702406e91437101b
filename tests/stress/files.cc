// Names of files: creating, linking, renaming and removing the same few of them.
#include <dirent.h>

#include <map>

#include "linear.h"
#include "stage.h"

using namespace stress;

namespace {

std::string numbered(const char* prefix, u64 number) { return prefix + std::to_string(number); }

/// Names in a directory, read in pieces as small as getdents64 takes, so that a listing lasts.
std::map<std::string, int> names_in(const char* directory, size_t piece) {
  struct Entry {
    u64 inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
  };
  std::map<std::string, int> names;
  const int fd = OK(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  alignas(8) char buffer[32768];
  while (true) {
    const long count = OK(syscall(SYS_getdents64, fd, buffer, std::min(piece, sizeof buffer)));
    if (count == 0) break;
    for (long at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      ++names[entry->name];
      at += entry->length;
    }
  }
  close(fd);
  names.erase(".");
  names.erase("..");
  return names;
}

/// Makes the object `name` exclusively, of the kind that `kind` chooses; whether this worker won.
bool make_exclusively(u64 kind, const char* name) {
  switch (kind) {
    case 0: {
      int fd = -1;
      const bool won =
          OK_OR(fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600), error == EEXIST);
      if (won) close(fd);
      return won;
    }
    case 1:
      return OK_OR(mkdir(name, 0700), error == EEXIST);
    case 2:
      return OK_OR(symlink("nowhere", name), error == EEXIST);
    case 3:
      return OK_OR(link("source", name), error == EEXIST);
    default:
      return OK_OR(mkfifo(name, 0600), error == EEXIST);
  }
}

}  // namespace

/// Exactly one of n exclusive creators wins, and exactly one of n removers.
SCENE(files_exclusive) {
  constexpr int kNames = 24;
  Shared<std::atomic<int>[kNames]> made, removed;
  Shared<Gate> gate(stage.workers());
  close(OK(open("source", O_CREAT | O_WRONLY, 0600)));
  stage.rounds([&] {
    for (int i = 0; i < kNames; ++i) (*made)[i] = (*removed)[i] = 0;
    const u64 first_kind = stage.random.below(5);
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < kNames; ++i) {
        const u64 kind = (first_kind + i) % 5;
        const std::string name = numbered("x", i);
        gate->pass();
        worker.step("exclusive creation");
        if (make_exclusively(kind, name.c_str())) ++(*made)[i];
        gate->pass();
        worker.step("removal");
        const bool gone = kind == 1 ? OK_OR(rmdir(name.c_str()), error == ENOENT)
                                    : OK_OR(unlink(name.c_str()), error == ENOENT);
        if (gone) ++(*removed)[i];
      }
    });
    for (int i = 0; i < kNames; ++i) {
      CHECK_EQ((*made)[i].load(), 1);
      CHECK_EQ((*removed)[i].load(), 1);
    }
    CHECK_EQ(names_in(".", 32768).size(), 1u);
  });
}

namespace {

/// A few names in one directory, and which inode each names.
struct Namespace {
  static constexpr int kNames = 4;
  enum Call : u8 { kCreate, kUnlink, kRename, kLink, kLookUp, kOpen, kExchange };
  struct Operation {
    Call call;
    u8 from, to;
    u64 inode;  // found or made
    int error;
  };
  struct State {
    u64 names[kNames] = {};
  };

  static Action answer(const Operation& operation, int error) {
    return operation.error == error ? Action::kDone : Action::kImpossible;
  }

  static Action act(State& state, const Operation& operation, int action, u64& note) {
    u64& from = state.names[operation.from];
    u64& to = state.names[operation.to];
    switch (operation.call) {
      case kCreate:
        if (from != 0) return answer(operation, EEXIST);
        from = operation.inode;
        return answer(operation, 0);
      case kUnlink:
        if (from == 0) return answer(operation, ENOENT);
        from = 0;
        return answer(operation, 0);
      case kRename:
        if (from == 0) return answer(operation, ENOENT);
        if (from != to) {  // two names of one file: nothing happens
          to = from;
          from = 0;
        }
        return answer(operation, 0);
      case kExchange:
        if (from == 0 || to == 0) return answer(operation, ENOENT);
        std::swap(from, to);
        return answer(operation, 0);
      case kLink:
        if (action == 0) {
          if (from == 0) return answer(operation, ENOENT);
          note = from;
          return Action::kMore;
        }
        if (to != 0) return answer(operation, EEXIST);
        for (u64 inode : state.names) {
          if (inode != note) continue;
          to = note;
          return answer(operation, 0);
        }
        return answer(operation, ENOENT);  // its last name is gone
      case kLookUp:
      case kOpen:
        if (from == 0) return answer(operation, ENOENT);
        return from == operation.inode ? answer(operation, 0) : Action::kImpossible;
    }
    return Action::kImpossible;
  }

  static std::string describe(const Operation& operation) {
    const char* names[] = {"create", "unlink", "rename", "link", "look up", "open", "exchange"};
    std::string text = std::string(names[operation.call]) + " " + std::to_string(operation.from);
    if (operation.call == kRename || operation.call == kLink || operation.call == kExchange) {
      text += " " + std::to_string(operation.to);
    }
    if (operation.error != 0) return text + " = " + strerrorname_np(operation.error);
    return text + " = " + std::to_string(operation.inode);
  }
};

std::string name_of(int number) { return std::string(1, 'a' + number); }

/// Makes the call and fills in what came of it. What is created stays open in `kept`, so that its
/// inode's number is not used again.
void perform(Namespace::Operation& operation, std::vector<int>& kept) {
  const std::string from = name_of(operation.from), to = name_of(operation.to);
  struct stat status {};
  int result = -1;
  switch (operation.call) {
    case Namespace::kCreate:
      result = open(from.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
      break;
    case Namespace::kUnlink:
      result = unlink(from.c_str());
      break;
    case Namespace::kRename:
      result = rename(from.c_str(), to.c_str());
      break;
    case Namespace::kExchange:
      result = syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 2);
      break;
    case Namespace::kLink:
      result = link(from.c_str(), to.c_str());
      break;
    case Namespace::kLookUp:
      result = stat(from.c_str(), &status);
      break;
    case Namespace::kOpen:
      result = open(from.c_str(), O_RDONLY | O_CLOEXEC);
      break;
  }
  operation.error = result == -1 ? errno : 0;
  if (result != -1 &&
      (operation.call == Namespace::kCreate || operation.call == Namespace::kOpen)) {
    OK(fstat(result, &status));
    kept.push_back(result);
  }
  operation.inode = status.st_ino;
}

}  // namespace

/// What was done to a directory's names at once can be told as if it had been done in turn.
SCENE(files_history) {
  const int processes = 2, threads = 2;
  Shared<History<Namespace>> history;
  Shared<Gate> gate(processes * threads);
  // Inodes stay held until the history is told: by the workers until all have recorded all.
  stage.rounds([&] {
    const bool exchange = stage.random.one_in(2);
    stage.everyone(processes, threads, [&](Worker& worker) {
      std::vector<int> kept;
      gate->pass();
      for (int i = 0; i < 12; ++i) {
        Namespace::Operation operation{};
        operation.call = (Namespace::Call)worker.random.below(exchange ? 7 : 6);
        operation.from = worker.random.below(Namespace::kNames);
        do operation.to = worker.random.below(Namespace::kNames);
        while (operation.to == operation.from);
        worker.step("a recorded operation");
        history->record(worker, operation, [&](auto& recorded) { perform(recorded, kept); });
      }
      gate->pass();
      for (int fd : kept) close(fd);
    });
    history->check({});
    for (int i = 0; i < Namespace::kNames; ++i) {
      OK_OR(unlink(name_of(i).c_str()), error == ENOENT);
    }
  });
}

/// A name that is always replaced by rename never disappears, is always a whole file, and never an
/// older one than before.
SCENE(files_replace) {
  constexpr int kSteps = 60;
  struct Content {
    u64 version, words[63];
  };
  auto write_version = [](const std::string& name, u64 version) {
    Content content;
    content.version = version;
    for (u64& word : content.words) word = mix(version);
    const int fd = OK(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    write_all(fd, &content, sizeof content);
    close(fd);
  };
  OK(mkdir("one", 0700));
  OK(mkdir("two", 0700));
  stage.rounds([&] {
    OK_OR(unlink("one/name"), error == ENOENT);
    write_version("one/name", 0);
    stage.everyone([&](Worker& worker) {
      u64 last = 0;
      for (u64 i = 1; i <= kSteps; ++i) {
        if (worker.number == 0) {
          worker.step("replacing");
          const char* other = i % 2 ? "two/new" : "one/new";
          write_version(other, i);
          OK(rename(other, "one/name"));
          continue;
        }
        worker.step("reading what is replaced");
        struct stat status;
        OK(stat("one/name", &status));
        CHECK_EQ(status.st_size, (off_t)sizeof(Content));
        OK(access("one/name", R_OK));
        const int fd = OK(open("one/name", O_RDONLY | O_CLOEXEC));
        Content content{};
        CHECK_EQ(read_all(fd, &content, sizeof content), sizeof content);
        close(fd);
        for (u64 word : content.words) CHECK_EQ(word, mix(content.version));
        CHECK(content.version >= last);
        last = content.version;
      }
    });
  });
}

/// Link counts: between the extremes while names come and go, exact when all is quiet.
SCENE(files_links) {
  OK(mkdir("one", 0700));
  OK(mkdir("two", 0700));
  stage.rounds([&] {
    const int fd = OK(open("base", O_CREAT | O_EXCL | O_RDWR, 0600));
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < 100; ++i) {
        const std::string name =
            numbered(worker.random.one_in(2) ? "one/" : "two/", worker.random.below(5));
        const std::string other =
            numbered(worker.random.one_in(2) ? "one/" : "two/", worker.random.below(5));
        worker.step("links");
        switch (worker.random.below(4)) {
          case 0:
          case 1:
            OK_OR(link("base", name.c_str()), error == EEXIST);
            break;
          case 2:
            OK_OR(unlink(name.c_str()), error == ENOENT);
            break;
          case 3:
            OK_OR(rename(name.c_str(), other.c_str()), error == ENOENT);
            break;
        }
        struct stat status;
        OK(fstat(fd, &status));
        // A rename is its new name's link before it is not its old one's any more.
        CHECK(status.st_nlink >= 1 && status.st_nlink <= (nlink_t)(11 + stage.workers()));
      }
    });
    nlink_t names = 1;
    for (const char* directory : {"one", "two"}) {
      for (const auto& [name, times] : names_in(directory, 32768)) {
        CHECK_EQ(times, 1);
        ++names;
      }
    }
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, names);
    for (const char* directory : {"one", "two"}) {
      for (const auto& [name, times] : names_in(directory, 32768)) {
        OK(unlink((std::string(directory) + "/" + name).c_str()));
      }
    }
    OK(unlink("base"));
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0u);
    close(fd);
  });
}

/// Listings of a directory in which others create, remove and rename: what is there all the time is
/// told exactly once, what was never there during the listing not at all.
SCENE(files_listing) {
  constexpr int kPermanent = 150, kGone = 20;
  OK(mkdir("d", 0700));
  stage.rounds([&] {
    for (int i = 0; i < kPermanent; ++i) {
      const std::string name = numbered("d/permanent-with-a-long-name-", i);
      OK_OR(mknod(name.c_str(), S_IFREG | 0600, 0), error == EEXIST);
    }
    for (int i = 0; i < kGone; ++i) {
      OK(mknod(numbered("d/gone-", i).c_str(), S_IFREG | 0600, 0));
      OK(unlink(numbered("d/gone-", i).c_str()));
    }
    stage.everyone([&](Worker& worker) {
      const std::string own = "d/" + std::to_string(worker.number) + "-";
      for (int i = 0; i < 6; ++i) {
        if (worker.number % 2 == 1) {
          for (int n = 0; n < 40; ++n) {
            worker.step("names come and go");
            const std::string name = own + std::to_string(worker.random.below(30));
            switch (worker.random.below(3)) {
              case 0:
                OK_OR(mknod(name.c_str(), S_IFREG | 0600, 0), error == EEXIST);
                break;
              case 1:
                OK_OR(unlink(name.c_str()), error == ENOENT);
                break;
              case 2:
                OK_OR(rename(name.c_str(), (own + std::to_string(worker.random.below(30))).c_str()),
                      error == ENOENT);
                break;
            }
          }
          continue;
        }
        worker.step("listing");
        const auto names = names_in("d", worker.random.between(64, 4096));
        int permanent = 0;
        for (const auto& [name, times] : names) {
          if (name.starts_with("gone")) FAIL("a removed name is listed: " + name);
          if (!name.starts_with("permanent")) continue;
          if (times != 1) FAIL(name + " is listed " + std::to_string(times) + " times");
          ++permanent;
        }
        CHECK_EQ(permanent, kPermanent);
      }
    });
    for (const auto& [name, times] : names_in("d", 32768)) {
      CHECK_EQ(times, 1);
      if (!name.starts_with("permanent")) OK(unlink(("d/" + name).c_str()));
    }
  });
}

/// As many removals succeed as creations, whatever the kind, and nothing remains.
SCENE(files_come_and_go) {
  Shared<std::atomic<int>[2]> balance;
  OK(mkdir("d", 0700));
  stage.rounds([&] {
    (*balance)[0] = (*balance)[1] = 0;
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < 150; ++i) {
        const std::string name = numbered("d/", worker.random.below(4));
        struct stat status;
        worker.step("come and go");
        switch (worker.random.below(7)) {
          case 0: {
            int fd = -1;
            if (OK_OR(fd = open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600),
                      error == EEXIST)) {
              ++(*balance)[0];
              close(fd);
            }
            break;
          }
          case 1:
            (*balance)[0] += OK_OR(symlink("a target", name.c_str()), error == EEXIST);
            break;
          case 2:
            (*balance)[1] += OK_OR(mkdir(name.c_str(), 0700), error == EEXIST);
            break;
          case 3:
            (*balance)[0] -= OK_OR(unlink(name.c_str()), error == ENOENT || error == EISDIR);
            break;
          case 4:
            (*balance)[1] -= OK_OR(rmdir(name.c_str()), error == ENOENT || error == ENOTDIR);
            break;
          case 5:
            if (OK_OR(lstat(name.c_str(), &status), error == ENOENT)) {
              CHECK(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode));
            }
            break;
          case 6: {
            char target[64];
            ssize_t size = 0;
            if (OK_OR(size = readlink(name.c_str(), target, sizeof target),
                      error == ENOENT || error == EINVAL)) {
              CHECK(std::string(target, size) == "a target");
            }
            break;
          }
        }
      }
    });
    int left[2] = {};
    for (int i = 0; i < 4; ++i) {
      const std::string name = numbered("d/", i);
      left[0] += OK_OR(unlink(name.c_str()), error == ENOENT || error == EISDIR);
      left[1] += OK_OR(rmdir(name.c_str()), error == ENOENT);
    }
    CHECK_EQ((*balance)[0].load(), left[0]);
    CHECK_EQ((*balance)[1].load(), left[1]);
    CHECK_EQ(names_in("d", 32768).size(), 0u);
    // An empty directory can go, and is empty as long as it stands.
    OK(rmdir("d"));
    OK(mkdir("d", 0700));
  });
}
