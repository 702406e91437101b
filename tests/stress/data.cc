// Contents of files: appending, positions, whole writes, and whose data it is.
#include <sys/mman.h>
#include <sys/uio.h>

#include "stage.h"

using namespace stress;

namespace {

/// A record that says who wrote it and whether it is whole.
struct Record {
  static constexpr size_t kMost = 500;
  u32 size, writer;
  u64 sequence, check;
  unsigned char padding[kMost];

  static constexpr size_t kHeader = 24;

  static Record make(u32 writer, u64 sequence, size_t padding_size) {
    Record record;
    record.size = kHeader + padding_size;
    record.writer = writer;
    record.sequence = sequence;
    record.check = mix(writer * 1000003 + sequence + record.size);
    memset(record.padding, (int)record.check, padding_size);
    return record;
  }
  bool is_whole() const {
    if (size < kHeader || size > kHeader + kMost) return false;
    if (check != mix(writer * 1000003 + sequence + size)) return false;
    for (size_t i = 0; i < size - kHeader; ++i) {
      if (padding[i] != (unsigned char)check) return false;
    }
    return true;
  }
};

/// Parses `data`; each writer's records must be there, whole and in its order.
void check_records(const std::vector<char>& data, const std::vector<u64>& expected) {
  std::vector<u64> next(expected.size(), 0);
  size_t at = 0;
  while (at < data.size()) {
    Record record;
    CHECK(data.size() - at >= Record::kHeader);
    memcpy(&record, data.data() + at, std::min(sizeof record, data.size() - at));
    if (!record.is_whole()) FAIL("a torn record at " + std::to_string(at));
    CHECK(record.writer < expected.size());
    CHECK_EQ(record.sequence, next[record.writer]);
    ++next[record.writer];
    at += record.size;
  }
  for (size_t i = 0; i < expected.size(); ++i) CHECK_EQ(next[i], expected[i]);
}

std::vector<char> contents(const char* name) {
  const int fd = OK(open(name, O_RDONLY | O_CLOEXEC));
  struct stat status;
  OK(fstat(fd, &status));
  std::vector<char> data(status.st_size);
  CHECK_EQ(read_all(fd, data.data(), data.size()), data.size());
  close(fd);
  return data;
}

}  // namespace

