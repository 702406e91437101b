#include "lxcore/net/message.h"

#include <algorithm>

#include "lxcore/kernel.h"

namespace lxss::net {

namespace {

/// EPERM unless the task is what it claims to be, or may claim anything.
Result<> check_claim(const Task& task, const abi::Ucred& claim) {
  const Credentials& own = *task.credentials;
  if (Pid(claim.pid) != task.process->pid) {
    if (!own.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
    KernelLock::Held held;
    if (!kernel().processes.contains(Pid(claim.pid))) return Errno::kESRCH;
  }
  const bool uid_ok = claim.uid == own.uid || claim.uid == own.euid || claim.uid == own.suid ||
                      own.has_capability(abi::kCAP_SETUID);
  const bool gid_ok = claim.gid == own.gid || claim.gid == own.egid || claim.gid == own.sgid ||
                      own.has_capability(abi::kCAP_SETGID);
  if (!uid_ok || !gid_ok) return Errno::kEPERM;
  return {};
}

Result<> add_rights(Task& task, std::span<const std::byte> data, SentControl& to) {
  const usize count = data.size() / sizeof(i32);
  if (to.files.size() + count > abi::kSCM_MAX_FD) return Errno::kEINVAL;
  for (usize i = 0; i < count; ++i) {
    i32 fd;
    std::memcpy(&fd, data.data() + i * sizeof fd, sizeof fd);
    to.files.push_back(TRY(task.files->get(Fd{fd})));
  }
  return {};
}

}  // namespace

abi::Ucred sender_credentials(const Task& task) {
  return {task.process->pid.value, task.credentials->uid, task.credentials->gid};
}

Result<SentControl> parse_control(Task& task, std::span<const std::byte> control,
                                  bool may_send_files) {
  SentControl result;
  while (control.size() >= sizeof(abi::CmsgHdr)) {
    abi::CmsgHdr header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.cmsg_len < sizeof header || header.cmsg_len > control.size()) return Errno::kEINVAL;
    auto data = control.subspan(sizeof header, header.cmsg_len - sizeof header);
    if (header.cmsg_level == abi::kSOL_SOCKET) {
      if (header.cmsg_type == abi::kSCM_RIGHTS && may_send_files) {
        TRY(add_rights(task, data, result));
      } else if (header.cmsg_type == abi::kSCM_CREDENTIALS && data.size() == sizeof(abi::Ucred)) {
        abi::Ucred claim;
        std::memcpy(&claim, data.data(), sizeof claim);
        TRY(check_claim(task, claim));
        result.credentials = claim;
      } else {
        return Errno::kEINVAL;
      }
    }
    control = control.subspan(std::min<usize>(abi::cmsg_align(header.cmsg_len), control.size()));
  }
  return result;
}

void ReceivedControl::add_records(std::span<const std::byte> records) {
  records_.insert(records_.end(), records.begin(), records.end());
}

void ReceivedControl::add(i32 level, i32 type, std::span<const std::byte> data) {
  const usize left = room_ - std::min(room_, records_.size());
  if (left < sizeof(abi::CmsgHdr)) {
    truncated_ = true;
    return;
  }
  usize length = abi::cmsg_len(data.size());
  if (length > left) {
    truncated_ = true;
    length = left;
  }
  const abi::CmsgHdr header{length, level, type};
  add_records(std::as_bytes(std::span(&header, 1)));
  add_records(data.first(length - sizeof header));
  records_.resize(std::min<usize>(abi::cmsg_align(records_.size()), room_));
}

Result<usize> ReceivedControl::deliver(Task& task, UserAddr at, bool close_on_exec) {
  if (!records_.empty()) TRY(copy_out(at, records_.data(), records_.size()));
  const usize used = records_.size();
  if (files_.empty()) return used;
  const usize left = room_ - std::min(room_, used);
  usize fitting = 0;
  if (left > sizeof(abi::CmsgHdr)) fitting = (left - sizeof(abi::CmsgHdr)) / sizeof(i32);
  fitting = std::min(fitting, files_.size());
  const UserAddr data = at + used + sizeof(abi::CmsgHdr);
  usize installed = 0;
  while (installed < fitting) {
    auto fd =
        task.files->install(files_[installed], close_on_exec, task.limit(abi::kRLIMIT_NOFILE));
    if (!fd.ok()) break;
    if (!UserOut<i32>{data}.write(fd->value, installed).ok()) {
      (void)task.files->remove(*fd);
      break;
    }
    ++installed;
  }
  if (installed < files_.size()) truncated_ = true;
  files_.clear();
  if (installed == 0) return used;
  const usize size = installed * sizeof(i32);
  const abi::CmsgHdr header{abi::cmsg_len(size), abi::kSOL_SOCKET, abi::kSCM_RIGHTS};
  TRY(copy_out(at + used, &header, sizeof header));
  return used + std::min<usize>(abi::cmsg_space(size), left);
}

}  // namespace lxss::net
