#include "fs/procfs/procfs.h"

#include "abi/linux/magic.h"
#include "fs/procfs/process_facts.h"
#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/task/names_in_proc.h"

namespace lxss::procfs {

namespace {

/// /proc itself: the files of the machine, then the processes.
class Root final : public synthetic::TableDirectory<Machine> {
 public:
  explicit Root(ProcFs& filesystem)
      : TableDirectory(filesystem, synthetic::kRootNumber, abi::kS_IFDIR | 0555, root_table(),
                       Machine{&filesystem}) {}

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    if (name[0] < '0' || name[0] > '9') return TableDirectory::lookup(name);
    auto id = parse_number<i32>(name);
    if (!id || name[0] == '0') return Errno::kENOENT;
    Kernel& instance = kernel();
    u64 child = synthetic::inode_number(number(), name);
    KernelLock::Held held;
    if (auto found = instance.processes.find(Pid{*id}); found != instance.processes.end()) {
      return make_process_directory(filesystem(), child, {found->second, nullptr});
    }
    // Linux: the id of any thread works, but is not listed.
    if (auto found = instance.tasks.find(Pid{*id}); found != instance.tasks.end()) {
      return make_process_directory(filesystem(), child, {found->second->process, found->second});
    }
    return Errno::kENOENT;
  }

  Result<> list(u64 offset, DirectorySink& sink) override {
    if (offset < table_end() && !list_table(offset, sink)) return {};
    offset = std::max(offset, table_end());
    // A process's position is its id, so that a listing survives the end of others.
    for (Pid from{static_cast<i32>(offset - table_end())};;) {
      Ids ids = next_processes(from);
      for (Pid id : ids) {
        TextBuilder name;
        name << id.value;
        u64 next = table_end() + static_cast<u64>(id.value) + 1;
        u64 child = synthetic::inode_number(number(), name.view());
        if (!sink.add(name.view(), child, abi::kDT_DIR, next)) return {};
      }
      if (!ids.full()) return {};
      from = Pid{ids.back().value + 1};
    }
  }

 protected:
  u32 links() override {
    KernelLock::Held held;
    return TableDirectory::links() + static_cast<u32>(kernel().processes.size());
  }

 private:
  static Ids next_processes(Pid from) {
    Ids ids;
    KernelLock::Held held;
    auto& processes = kernel().processes;
    for (auto at = processes.lower_bound(from); at != processes.end() && !ids.full(); ++at) {
      ids.add(at->first);
    }
    return ids;
  }
};

void forget(Dentry& directory, std::string_view name) {
  DentryCache& cache = kernel().dentries;
  RefPtr<Dentry> found;
  {
    Epoch::Reading reading;
    found = RefPtr<Dentry>::try_take(cache.find(directory, name));
  }
  if (!found) return;
  cache.prune(*found);
  cache.forget(*found);
}

template <typename Action>
void for_each_root(Action action) {
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    if (mount->filesystem().magic() == abi::kPROC_SUPER_MAGIC) action(mount->root());
  }
}

}  // namespace

void forget_process(const Process& process) {
  const std::string name = text_of(process.pid);
  for_each_root([&](Dentry& root) { forget(root, name); });
}

void forget_thread(const Process& process, Pid tid) {
  const std::string name = text_of(tid), process_name = text_of(process.pid);
  DentryCache& cache = kernel().dentries;
  for_each_root([&](Dentry& root) {
    if (tid != process.pid) forget(root, name);
    Dentry* directory = cache.find(root, process_name);
    if (!directory) return;
    Dentry* threads = cache.find(*directory, "task");
    if (threads) forget(*threads, name);
  });
}

ProcFs::ProcFs() : FileSystem("proc", abi::kPROC_SUPER_MAGIC, Locking::kOwn) {
  host::random_bytes(std::as_writable_bytes(std::span(boot_id_)));
}

Result<RefPtr<Inode>> ProcFs::root() { return RefPtr<Inode>(make_ref<Root>(*this)); }

RefPtr<FileSystem> make() { return make_ref<ProcFs>(); }

}  // namespace lxss::procfs
