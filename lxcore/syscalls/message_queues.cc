// System V message queues (man 2 msgget, msgop, msgctl).
#include <algorithm>
#include <limits>

#include "lxcore/ipc/sysv.h"
#include "lxcore/syscalls/ipc.h"

namespace lxss::sys {

namespace {

using abi::MsgrcvFlag;
using ipc::MessageQueue;
using ipc::sysv;

bool waits(u32 flags) { return !(flags & static_cast<u32>(abi::IpcFlag::kIPC_NOWAIT)); }

/// The first message that msgrcv's `type` and flags ask for.
auto find_message(MessageQueue& queue, i64 type, abi::MsgrcvFlags flags) {
  auto& messages = queue.messages;
  if (type == 0) return messages.begin();
  if (type > 0) {
    const bool except = flags.has(MsgrcvFlag::kMSG_EXCEPT);
    return std::find_if(messages.begin(), messages.end(),
                        [&](const auto& message) { return (message.type == type) != except; });
  }
  // The lowest type up to |type|.
  const i64 highest =
      type == std::numeric_limits<i64>::min() ? std::numeric_limits<i64>::max() : -type;
  auto best = messages.end();
  for (auto at = messages.begin(); at != messages.end(); ++at) {
    if (at->type > highest) continue;
    if (best == messages.end() || at->type < best->type) best = at;
  }
  return best;
}

Result<i32> status(Task& task, i32 id, i32 command, UserAddr buffer) {
  const bool by_slot = command != abi::kIPC_STAT;
  i32 result = 0;
  abi::MsqidDs out{};
  auto look = [&]() -> Result<> {
    KernelLock::Held held;
    RefPtr<MessageQueue> queue = TRY(by_slot ? sysv().queues.at(id) : sysv().queues.find(id));
    if (command != abi::kMSG_STAT_ANY) TRY(queue->check_access(task, ipc::kMayRead));
    out.msg_perm = queue->permissions();
    out.msg_stime = queue->sent;
    out.msg_rtime = queue->received;
    out.msg_ctime = queue->changed;
    out.msg_cbytes = queue->bytes;
    out.msg_qnum = queue->messages.size();
    out.msg_qbytes = queue->max_bytes;
    out.msg_lspid = queue->last_sender;
    out.msg_lrpid = queue->last_receiver;
    if (by_slot) result = queue->id;
    return {};
  };
  TRY(look());
  TRY(copy_out(buffer, &out, sizeof out));
  return result;
}

Result<i32> information(i32 command, UserAddr buffer) {
  abi::MsgInfo info{};
  info.msgmax = abi::kMSGMAX;
  info.msgmnb = abi::kMSGMNB;
  info.msgmni = abi::kMSGMNI;
  info.msgssz = 16;
  info.msgseg = 0xffff;
  kernel_lock().lock();
  const i32 highest = sysv().queues.highest();
  if (command == abi::kMSG_INFO) {
    info.msgpool = static_cast<i32>(sysv().queues.size());
    for (auto& [slot, queue] : sysv().queues.all()) {
      info.msgmap += static_cast<i32>(queue->messages.size());
      info.msgtql += static_cast<i32>(queue->bytes);
    }
  } else {
    info.msgpool = abi::kMSGMNI * abi::kMSGMNB / 1024;
    info.msgmap = info.msgtql = abi::kMSGMNB;
  }
  kernel_lock().unlock();
  TRY(copy_out(buffer, &info, sizeof info));
  return highest;
}

}  // namespace

Result<i32> msgget(UnlockedTask task, i32 key, u32 flags) {
  auto check = [](const MessageQueue&) -> Result<> { return {}; };
  auto create = [&]() -> Result<RefPtr<MessageQueue>> {
    return make_ref<MessageQueue>(task, key, flags);
  };
  return sysv().queues.get(task, key, flags, check, create);
}

Result<> msgsnd(UnlockedTask task, i32 id, UserAddr message, usize size, u32 flags) {
  const i64 type = TRY(UserIn<i64>{message}.read());
  if (size > usize(abi::kMSGMAX) || id < 0 || type < 1) return Errno::kEINVAL;
  std::string text(size, '\0');
  TRY(copy_in(text.data(), message + sizeof(i64), size));
  KernelLock::Held held;
  RefPtr<MessageQueue> queue = TRY(sysv().queues.find(id));
  auto has_room = [&] {
    // Linux: empty messages are limited in number as if each were a byte.
    return queue->bytes + size <= queue->max_bytes &&
           queue->messages.size() + 1 <= queue->max_bytes;
  };
  TRY(queue->check_access(task, ipc::kMayWrite));
  if (!has_room()) {
    if (!waits(flags)) return Errno::kEAGAIN;
    auto waited = wait_until(task, queue->senders, [&] { return queue->removed || has_room(); });
    if (queue->removed) return Errno::kEIDRM;
    if (!waited.ok()) return Errno::kEINTR;
  }
  queue->bytes += size;
  queue->messages.push_back({type, std::move(text)});
  queue->last_sender = task->process->pid.value;
  queue->sent = ipc::now_seconds();
  queue->receivers.wake();
  return {};
}

namespace {

/// Takes the message that msgrcv asks for out of the queue.
Result<MessageQueue::Message> take_message(Task& task, i32 id, usize size, i64 type,
                                           abi::MsgrcvFlags flags) {
  KernelLock::Held held;
  RefPtr<MessageQueue> queue = TRY(sysv().queues.find(id));
  TRY(queue->check_access(task, ipc::kMayRead));
  auto found = find_message(*queue, type, flags);
  if (found == queue->messages.end()) {
    if (!waits(flags.raw())) return Errno::kENOMSG;
    auto waited = wait_until(task, queue->receivers, [&] {
      if (queue->removed) return true;
      found = find_message(*queue, type, flags);
      return found != queue->messages.end();
    });
    if (queue->removed) return Errno::kEIDRM;
    if (!waited.ok()) return Errno::kEINTR;
  }
  if (found->text.size() > size && !flags.has(MsgrcvFlag::kMSG_NOERROR)) return Errno::kE2BIG;
  MessageQueue::Message taken = std::move(*found);
  queue->messages.erase(found);
  queue->bytes -= taken.text.size();
  queue->last_receiver = task.process->pid.value;
  queue->received = ipc::now_seconds();
  queue->senders.wake();
  return taken;
}

}  // namespace

Result<usize> msgrcv(UnlockedTask task, i32 id, UserAddr message, usize size, i64 type,
                     u32 raw_flags) {
  const abi::MsgrcvFlags flags(raw_flags);
  if (id < 0 || static_cast<i64>(size) < 0) return Errno::kEINVAL;
  // Linux without checkpoint support.
  if (flags.has(MsgrcvFlag::kMSG_COPY)) return Errno::kENOSYS;
  const MessageQueue::Message taken = TRY(take_message(task, id, size, type, flags));
  // Linux: a message that cannot be copied is lost.
  const usize copied = std::min(size, taken.text.size());
  TRY(copy_out(message, &taken.type, sizeof taken.type));
  TRY(copy_out(message + sizeof(i64), taken.text.data(), copied));
  return copied;
}

Result<i32> msgctl(UnlockedTask task, i32 id, i32 command, UserAddr buffer) {
  if (id < 0) return Errno::kEINVAL;
  command &= ~abi::kIPC_64;
  switch (command) {
    case abi::kIPC_STAT:
    case abi::kMSG_STAT:
    case abi::kMSG_STAT_ANY:
      return status(task, id, command, buffer);
    case abi::kIPC_INFO:
    case abi::kMSG_INFO:
      return information(command, buffer);
    case abi::kIPC_SET: {
      const auto wanted = TRY(UserIn<abi::MsqidDs>{buffer}.read());
      KernelLock::Held held;
      RefPtr<MessageQueue> queue = TRY(sysv().queues.find(id));
      TRY(queue->check_owner(task));
      if (wanted.msg_qbytes > u64(abi::kMSGMNB) && !task->has_capability(abi::kCAP_SYS_RESOURCE)) {
        return Errno::kEPERM;
      }
      TRY(queue->set_permissions(wanted.msg_perm));
      queue->max_bytes = wanted.msg_qbytes;
      queue->senders.wake();
      return 0;
    }
    case abi::kIPC_RMID: {
      KernelLock::Held held;
      RefPtr<MessageQueue> queue = TRY(sysv().queues.find(id));
      TRY(queue->check_owner(task));
      sysv().queues.remove(*queue);
      queue->senders.wake();
      queue->receivers.wake();
      return 0;
    }
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace lxss::sys
