// Ids, queued signals, and what the death of a process costs, on the fake backend.
#include <gtest/gtest.h>

#include "lxcore/ipc/sysv.h"
#include "lxcore/task/id_set.h"
#include "lxcore/task/lifecycle.h"
#include "pico/fake/fake.h"

namespace lxss {
namespace {

TEST(IdSet, CountsUpAndWrapsToTheFirstFree) {
  auto owned = std::make_unique<IdSet>();
  IdSet& ids = *owned;
  EXPECT_EQ(ids.take_next()->value, 1);
  EXPECT_EQ(ids.take_next()->value, 2);
  ids.take(Pid{3});
  EXPECT_EQ(ids.take_next()->value, 4);
  ids.drop(Pid{2});
  EXPECT_EQ(ids.take_next()->value, 5);
  ids.drop(Pid{5});
  for (i32 id = 6; id < IdSet::kEnd; ++id) ASSERT_EQ(ids.take_next()->value, id);
  // From 300 on everything is in use.
  EXPECT_FALSE(ids.take_next());
  ids.drop(Pid{4096});
  ids.drop(Pid{70000});
  EXPECT_EQ(ids.take_next()->value, 4096);
  EXPECT_EQ(ids.take_next()->value, 70000);
  EXPECT_FALSE(ids.take_next());
}

TEST(IdSet, IsInUseAsOftenAsTaken) {
  auto owned = std::make_unique<IdSet>();
  IdSet& ids = *owned;
  const Pid id = *ids.take_next();
  ids.take(id);
  ids.drop(id);
  EXPECT_TRUE(ids.contains(id));
  ids.drop(id);
  EXPECT_FALSE(ids.contains(id));
  EXPECT_FALSE(ids.contains(Pid{-1}));
  EXPECT_FALSE(ids.contains(Pid{IdSet::kEnd}));
}

class TaskTest : public testing::Test {
 protected:
  TaskTest() {
    give_group(*kernel().init);
    kernel().monitor = kernel().init->leader;
  }
  static void give_group(Process& process) {
    process.group = make_ref<ProcessGroup>(process.pid, make_ref<Session>(process.pid));
    kernel().groups[process.pid] = process.group.get();
    process.group->members.push_back(process);
  }
  /// A process that the host knows as `host_id`, in the middle of a call.
  Task& new_process(i32 host_id) {
    Task& task = instance_.new_process();
    give_group(*task.process);
    task.memory = make_ref<AddressSpace>();
    task.memory->task_count = 1;
    task.host_process = task.host_thread = host_id;
    task.in_kernel = pico::Thread::kInKernel;
    task.process->host_process = host_id;
    kernel().host_processes[host_id] = {task.process, task.memory};
    ++kernel().live_processes;
    kernel().users.add_task(task.credentials->uid);
    return task;
  }
  void die(i32 host_id) {
    instance_.run_as(*kernel().monitor);
    lifecycle::host_process_died({.host_process = host_id, .killed = true, .status = 9});
  }
  abi::SigInfo queued(i32 signal, i32 value) {
    abi::SigInfo info{};
    info.signo = signal;
    info.code = abi::kSI_QUEUE;
    info.rt.sigval.sival_int = value;
    return info;
  }

