#include "lxcore/ipc/signalfd.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/task/process.h"

namespace lxss {

namespace {

abi::SignalfdSiginfo describe(const abi::SigInfo& info) {
  abi::SignalfdSiginfo out{};
  out.ssi_signo = static_cast<u32>(info.signo);
  out.ssi_errno = info.error;
  out.ssi_code = info.code;
  if (info.code == abi::kSI_TIMER) {
    out.ssi_tid = static_cast<u32>(info.timer.timerid);
    out.ssi_overrun = static_cast<u32>(info.timer.overrun);
    out.ssi_int = info.timer.sigval.sival_int;
    out.ssi_ptr = info.timer.sigval.sival_ptr;
    return out;
  }
  const bool from_kernel = info.code > 0 && info.code != abi::kSI_KERNEL;
  if (from_kernel && (info.signo == abi::kSIGIO || info.code == abi::kSI_SIGIO)) {
    out.ssi_band = static_cast<u32>(info.poll.band);
    out.ssi_fd = info.poll.fd;
    return out;
  }
  out.ssi_pid = static_cast<u32>(info.kill.pid);
  out.ssi_uid = info.kill.uid;
  if (info.signo == abi::kSIGCHLD && from_kernel) {
    out.ssi_status = info.child.status;
    out.ssi_utime = static_cast<u64>(info.child.utime);
    out.ssi_stime = static_cast<u64>(info.child.stime);
  } else if (info.code < 0) {
    out.ssi_int = info.rt.sigval.sival_int;
    out.ssi_ptr = info.rt.sigval.sival_ptr;
  }
  return out;
}

}  // namespace

SignalFd::~SignalFd() {
  KernelLock::Held held;
  watched_.clear();
}

bool SignalFd::pending(const Task& task) const {
  return (task.pending.set() | task.process->pending.set()).any(mask());
}

Result<> SignalFd::wait(Task& task) {
  if (pending(task)) return {};
  if (nonblocking()) return Errno::kEAGAIN;
  return wait_until(task, task.process->signal_events, [&] { return pending(task); });
}

Result<usize> SignalFd::read(Task& task, IoBuffer& buffer, u64*) {
  if (buffer.size() < sizeof(abi::SignalfdSiginfo)) return Errno::kEINVAL;
  usize done = 0;
  while (buffer.size() >= sizeof(abi::SignalfdSiginfo)) {
    abi::SignalfdSiginfo out;
    {
      KernelLock::Held held;
      if (done == 0) TRY(wait(task));
      if (!pending(task)) break;
      out = describe(signals::take(task, mask()));
    }
    auto copied = buffer.put(&out, sizeof out);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      break;
    }
    done += *copied;
    if (*copied < sizeof out) break;
  }
  return done;
}

void SignalFd::keep(Process& process) {
  std::erase_if(watched_, [](auto& one) { return !one->signal_events.has_waiters(); });
  if (std::find(watched_.begin(), watched_.end(), &process) == watched_.end()) {
    watched_.emplace_back(process);
  }
}

PollEvents SignalFd::poll(PollRegistration* registration) {
  Task& task = Task::current();
  KernelLock::Held held;
  if (registration) {
    keep(*task.process);
    registration->on(task.process->signal_events);
  }
  return pending(task) ? abi::PollFlag::kPOLLIN : PollEvents{};
}

std::string SignalFd::fdinfo() {
  TextBuilder text;
  text << "sigmask:\t";
  text.hex(bits_.load(), 16) << '\n';
  return text.take();
}

}  // namespace lxss