/// Writers that append lose nothing and tear nothing, whichever description they write through.
SCENE(data_append) {
  constexpr u64 kRecords = 60;
  stage.rounds([&] {
    const int shared = OK(open("log", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    stage.everyone([&](Worker& worker) {
      const int own = OK(open("log", O_WRONLY | O_APPEND | O_CLOEXEC));
      for (u64 i = 0; i < kRecords; ++i) {
        const Record record = Record::make(worker.number, i, worker.random.below(Record::kMost));
        const int fd = worker.random.one_in(2) ? own : shared;
        worker.step("append");
        ssize_t count;
        if (worker.random.one_in(3)) {
          const size_t half = worker.random.below(record.size);
          iovec parts[] = {{(char*)&record, half}, {(char*)&record + half, record.size - half}};
          count = OK(writev(fd, parts, 2));
        } else if (worker.random.one_in(3)) {
          // Linux: O_APPEND is stronger than the position that pwrite names.
          count = OK(pwrite(fd, &record, record.size, 0));
        } else {
          count = OK(write(fd, &record, record.size));
        }
        CHECK_EQ(count, record.size);
      }
      close(own);
    });
    close(shared);
    check_records(contents("log"), std::vector<u64>(stage.workers(), kRecords));
  });
}

/// The position of a description that many share: no two writers write at the same place, and what
/// many read through it each byte is read once.
SCENE(data_position) {
  constexpr u64 kRecords = 60, kPadding = 40, kSize = Record::kHeader + kPadding;
  const u64 total = kRecords * stage.workers();
  Shared<std::atomic<u8>[64 * kRecords]> read_times;
  stage.rounds([&] {
    const int fd = OK(open("shared", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    stage.everyone([&](Worker& worker) {
      const int mine = worker.random.one_in(2) ? OK(dup(fd)) : fd;
      for (u64 i = 0; i < kRecords; ++i) {
        const Record record = Record::make(worker.number, i, kPadding);
        worker.step("write through a shared position");
        CHECK_EQ(OK(write(mine, &record, kSize)), (ssize_t)kSize);
      }
    });
    check_records(contents("shared"), std::vector<u64>(stage.workers(), kRecords));
    CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), (off_t)(total * kSize));
    OK(lseek(fd, 0, SEEK_SET));
    for (auto& times : *read_times) times = 0;
    stage.everyone([&](Worker& worker) {
      while (true) {
        Record record;
        worker.step("read through a shared position");
        const ssize_t count = OK(read(fd, &record, kSize));
        if (count == 0) break;
        CHECK_EQ(count, (ssize_t)kSize);
        CHECK(record.is_whole());
        ++(*read_times)[record.writer * kRecords + record.sequence];
      }
    });
    for (u64 i = 0; i < total; ++i) CHECK_EQ((*read_times)[i].load(), 1);
    close(fd);
  });
}

/// Writes over the same range do not mingle: at the end it is one writer's from end to end. What is
/// read meanwhile was written by somebody.
SCENE(data_whole_writes) {
  constexpr size_t kSize = 5 * 4096 + 100;
  stage.rounds([&] {
    const int fd = OK(open("range", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    std::vector<char> zero(kSize);
    write_all(fd, zero.data(), zero.size());
    stage.everyone([&](Worker& worker) {
      std::vector<char> buffer(kSize);
      for (int i = 0; i < 30; ++i) {
        if (worker.random.one_in(3)) {
          worker.step("pread");
          CHECK_EQ(OK(pread(fd, buffer.data(), kSize, 0)), (ssize_t)kSize);
          for (char byte : buffer) CHECK(byte >= 0 && byte <= stage.workers());
          continue;
        }
        memset(buffer.data(), worker.number + 1, kSize);
        worker.step("pwrite");
        CHECK_EQ(OK(pwrite(fd, buffer.data(), kSize, 0)), (ssize_t)kSize);
      }
    });
    const std::vector<char> data = contents("range");
    CHECK_EQ(data.size(), kSize);
    for (char byte : data) CHECK_EQ(byte, data[0]);
    close(fd);
  });
}

/// Sizes: a file that is truncated and extended at once holds nothing but what was written to it,
/// and zeros.
SCENE(data_truncate) {
  stage.rounds([&] {
    const int fd = OK(open("file", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    const char mark = (char)(1 + stage.random.below(100));
    stage.everyone([&](Worker& worker) {
      char buffer[9000];
      for (int i = 0; i < 60; ++i) {
        worker.step("truncate and extend");
        switch (worker.random.below(5)) {
          case 0:
            OK(ftruncate(fd, worker.random.below(20000)));
            break;
          case 1:
            OK(truncate("file", worker.random.below(20000)));
            break;
          case 2: {
            memset(buffer, mark, sizeof buffer);
            const size_t size = worker.random.between(1, sizeof buffer);
            CHECK_EQ(OK(pwrite(fd, buffer, size, worker.random.below(12000))), (ssize_t)size);
            break;
          }
          case 3: {
            const ssize_t count = OK(pread(fd, buffer, sizeof buffer, worker.random.below(20000)));
            for (ssize_t at = 0; at < count; ++at) CHECK(buffer[at] == 0 || buffer[at] == mark);
            break;
          }
          case 4: {
            struct stat status;
            OK(fstat(fd, &status));
            CHECK(status.st_size >= 0 && status.st_size <= 21000);
            break;
          }
        }
      }
    });
    close(fd);
    OK(unlink("file"));
  });
}

/// More files than anybody keeps open on a host, read, removed and made again: what is read from a
/// file is that file's, of the generation that was opened.
SCENE(data_own_contents) {
  constexpr int kFiles = 400, kWords = 64;
  // What a file may contain: its number in the low half, any generation in the high one.
  auto make = [](int number, u64 generation, const std::string& name) {
    u64 words[kWords];
    for (u64& word : words) word = generation << 32 | number;
    const int fd = OK(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    write_all(fd, words, sizeof words);
    close(fd);
  };
  auto name_of = [](int number) { return "f" + std::to_string(number); };
  for (int i = 0; i < kFiles; ++i) make(i, 0, name_of(i));
  Shared<std::atomic<u64>> generation(1);
  stage.rounds([&] {
    stage.everyone([&](Worker& worker) {
      constexpr int kKept = 24;
      struct Open {
        int fd = -1, number = 0;
        u64 generation = 0;
      } kept[kKept];
      for (int i = 0; i < 150; ++i) {
        const int number = worker.random.below(kFiles);
        Open& open_file = kept[worker.random.below(kKept)];
        u64 words[kWords];
        switch (worker.random.below(5)) {
          case 0: {
            worker.step("a new generation");
            const std::string other = "new" + std::to_string(worker.number);
            make(number, generation->fetch_add(1), other);
            OK(rename(other.c_str(), name_of(number).c_str()));
            break;
          }
          case 1:
          case 2: {
            worker.step("open");
            if (open_file.fd != -1) close(open_file.fd);
            open_file.fd = OK(open(name_of(number).c_str(), O_RDONLY | O_CLOEXEC));
            open_file.number = number;
            CHECK_EQ(OK(pread(open_file.fd, words, sizeof words, 0)), (ssize_t)sizeof words);
            open_file.generation = words[0] >> 32;
            for (u64 word : words) CHECK_EQ(word, open_file.generation << 32 | (u64)number);
            break;
          }
          default: {
            if (open_file.fd == -1) break;
            worker.step("read what has been open for a while");
            const u64 from = worker.random.below(kWords);
            const ssize_t size = (kWords - from) * sizeof(u64);
            CHECK_EQ(OK(pread(open_file.fd, words, size, from * sizeof(u64))), size);
            for (u64 j = 0; j < kWords - from; ++j) {
              CHECK_EQ(words[j], open_file.generation << 32 | (u64)open_file.number);
            }
            break;
          }
        }
      }
      for (const Open& open_file : kept) {
        if (open_file.fd != -1) close(open_file.fd);
      }
    });
  });
}

/// A shared mapping and read and write show the same bytes at once.
SCENE(data_mapped) {
  constexpr size_t kSize = 4 * 4096;
  stage.rounds([&] {
    const int fd = OK(open("mapped", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    OK(ftruncate(fd, kSize));
    Shared<std::atomic<u64>> written(0);
    stage.everyone([&](Worker& worker) {
      const int own =
          worker.random.one_in(2) ? OK(open("mapped", O_RDWR | O_CLOEXEC)) : OK(dup(fd));
      void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
      CHECK(memory != MAP_FAILED);
      auto& counter = *static_cast<std::atomic<u64>*>(memory);
      // Each worker has a word of its own beside the counter of all.
      u64& mine = static_cast<u64*>(memory)[8 + worker.number * 16];
      u64 last = 0;
      for (u64 i = 1; i <= 60; ++i) {
        worker.step("mapped and read");
        u64 seen;
        CHECK_EQ(OK(pread(own, &seen, sizeof seen, 0)), (ssize_t)sizeof seen);
        CHECK(seen >= last);
        last = counter.fetch_add(1) + 1;
        const off_t place = (char*)&mine - (char*)memory;
        if (i % 2) {
          __atomic_store_n(&mine, i, __ATOMIC_SEQ_CST);
          CHECK_EQ(OK(pread(own, &seen, sizeof seen, place)), (ssize_t)sizeof seen);
          CHECK_EQ(seen, i);
        } else {
          CHECK_EQ(OK(pwrite(own, &i, sizeof i, place)), (ssize_t)sizeof i);
          CHECK_EQ(__atomic_load_n(&mine, __ATOMIC_SEQ_CST), i);
        }
      }
      OK(munmap(memory, kSize));
      close(own);
    });
    u64 total;
    CHECK_EQ(OK(pread(fd, &total, sizeof total, 0)), (ssize_t)sizeof total);
    CHECK_EQ(total, 60u * stage.workers());
    close(fd);
    OK(unlink("mapped"));
  });
}
