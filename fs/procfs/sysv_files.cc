// /proc/sysvipc: System V objects (man 5 proc).
#include "fs/procfs/internal.h"
#include "lxcore/ipc/sysv.h"

namespace lxss::procfs {

namespace {

class Row {
 public:
  explicit Row(TextBuilder& out) : out_(out) {}
  ~Row() { out_ << '\n'; }
  template <std::integral T>
  Row& add(T number, usize width) {
    if (!first_) out_ << ' ';
    first_ = false;
    out_.decimal(number, width);
    return *this;
  }
  Row& mode(u32 mode) {
    TextBuilder octal;
    octal.octal(mode);
    out_ << ' ';
    for (usize i = octal.size(); i < 5; ++i) out_ << ' ';
    out_ << octal.view();
    return *this;
  }
  Row& owners(const ipc::SysvObject& object) {
    return add(object.uid, 5)
        .add(object.gid, 5)
        .add(object.creator_uid, 5)
        .add(object.creator_gid, 5);
  }

 private:
  TextBuilder& out_;
  bool first_ = true;
};

}  // namespace

Result<> sysv_shm(Machine&, TextBuilder& out) {
  out << "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  "
         "cgid      atime      dtime      ctime                   rss                  swap\n";
  KernelLock::Held held;
  for (const auto& [slot, segment] : ipc::sysv().segments.all()) {
    Row row(out);
    row.add(segment->key, 10).add(segment->id, 10).mode(segment->mode);
    row.add(segment->size, 21).add(segment->creator_pid, 5).add(segment->last_pid, 5);
    row.add(segment->attachments, 6).owners(*segment);
    row.add(segment->attached, 10).add(segment->detached, 10).add(segment->changed, 10);
    row.add(0, 21).add(0, 21);
  }
  return {};
}

Result<> sysv_msg(Machine&, TextBuilder& out) {
  out << "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid  "
         "    stime      rtime      ctime\n";
  KernelLock::Held held;
  for (const auto& [slot, queue] : ipc::sysv().queues.all()) {
    Row row(out);
    row.add(queue->key, 10).add(queue->id, 10).mode(queue->mode);
    row.add(queue->bytes, 11).add(queue->messages.size(), 10);
    row.add(queue->last_sender, 5).add(queue->last_receiver, 5).owners(*queue);
    row.add(queue->sent, 10).add(queue->received, 10).add(queue->changed, 10);
  }
  return {};
}

Result<> sysv_sem(Machine&, TextBuilder& out) {
  out << "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
  KernelLock::Held held;
  for (const auto& [slot, set] : ipc::sysv().sets.all()) {
    Row row(out);
    row.add(set->key, 10).add(set->id, 10).mode(set->mode);
    row.add(set->semaphores.size(), 10).owners(*set);
    row.add(set->operated, 10).add(set->changed, 10);
  }
  return {};
}

}  // namespace lxss::procfs
