#include "lxcore/syscalls/dispatch.h"

#include <tuple>
#include <utility>

#include "abi/linux/syscall_numbers.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/all.h"

namespace lxss {

namespace {

constexpr Completeness kFull = Completeness::kFull;
constexpr Completeness kPartial = Completeness::kPartial;

/// Derives decoding, locking and printing from a handler's type.
template <auto Handler>
struct Adapter;

template <typename R, typename First, typename... Args, R (*Handler)(First, Args...)>
struct Adapter<Handler> {
  static constexpr bool kLocked = std::is_same_v<First, Task&>;
  static_assert(kLocked || std::is_same_v<First, UnlockedTask>);
  static_assert(sizeof...(Args) <= 6);

  template <usize... I>
  static i64 call(Task& task, const u64 (&raw)[6], std::index_sequence<I...>) {
    if constexpr (kLocked) {
      KernelLock::Held held;
      return to_register(Handler(task, Argument<Args>::decode(raw[I])...));
    } else {
      return to_register(Handler(UnlockedTask{task}, Argument<Args>::decode(raw[I])...));
    }
  }
  static i64 invoke(Task& task, const u64 (&raw)[6]) {
    return call(task, raw, std::index_sequence_for<Args...>());
  }

  template <usize... I>
  static void print_each(TextBuilder& out, const u64 (&raw)[6], std::index_sequence<I...>) {
    ((out << (I ? ", " : ""), Argument<Args>::print(out, Argument<Args>::decode(raw[I]))), ...);
  }
  static void print(TextBuilder& out, const u64 (&raw)[6]) {
    print_each(out, raw, std::index_sequence_for<Args...>());
  }
};

struct Table {
  SystemCall rows[abi::kSyscallCount] = {};
};

constexpr Table make_table() {
  Table table;
#define SYSCALL(number, name, completeness, remark)                                  \
  table.rows[number] = {#name, k##completeness, remark, Adapter<&sys::name>::invoke, \
                        Adapter<&sys::name>::print};
#include "lxcore/syscalls/table.def"
#undef SYSCALL
  return table;
}

constexpr Table kTable = make_table();

constexpr bool numbers_ascend() {
  i64 last = -1;
#define SYSCALL(number, name, completeness, remark) \
  if (number <= last) return false;                 \
  last = number;
#include "lxcore/syscalls/table.def"
#undef SYSCALL
  return true;
}
static_assert(numbers_ascend(), "table.def is not in order of numbers");

void log_missing(i64 number) {
  KernelLock::Held held;
  if (number < 0 || number >= i64(abi::kSyscallCount)) return;
  auto& logged = kernel().missing_calls_logged;
  if (logged[usize(number)]) return;
  logged[usize(number)] = true;
  TextBuilder line;
  line << "system call " << number << " is not implemented";
  log_line(line.view());
}

i64 invoke(Task& task, i64 number, const u64 (&arguments)[6]) {
  const SystemCall* row = find_system_call(number);
  if (!row) {
    log_missing(number);
    return -static_cast<i64>(Errno::kENOSYS);
  }
  return row->invoke(task, arguments);
}

void serve(i64 number) {
  Task& task = Task::current();
  abi::SigContext& regs = pico::context().registers();
  const u64 arguments[6] = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
  task.system_call = number;
  const i32 trace_fd = task.process->trace_fd.value;
  i64 result;
  if (trace_fd < 0) [[likely]] {
    result = invoke(task, number, arguments);
  } else {
    auto line = std::make_unique<std::string>(trace::begin(task, number, arguments));
    if (number == abi::kSYS_exit || number == abi::kSYS_exit_group) {
      trace::end(*line, std::nullopt, trace_fd);
      line = nullptr;
    }
    result = invoke(task, number, arguments);
    // A forked child has a copy of the pointer; the line is its parent's.
    if (&Task::current() == &task) {
      trace::end(*line, result, trace_fd);
    } else {
      (void)line.release();
    }
  }
  // After a fork this may be the child, on its own copy of this stack.
  pico::context().registers().rax = static_cast<u64>(result);
}

}  // namespace

const SystemCall* find_system_call(i64 number) {
  if (number < 0 || number >= i64(abi::kSyscallCount)) return nullptr;
  const SystemCall& row = kTable.rows[number];
  return row.name ? &row : nullptr;
}

}  // namespace lxss

namespace lxss::upcall {

void trap(const pico::Trap& trap) {
  switch (trap.kind) {
    case pico::TrapKind::kSystemCall:
      if (!trap.direct) texts::note_trap(Task::current(), pico::context().registers().rip);
      serve(trap.system_call);
      Task::current().epoch.reclaim();
      signals::before_return_to_guest(Task::current().system_call);
      break;
    case pico::TrapKind::kFault: {
      {
        KernelLock::Held held;
        signals::force(Task::current(), trap.fault);
      }
      signals::before_return_to_guest(-1);
      break;
    }
    case pico::TrapKind::kInterrupt:
      signals::before_return_to_guest(-1);
      break;
  }
}

}  // namespace lxss::upcall
