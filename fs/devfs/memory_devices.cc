// The character devices of major number 1 that are no memory: null, zero, full, random, urandom
// (man 4 null, full, random) and kmsg.
#include <algorithm>

#include "abi/linux/random.h"
#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/devices.h"

namespace lxss {

namespace {

constexpr u32 kMajor = 1;
enum Minor : u32 { kNull = 3, kZero = 5, kFull = 7, kRandom = 8, kUrandom = 9, kKmsg = 11 };

Result<usize> swallow(IoBuffer& buffer) {
  usize size = buffer.size();
  buffer.skip(size);
  return size;
}

/// None of them has a state to guard.
class MemoryDevice : public File {
 public:
  MemoryDevice() : File(Locking::kOwn) {}
};

class NullFile : public MemoryDevice {
 public:
  bool seekable() const override { return true; }
  Result<usize> read(Task&, IoBuffer&, u64*) override { return usize{0}; }
  Result<usize> write(Task&, IoBuffer& buffer, u64*) override { return swallow(buffer); }
  // Linux: any position is the beginning.
  Result<u64> seek(i64, i32) override { return u64{0}; }
};

class ZeroFile : public NullFile {
 public:
  Result<usize> read(Task&, IoBuffer& buffer, u64*) override {
    return buffer.put_zeros(buffer.size());
  }
  Result<MapSource> map() override { return MapSource{}; }
};

class FullFile final : public ZeroFile {
 public:
  Result<usize> write(Task&, IoBuffer&, u64*) override { return Errno::kENOSPC; }
  Result<MapSource> map() override { return Errno::kENODEV; }
};

class RandomFile final : public MemoryDevice {
 public:
  bool seekable() const override { return true; }
  Result<u64> seek(i64, i32) override { return position; }

  Result<usize> read(Task&, IoBuffer& buffer, u64*) override {
    usize total = 0;
    while (!buffer.empty()) {
      std::byte bytes[1024];
      usize size = std::min(buffer.size(), sizeof bytes);
      host::random_bytes({bytes, size});
      auto put = buffer.put(bytes, size);
      if (!put && total == 0) return put.error();
      if (!put) break;
      total += *put;
      if (*put < size) break;
    }
    return total;
  }

  /// What is written would be mixed into the host's pool; nothing there needs it.
  Result<usize> write(Task&, IoBuffer& buffer, u64*) override { return swallow(buffer); }

  Result<u64> ioctl(Task&, u32 request, u64 argument) override {
    switch (request) {
      case abi::kRNDGETENTCNT:
        TRY(UserOut<i32>{UserAddr{argument}}.write(kEntropyBits));
        return u64{0};
      case abi::kRNDADDTOENTCNT:
      case abi::kRNDADDENTROPY:
      case abi::kRNDZAPENTCNT:
      case abi::kRNDCLEARPOOL:
        // The host's pool is not the guest's to credit, whoever asks.
        return Errno::kEPERM;
      default:
        return Errno::kEINVAL;
    }
  }

 private:
  static constexpr i32 kEntropyBits = 256;
};

/// Written lines go to the instance's log. There is no buffer of messages to be read.
class KmsgFile final : public MemoryDevice {
 public:
  bool seekable() const override { return true; }
  Result<u64> seek(i64, i32) override { return u64{0}; }
  Result<usize> read(Task& task, IoBuffer&, u64*) override {
    if (nonblocking()) return Errno::kEAGAIN;
    Lock::Held held(lock_);
    TRY(wait_until(task, lock_, messages_, [] { return false; }));
    return Errno::kEAGAIN;
  }
  Result<usize> write(Task&, IoBuffer& buffer, u64*) override {
    constexpr usize kMaxLine = 992;
    usize size = buffer.size();
    if (size > kMaxLine) return Errno::kEINVAL;
    std::string line(size, '\0');
    line.resize(TRY(buffer.take(line.data(), size)));
    while (!line.empty() && line.back() == '\n') line.pop_back();
    log_line("kmsg: " + line);
    return size;
  }
  PollEvents poll(PollRegistration* registration) override {
    if (registration) registration->on(messages_);
    return abi::PollFlag::kPOLLOUT | abi::PollFlag::kPOLLWRNORM;
  }

 private:
  Lock lock_{LockRank::kObject};
  WaitQueue messages_;  ///< there are none
};

Result<RefPtr<File>> open(Task&, u32 minor, abi::OpenFlags) {
  switch (minor) {
    case kNull:
      return RefPtr<File>(make_ref<NullFile>());
    case kZero:
      return RefPtr<File>(make_ref<ZeroFile>());
    case kFull:
      return RefPtr<File>(make_ref<FullFile>());
    case kRandom:
    case kUrandom:
      return RefPtr<File>(make_ref<RandomFile>());
    case kKmsg:
      return RefPtr<File>(make_ref<KmsgFile>());
    default:
      return Errno::kENXIO;
  }
}

}  // namespace

const devices::Driver devices::kMemoryDevices = {
    .major = kMajor, .first_minor = 0, .last_minor = 255, .name = "mem", .open = open};

}  // namespace lxss
