#include "tests/unit/fake_kernel.h"

#include <cstdio>
#include <thread>
#include <vector>

#include "lxcore/control/launch.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {
fake::Instance* the_instance = nullptr;
}

Kernel& kernel() {
  LXSS_ASSERT(the_instance);
  return the_instance->kernel();
}

namespace host {
MachineFiles& machine_files() { return kernel().machine_files; }
}  // namespace host

void log_line(std::string_view text) {
  std::fprintf(stderr, "lxcore: %.*s\n", static_cast<int>(text.size()), text.data());
}

namespace heap {
/// The heap is malloc's.
bool has_room() { return true; }
void TaskCache::give_back() {}
void host_process_died(i32) {}
}  // namespace heap

namespace fake {

Instance::Instance() : kernel_(std::make_unique<Kernel>()) {
  LXSS_ASSERT(!the_instance);
  the_instance = this;
  host::open_machine_files();
  play_all_tasks_here();
  // The first task takes the lock by becoming current.
  Task& init = new_process();
  kernel_->init = init.process;
  pico::become(init);
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
  set_sleeping({});
  fake::make_inaccessible(nullptr, 0);
  the_instance = nullptr;
}

Task& Instance::new_process() {
  auto process = make_ref<Process>();
  auto task = make_ref<Task>();
  task->host_thread = 1;
  // What follows takes locks, for which somebody has to be there.
  if (!kernel_->init) pico::become(*task);
  task->tid = process->pid = kernel_->ids.take_next().value();
  kernel_->ids.take(process->pid);
  task->process = process;
  task->files = make_ref<FdTable>();
  task->fs = make_ref<FsContext>();
  task->fs->root.set(kernel_->root);
  task->fs->working_directory.set(kernel_->root);
  task->actions = make_ref<SignalActions>();
  task->credentials = make_ref<Credentials>();
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
  pico::become(task);
  kernel_lock().lock();
}

void Instance::play_all_tasks_here() {
  set_sleeping([this] {
    if (!on_block) return false;
    kernel_lock().lock();
    on_block();
    kernel_lock().unlock();
    return true;
  });
}

void Instance::run_at_once(std::span<Task* const> tasks, const std::function<void(Task&)>& body) {
  Task& director = Task::current();
  kernel_lock().unlock();
  set_sleeping({});
  std::vector<std::thread> threads;
  for (Task* task : tasks) {
    // Locks tell their owners apart by it.
    task->host_thread = task->tid.value + 1;
    threads.emplace_back([task, &body] {
      pico::become(*task);
      body(*task);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Task* task : tasks) task->host_thread = 1;
  play_all_tasks_here();
  pico::become(director);
  kernel_lock().lock();
}

}  // namespace fake
}  // namespace lxss
