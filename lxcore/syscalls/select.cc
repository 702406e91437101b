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

/// One of the guest's three sets, of as many words as it gave.
struct DescriptorSet {
  UserAddr address;
  std::vector<u64> words;

  static Result<DescriptorSet> read(UserAddr address, usize count) {
    DescriptorSet set{address, std::vector<u64>((count + 63) / 64)};
    if (address) TRY(copy_in(set.words.data(), address, set.words.size() * sizeof(u64)));
    return set;
  }
  bool has(usize fd) const { return words[fd / 64] >> fd % 64 & 1; }
  void add(usize fd) { words[fd / 64] |= u64{1} << fd % 64; }
  void clear() { std::fill(words.begin(), words.end(), 0); }
  Result<> write() const {
    if (!address) return {};
    return copy_out(address, words.data(), words.size() * sizeof(u64));
  }
};

/// Sets the results and returns their number; ERESTARTSYS if interrupted.
Result<usize> select_until(Task& task, i32 count, UserAddr in_at, UserAddr out_at,
                           UserAddr exceptional_at, host::Deadline deadline) {
  if (count < 0) return Errno::kEINVAL;
  // Linux: descriptors beyond the table are not looked at.
  const usize end = static_cast<usize>(std::min(count, std::max(task.files->end(), 64)));
  auto in = TRY(DescriptorSet::read(in_at, end));
  auto out = TRY(DescriptorSet::read(out_at, end));
  auto exceptional = TRY(DescriptorSet::read(exceptional_at, end));
  std::vector<PollRequest> requests;
  std::vector<u32> numbers;
  for (usize fd = 0; fd < end; ++fd) {
    if (fd % 64 == 0 && !(in.words[fd / 64] | out.words[fd / 64] | exceptional.words[fd / 64])) {
      fd += 63;
      continue;
    }
    PollEvents wanted{};
    if (in.has(fd)) wanted |= kInEvents;
    if (out.has(fd)) wanted |= kOutEvents;
    if (exceptional.has(fd)) wanted |= kExceptionalEvents;
    if (!wanted) continue;
    requests.push_back({TRY(task.files->get_io(Fd{static_cast<i32>(fd)})), wanted});
    numbers.push_back(static_cast<u32>(fd));
  }
  TRY(poll_files(task, requests, deadline));
  const DescriptorSet asked_in = in, asked_out = out, asked_exceptional = exceptional;
  in.clear();
  out.clear();
  exceptional.clear();
  usize ready = 0;
  for (usize i = 0; i < requests.size(); ++i) {
    const u32 fd = numbers[i];
    auto report = [&](const DescriptorSet& asked, DescriptorSet& result, PollEvents events) {
      if (!asked.has(fd) || !requests[i].ready.any(events)) return;
      result.add(fd);
      ++ready;
    };
    report(asked_in, in, kInEvents);
    report(asked_out, out, kOutEvents);
    report(asked_exceptional, exceptional, kExceptionalEvents);
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

Result<usize> select(Task& task, i32 count, UserAddr in, UserAddr out, UserAddr exceptional,
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

Result<usize> pselect6(Task& task, i32 count, UserAddr in, UserAddr out, UserAddr exceptional,
                       UserInOut<abi::Timespec> timeout, UserIn<abi::SelectSigmask> mask) {
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
