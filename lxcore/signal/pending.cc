// What is pending, and what is done with each signal: the objects without their processes.
#include "lxcore/kernel.h"

namespace lxss {

using abi::SigInfo;
using abi::SigSet;

namespace {

constexpr i32 kFirstRealTime = 32;

}  // namespace

void SignalActions::copy_from(const SignalActions& other) {
  for (i32 i = 0; i < kSignalCount; ++i) actions_[i] = other.actions_[i];
}

void SignalActions::reset_for_exec() {
  for (abi::SigAction& action : actions_) {
    u64 kept = action.handler == abi::kSIG_IGN ? abi::kSIG_IGN : abi::kSIG_DFL;
    action = {kept, 0, 0, {}};
  }
}

PendingSignals::~PendingSignals() { discard_all(); }

void PendingSignals::add(const SigInfo& info, u32 user) {
  SigSet now = set();
  if (info.signo < kFirstRealTime && now.has(info.signo)) return;
  if (!queues_) queues_ = std::make_unique<Queues>();
  Queue& queue = queues_->of[info.signo - 1];
  auto* queued = new Queued{info, user};
  (queue.last ? queue.last->next : queue.first) = queued;
  queue.last = queued;
  ++size_;
  kernel().users.add_signal(user);
  now.add(info.signo);
  set_.store(now, std::memory_order_seq_cst);
}

void PendingSignals::add_bare(i32 signal) {
  set_.store(set() | SigSet::of(signal), std::memory_order_seq_cst);
}

SigInfo PendingSignals::pop(Queue& queue) {
  std::unique_ptr<Queued> queued(queue.first);
  queue.first = queued->next;
  if (!queue.first) queue.last = nullptr;
  --size_;
  kernel().users.remove_signal(queued->user);
  return queued->info;
}

SigInfo PendingSignals::take(SigSet wanted) {
  SigSet now = set();
  const i32 signal = (now & wanted).first();
  SigInfo info{};
  Queue* from = queue(signal);
  if (from && from->first) {
    info = pop(*from);
  } else {
    // Linux: what was sent without room to remember more looks as if kill(2) by nobody.
    info.signo = signal;
  }
  if (!from || !from->first) {
    now.del(signal);
    set_.store(now, std::memory_order_seq_cst);
  }
  return info;
}

void PendingSignals::discard(SigSet signals) {
  SigSet gone = set() & signals;
  if (gone.empty()) return;
  set_.store(set().without(signals), std::memory_order_seq_cst);
  for (; i32 signal = gone.first(); gone.del(signal)) {
    Queue* from = queue(signal);
    while (from && from->first) (void)pop(*from);
  }
}

}  // namespace lxss