  fake::Instance instance_;
};

TEST_F(TaskTest, PendingSignalsKeepTheirOrder) {
  PendingSignals pending;
  for (i32 i = 0; i < 3; ++i) {
    pending.add(queued(40, i), 1000);
    pending.add(queued(35, i), 1000);
    pending.add(queued(10, i), 1000);
  }
  EXPECT_EQ(pending.size(), 7u);
  EXPECT_EQ(kernel().users.signals(1000), 7u);
  EXPECT_EQ(pending.take(abi::SigSet::full_set()).signo, 10);
  EXPECT_FALSE(pending.set().has(10));
  for (i32 i = 0; i < 3; ++i) {
    EXPECT_TRUE(pending.set().has(35));
    const abi::SigInfo info = pending.take(abi::SigSet::full_set());
    EXPECT_EQ(info.signo, 35);
    EXPECT_EQ(info.rt.sigval.sival_int, i);
  }
  EXPECT_FALSE(pending.set().has(35));
  pending.add_bare(36);
  EXPECT_EQ(pending.take(abi::SigSet::of(36)).code, abi::kSI_USER);
  pending.discard(abi::SigSet::of(40));
  EXPECT_TRUE(pending.set().empty());
  EXPECT_EQ(kernel().users.signals(1000), 0u);
}

TEST_F(TaskTest, ADeathWithNothingHeldIsAKill) {
  Task& victim = new_process(70);
  RefPtr<Process> process = victim.process;
  WaitQueue queue;
  queue.add(victim.wait_entry);
  die(70);
  EXPECT_FALSE(queue.has_waiters());
  EXPECT_EQ(process->thread_count, 0u);
  EXPECT_EQ(process->exit_status, abi::wait_status_signaled(abi::kSIGKILL, false));
  EXPECT_EQ(kernel().deaths.in_kernel, 1u);
  EXPECT_EQ(kernel().live_processes, 0u);
  EXPECT_TRUE(kernel().host_processes.empty());
}

TEST_F(TaskTest, ADeathBreaksWhatWasBeingChanged) {
  Task& victim = new_process(70);
  Lock object(LockRank::kObject, AfterDeath::kAbandon);
  SleepLock known_to_host(LockRank::kInode, AfterDeath::kAbandon);
  instance_.run_as(victim);
  {
    KernelLock::Released released;
    known_to_host.lock();
    object.lock();
    object.unlock();
  }
  object.lock();
  die(70);
  EXPECT_EQ(object.owner(), 0);
  EXPECT_TRUE(object.abandoned());
  EXPECT_EQ(known_to_host.owner(), 0);
  EXPECT_TRUE(known_to_host.take_abandoned());
  EXPECT_FALSE(known_to_host.abandoned());
  EXPECT_EQ(kernel().deaths.broken_objects, 2u);
  // Who waits on what is broken does not wait for ever.
  Task& user = instance_.new_process();
  instance_.run_as(user);
  WaitQueue queue;
  Lock::Held held(object);
  instance_.on_block = [&] { wake_task(user); };
  EXPECT_TRUE(wait_until(user, object, queue, [] { return false; }).is(Errno::kEIO));
}

TEST(List, IsMendedAfterAHalfInsertion) {
  struct Element : ListNode<Element> {};
  List<Element> list;
  Element a, b, c;
  list.push_back(a);
  list.push_back(b);
  // As if stopped before the last step of an insertion: backwards the list is wrong.
  list.push_back(c);
  EXPECT_TRUE(list.contains(c));
  EXPECT_EQ(list.repair(), 3u);
  EXPECT_EQ(&list.back(), &c);
  c.unlink();
  EXPECT_FALSE(list.contains(c));
  EXPECT_EQ(list.repair(), 2u);
}

TEST_F(TaskTest, AQueueWhoseHolderDiedIsMended) {
  Task& victim = new_process(70);
  Task& sleeper = instance_.new_process();
  struct Killer final : WaitEntry {
    // Dies while it wakes: the queue's lock is left behind.
    bool notify(PollEvents) override { return false; }
  } entry;
  WaitQueue queue;
  queue.add(entry);
  queue.add(sleeper.wait_entry);
  queue.add(victim.wait_entry);
  die(70);
  EXPECT_TRUE(queue.has_waiters());
  sleeper.wait_entry.unlink();
  entry.unlink();
  EXPECT_FALSE(queue.has_waiters());
}

TEST_F(TaskTest, WhomADeadTaskWasToWakeIsWoken) {
  Task& victim = new_process(70);
  Task& sleeper = instance_.new_process();
  sleeper.ref();
  sleeper.wake_pending = true;
  victim.held.to_wake = &sleeper;
  die(70);
  EXPECT_FALSE(sleeper.wake_pending);
}

TEST_F(TaskTest, ASemopOfADeadTaskWaitsNoMore) {
  Task& victim = new_process(70);
  auto set = make_ref<ipc::SemaphoreSet>(victim, 0, 0600, 1);
  auto pending = make_ref<ipc::PendingSemop>(*set, victim, std::vector<abi::SemBuf>{{0, -1, 0}});
  set->wait_in_list(*pending, 0);
  victim.waiting_semop = std::move(pending);
  EXPECT_EQ(set->semaphores[0].waiting_increase, 1u);
  die(70);
  EXPECT_EQ(set->semaphores[0].waiting_increase, 0u);
  EXPECT_TRUE(set->semaphores[0].pending.empty());
}

TEST_F(TaskTest, AChildThatNeverRanGoesWithItsParent) {
  Task& victim = new_process(70);
  Task& child = new_process(0);
  RefPtr<Process> process = child.process;
  child.memory->task_count = 1;
  victim.starting = &child;
  const Pid pid = process->pid;
  die(70);
  EXPECT_FALSE(lifecycle::find_process(pid));
  EXPECT_FALSE(lifecycle::find_task(pid));
}

TEST_F(TaskTest, SemaphoresGoOnForWhomTheyCan) {
  Task& first = instance_.new_process();
  Task& second = instance_.new_process();
  auto set = make_ref<ipc::SemaphoreSet>(first, 0, 0600, 2);
  using Operations = std::vector<abi::SemBuf>;
  auto one = make_ref<ipc::PendingSemop>(*set, first, Operations{{0, -2, 0}});
  auto two = make_ref<ipc::PendingSemop>(*set, second, Operations{{0, -1, 0}, {1, 1, 0}});
  set->wait_in_list(*one, 0);
  set->wait_in_list(*two, 0);
  set->set_value(0, 1, Pid{1});
  set->go_on(0);
  using State = ipc::PendingSemop::State;
  EXPECT_EQ(one->state, State::kWaiting);
  EXPECT_EQ(two->state, State::kDone);
  EXPECT_EQ(set->semaphores[1].value, 1);
  set->set_value(0, 2, Pid{1});
  set->go_on(0);
  EXPECT_EQ(one->state, State::kDone);
  EXPECT_EQ(set->semaphores[0].value, 0);
}

}  // namespace
}  // namespace lxss
