// select and pselect6 (man 2 select), with Linux's update of the timeout.
#include <algorithm>
#include <bit>

#include "lxcore/ipc/poller.h"
#include "lxcore/syscalls/poll.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

using abi::PollFlag;

// What makes a descriptor ready in each of the three sets.
constexpr PollEvents kInEvents = kReadable | PollFlag::kPOLLRDBAND | kAlwaysPolled;
constexpr PollEvents kOutEvents = kWritable | PollFlag::kPOLLWRBAND | PollFlag::kPOLLERR;
constexpr PollEvents kExceptionalEvents = PollFlag::kPOLLPRI;

/// One of the guest's three sets, of as many words as it gave, and the result.
struct DescriptorSet {
  UserAddr address;
  CallArray<u64, 16> words, found;

  DescriptorSet(UserAddr address, usize count)
      : address(address), words((count + 63) / 64), found((count + 63) / 64) {}
  Result<> read() {
    if (!address) return {};
    return copy_in(words.data(), address, words.size() * sizeof(u64));
  }
  bool has(usize fd) const { return words[fd / 64] >> fd % 64 & 1; }
  void add(usize fd) { found[fd / 64] |= u64{1} << fd % 64; }
  Result<> write() const {
    if (!address) return {};
    return copy_out(address, found.data(), found.size() * sizeof(u64));
  }
};

constexpr usize kFewFiles = 8;

/// Sets the results and returns their number; ERESTARTSYS if interrupted.
Result<usize> select_until(Task& task, i32 count, UserAddr in_at, UserAddr out_at,
                           UserAddr exceptional_at, host::Deadline deadline) {
  if (count < 0) return Errno::kEINVAL;
  // Linux: descriptors beyond the table are not looked at.
  const usize end = static_cast<usize>(std::min(count, std::max(task.files->end(), 64)));
  DescriptorSet in(in_at, end), out(out_at, end), exceptional(exceptional_at, end);
  TRY(in.read());
  TRY(out.read());
  TRY(exceptional.read());
  usize asked = 0;
  for (usize i = 0; i < in.words.size(); ++i) {
    asked += static_cast<usize>(std::popcount(in.words[i] | out.words[i] | exceptional.words[i]));
  }
  CallArray<PollRequest, kFewFiles> requests(asked);
  CallArray<u32, kFewFiles> numbers(asked);
  usize count_asked = 0;
  for (usize i = 0; i < in.words.size(); ++i) {
    if (i % 64 == 63 && signals::killed(task)) return Errno::kEINTR;
    u64 word = in.words[i] | out.words[i] | exceptional.words[i];
    for (; word != 0; word &= word - 1) {
      const usize fd = i * 64 + static_cast<usize>(std::countr_zero(word));
      PollEvents wanted{};
      if (in.has(fd)) wanted |= kInEvents;
      if (out.has(fd)) wanted |= kOutEvents;
      if (exceptional.has(fd)) wanted |= kExceptionalEvents;
      if (fd >= end) break;
      requests[count_asked].file.emplace(TRY(task.file(Fd{static_cast<i32>(fd)})));
      requests[count_asked].wanted = wanted;
      numbers[count_asked++] = static_cast<u32>(fd);
    }
  }
  const auto polled = std::span<PollRequest>(requests).first(count_asked);
  TRY(poll_files(task, polled, deadline));
  usize ready = 0;
  for (usize i = 0; i < polled.size(); ++i) {
    const u32 fd = numbers[i];
    auto report = [&](DescriptorSet& set, PollEvents events) {
      if (!set.has(fd) || !polled[i].ready.any(events)) return;
      set.add(fd);
      ++ready;
    };
    report(in, kInEvents);
    report(out, kOutEvents);
    report(exceptional, kExceptionalEvents);
  }
  TRY(in.write());
  TRY(out.write());
  TRY(exceptional.write());
  return ready;
}

/// What a select returns that may have been interrupted, once its timeout was updated.
Result<usize> finish(Result<usize> ready, bool timeout_written) {
  if (!ready.is(Errno::kERESTARTSYS)) return ready;
  return timeout_written ? Errno::kERESTARTNOHAND : Errno::kEINTR;
}

}  // namespace

Result<usize> select(UnlockedTask task, i32 count, UserAddr in, UserAddr out, UserAddr exceptional,
                     UserInOut<abi::Timeval> timeout) {
  host::Deadline deadline;
  if (timeout) {
    abi::Timeval time = TRY(timeout.read());
    // Linux: microseconds may exceed a second here.
    if (time.tv_sec < 0 || time.tv_usec < 0) return Errno::kEINVAL;
    u64 seconds = TRY(clocks::to_ns(abi::Timespec{time.tv_sec, 0}));
    u64 rest = TRY(clocks::to_ns(
        abi::Timeval{time.tv_usec / abi::kUSEC_PER_SEC, time.tv_usec % abi::kUSEC_PER_SEC}));
    deadline = clocks::poll_deadline(clocks::add(seconds, rest));
  }
  auto ready = select_until(task, count, in, out, exceptional, deadline);
  bool written = true;
  if (timeout && deadline) {
    written = timeout.write(clocks::to_timeval(clocks::time_left(*deadline))).ok();
  }
  return finish(std::move(ready), written);
}

Result<usize> pselect6(UnlockedTask task, i32 count, UserAddr in, UserAddr out,
                       UserAddr exceptional, UserInOut<abi::Timespec> timeout,
                       UserIn<abi::SelectSigmask> mask) {
  abi::SelectSigmask given{};
  if (mask) given = TRY(mask.read());
  host::Deadline deadline;
  if (timeout) deadline = clocks::poll_deadline(TRY(clocks::to_ns(TRY(timeout.read()))));
  TemporaryMask temporary(
      task,
      TRY(TemporaryMask::read(UserIn<abi::SigSet>{UserAddr{given.sigmask}}, given.sigsetsize)));
  auto ready = select_until(task, count, in, out, exceptional, deadline);
  if (ready.is(Errno::kERESTARTSYS)) temporary.leave_to_handler();
  bool written = true;
  if (timeout && deadline) {
    written = timeout.write(clocks::to_timespec(clocks::time_left(*deadline))).ok();
  }
  return finish(std::move(ready), written);
}

}  // namespace lxss::sys
