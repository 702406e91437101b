// Directories that move and vanish while others stand in them.
#include <climits>
#include <set>

#include "stage.h"

using namespace stress;

namespace {

std::string numbered(const char* prefix, u64 number) { return prefix + std::to_string(number); }

/// What a tree of directories named d<n> below `fd` contains; each must be met once and hold its
/// marker.
void collect(int fd, std::set<std::string>& met, int depth) {
  CHECK(depth < 64);
  for (int i = 0; i < 64; ++i) {
    const std::string name = numbered("d", i);
    int child = -1;
    if (!OK_OR(child = openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
               error == ENOENT))
      continue;
    if (!met.insert(name).second) FAIL(name + " is in the tree twice");
    OK(faccessat(child, numbered("marker", i).c_str(), F_OK, 0));
    collect(child, met, depth + 1);
    close(child);
  }
}

}  // namespace

/// Directories are renamed into each other at random: no loop comes about and no subtree is lost;
/// getcwd and `..` of who stands in one tell a path that there can be.
SCENE(directories_move) {
  constexpr int kDirectories = 10;
  stage.rounds([&] {
    OK(mkdir("root", 0700));
    const int root = OK(open("root", O_RDONLY | O_DIRECTORY));
    struct stat root_status;
    OK(fstat(root, &root_status));
    int fds[kDirectories];
    for (int i = 0; i < kDirectories; ++i) {
      const std::string name = numbered("d", i);
      OK(mkdirat(root, name.c_str(), 0700));
      fds[i] = OK(openat(root, name.c_str(), O_RDONLY | O_DIRECTORY));
      OK(mknodat(fds[i], numbered("marker", i).c_str(), S_IFREG | 0600, 0));
    }
    char root_path[PATH_MAX];
    OK(fchdir(root));
    CHECK(getcwd(root_path, sizeof root_path));
    stage.everyone([&](Worker& worker) {
      for (int step = 0; step < 60; ++step) {
        const int i = worker.random.below(kDirectories);
        const std::string name = numbered("d", i);
        if (worker.thread == 0 && worker.random.one_in(4)) {
          // One thread of each process: the working directory is the process's.
          worker.step("getcwd in a directory that moves");
          OK(fchdir(fds[i]));
          char path[PATH_MAX];
          CHECK(getcwd(path, sizeof path));
          const std::string text = path;
          if (!text.starts_with(root_path)) FAIL("getcwd: " + text);
          std::set<std::string> components;
          for (size_t begin = strlen(root_path); begin < text.size();) {
            CHECK(text[begin] == '/');
            size_t end = text.find('/', begin + 1);
            if (end == std::string::npos) end = text.size();
            if (!components.insert(text.substr(begin, end - begin)).second) FAIL("getcwd: " + text);
            begin = end;
          }
          if (!text.ends_with("/" + name)) FAIL("getcwd of " + name + ": " + text);
          continue;
        }
        if (worker.random.one_in(5)) {
          worker.step("up to the root");
          int at = OK(openat(fds[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
          struct stat status;
          for (int ups = 0;; ++ups) {
            OK(fstat(at, &status));
            if (status.st_ino == root_status.st_ino) break;
            CHECK(ups < 2000);  // it may be carried down again meanwhile, but not for ever
            const int up = OK(openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            close(at);
            at = up;
          }
          close(at);
          continue;
        }
        worker.step("rename into another directory");
        const int parent = OK(openat(fds[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const int other = worker.random.below(kDirectories + 1);
        const int target = other == kDirectories ? root : fds[other];
        // It may have gone from there by now; a directory does not go into itself or below; two
        // cannot hide in one name, because each has its own.
        OK_OR(renameat(parent, name.c_str(), target, name.c_str()),
              error == ENOENT || error == EINVAL || error == ENOTEMPTY || error == EEXIST);
        close(parent);
      }
    });
    std::set<std::string> met;
    collect(root, met, 0);
    CHECK_EQ(met.size(), (size_t)kDirectories);
    // Flat again, then gone: a link count or an emptiness that is wrong would show.
    for (int i = 0; i < kDirectories; ++i) {
      const std::string name = numbered("d", i);
      const int parent = OK(openat(fds[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      OK(renameat(parent, name.c_str(), root, name.c_str()));
      close(parent);
    }
    struct stat status;
    OK(fstat(root, &status));
    // Some file systems do not count subdirectories: they say 1.
    if (status.st_nlink != 1) CHECK_EQ(status.st_nlink, (nlink_t)(kDirectories + 2));
    for (int i = 0; i < kDirectories; ++i) {
      OK(unlinkat(fds[i], numbered("marker", i).c_str(), 0));
      OK(unlinkat(root, numbered("d", i).c_str(), AT_REMOVEDIR));
      OK(fstat(fds[i], &status));
      CHECK_EQ(status.st_nlink, 0u);
      close(fds[i]);
    }
    OK(fchdir(root));
    OK(chdir(".."));
    OK(rmdir("root"));
    close(root);
  });
}

/// A directory is removed only when it is empty, and takes no more names from then on.
SCENE(directories_vanish) {
  struct Counts {
    std::atomic<int> directories = 0, files = 0;
  };
  Shared<Counts> counts;
  stage.rounds([&] {
    counts->directories = counts->files = 0;
    stage.everyone([&](Worker& worker) {
      int inside = -1;
      for (int i = 0; i < 120; ++i) {
        const std::string file = numbered("d/f", worker.random.below(2));
        worker.step("a directory that vanishes");
        switch (worker.random.below(7)) {
          case 0:
            counts->directories += OK_OR(mkdir("d", 0700), error == EEXIST);
            break;
          case 1:
            counts->directories -= OK_OR(rmdir("d"), error == ENOENT || error == ENOTEMPTY);
            break;
          case 2: {
            int fd = -1;
            if (OK_OR(fd = open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600),
                      error == ENOENT || error == EEXIST)) {
              ++counts->files;
              close(fd);
            }
            break;
          }
          case 3:
            counts->files -= OK_OR(unlink(file.c_str()), error == ENOENT);
            break;
          case 4:
            if (inside != -1) close(inside);
            inside = -1;
            OK_OR(inside = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error == ENOENT);
            break;
          case 5: {
            if (inside == -1) break;
            counts->files += OK_OR(mknodat(inside, file.c_str() + 2, S_IFREG | 0600, 0),
                                   error == ENOENT || error == EEXIST);
            break;
          }
          case 6: {
            if (inside == -1) break;
            struct stat before, after;
            OK(fstat(inside, &before));
            const bool made =
                OK_OR(symlinkat("x", inside, "link"), error == ENOENT || error == EEXIST);
            if (made) OK_OR(unlinkat(inside, "link", 0), error == ENOENT);
            OK(fstat(inside, &after));
            // Who is gone stays gone.
            if (before.st_nlink == 0) CHECK(!made && after.st_nlink == 0);
            break;
          }
        }
      }
      if (inside != -1) close(inside);
    });
    int files = 0;
    for (int i = 0; i < 2; ++i) files += OK_OR(unlink(numbered("d/f", i).c_str()), error == ENOENT);
    CHECK_EQ(counts->files.load(), files);
    OK_OR(unlink("d/link"), error == ENOENT);
    const int directories = OK_OR(rmdir("d"), error == ENOENT);
    CHECK_EQ(counts->directories.load(), directories);
  });
}

/// Two directories exchange places with a path through both: whichever is looked at, it is one of
/// the two and whole; a symbolic link that always leads somewhere always does.
SCENE(directories_exchange) {
  for (const char* name : {"a", "b", "target"}) OK(mkdir(name, 0700));
  for (const char* name : {"a/leaf", "b/leaf", "target/leaf"}) OK(mkdir(name, 0700));
  for (const char* name : {"a/leaf/file", "b/leaf/file", "target/leaf/file"}) {
    OK(mknod(name, S_IFREG | 0600, 0));
  }
  OK(symlink("target", "link"));
  stage.rounds([&] {
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < 150; ++i) {
        if (worker.number == 0) {
          worker.step("exchange");
          OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2 /*EXCHANGE*/));
          OK(symlink("target", "link.new"));
          OK(rename("link.new", "link"));
          continue;
        }
        struct stat status;
        worker.step("a path through what moves");
        OK(stat(worker.random.one_in(2) ? "a/leaf/file" : "b/leaf/../leaf/file", &status));
        CHECK(S_ISREG(status.st_mode));
        OK(stat("link/leaf/file", &status));
        OK(access("link/leaf/../../link/leaf/file", F_OK));
      }
    });
  });
}
