#include "pico/fake/fake.h"

#include <algorithm>
#include <cstdio>

#include "lxcore/control/launch.h"
#include "lxcore/vfs/vfs.h"
#include "pico/fake/backend.h"

namespace lxss {

namespace {
fake::Instance* the_instance = nullptr;
pico::Thread* current_thread = nullptr;
}  // namespace

Kernel& kernel() { return fake::Backend::instance().kernel(); }

namespace host {
MachineFiles& machine_files() { return kernel().machine_files; }
}  // namespace host

void log_line(std::string_view text) {
  std::fprintf(stderr, "lxcore: %.*s\n", static_cast<int>(text.size()), text.data());
}

namespace fake {

Instance& Backend::instance() {
  LXSS_ASSERT(the_instance);
  return *the_instance;
}

pico::Thread*& Backend::current() { return current_thread; }

usize Backend::accessible(u64 address, usize size) {
  Instance& instance = Backend::instance();
  if (address + size <= instance.fault_begin_ || address >= instance.fault_end_) return size;
  return address >= instance.fault_begin_ ? 0 : instance.fault_begin_ - address;
}

Instance::Instance() : kernel_(std::make_unique<Kernel>()) {
  LXSS_ASSERT(!the_instance);
  the_instance = this;
  host::open_machine_files();
  // The first task takes the lock by becoming current.
  Task& init = new_process();
  kernel_->init = init.process;
  current_thread = &init;
  kernel_lock().lock();
  vfs::start_anonymous_files();
}

Instance::~Instance() {
  run_as(*kernel_->init->leader);
  Kernel& kernel = *kernel_;
  kernel.root = {};
  for (auto& [pid, task] : kernel.tasks) {
    task->files = nullptr;
    task->fs = nullptr;
    task->memory = nullptr;
  }
  for (host::Fd fd : kernel.machine_files.fds) {
    if (fd != host::kNoFd) host::close(fd);
  }
  kernel_lock().unlock();
  // Objects that go with the kernel still find it through kernel(). What caches hold in
  // cycles stays behind: the process of a test is short-lived.
  kernel_.release();
  current_thread = nullptr;
  the_instance = nullptr;
}

Task& Instance::new_process() {
  auto process = make_ref<Process>();
  auto task = make_ref<Task>();
  task->host_thread = 1;
  // What follows takes locks, for which somebody has to be there.
  if (!current_thread) current_thread = task.get();
  task->tid = process->pid = kernel_->ids.take_next().value();
  kernel_->ids.take(process->pid);
  task->process = process;
  task->files = make_ref<FdTable>();
  task->fs = make_ref<FsContext>();
  task->fs->root.set(kernel_->root);
  task->fs->working_directory.set(kernel_->root);
  task->actions = make_ref<SignalActions>();
  task->credentials = make_ref<Credentials>();
  task->wait_entry.attach(*task);
  kernel_->epoch.add(task->epoch);
  process->leader = task.get();
  process->threads.push_back(*task);
  process->thread_count = 1;
  process->limits.fill({abi::kRLIM_INFINITY, abi::kRLIM_INFINITY});
  process->limits[abi::kRLIMIT_NOFILE] = {1024, 4096};
  if (kernel_->init) {
    process->set_parent(kernel_->init.get());
  }
  kernel_->tasks[task->tid] = task;
  kernel_->processes[process->pid] = process;
  return *task;
}

Task& Instance::new_thread(Task& sibling) {
  auto task = make_ref<Task>();
  task->tid = kernel_->ids.take_next().value();
  task->process = sibling.process;
  sibling.files->share();
  task->files = sibling.files;
  task->fs = sibling.fs;
  task->actions = sibling.actions;
  task->credentials = sibling.credentials;
  task->host_thread = 1;
  task->wait_entry.attach(*task);
  kernel_->epoch.add(task->epoch);
  task->process->threads.push_back(*task);
  task->process->thread_count += 1;
  kernel_->tasks[task->tid] = task;
  return *task;
}

void Instance::forget(Task& task) {
  RefPtr<Task> kept(task);
  RefPtr<Process> process = task.process;
  task.ListNode<ThreadTag>::unlink();
  kernel_->tasks.erase(task.tid);
  kernel_->ids.drop(task.tid);
  task.files = nullptr;
  task.fs = nullptr;
  if (--process->thread_count == 0) {
    process->leader = nullptr;
    process->set_parent(nullptr);
    kernel_->processes.erase(process->pid);
    kernel_->ids.drop(process->pid);
  }
}

void Instance::run_as(Task& task) {
  kernel_lock().unlock();
  current_thread = &task;
  kernel_lock().lock();
}

void Instance::make_inaccessible(const void* begin, usize size) {
  fault_begin_ = reinterpret_cast<u64>(begin);
  fault_end_ = fault_begin_ + size;
}

}  // namespace fake
}  // namespace lxss
