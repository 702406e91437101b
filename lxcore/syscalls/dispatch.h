// From a trap to a handler and back.
#pragma once

#include <optional>

#include "base/text.h"
#include "base/types.h"

namespace lxss {

class Task;

enum class Completeness : u8 { kFull, kPartial };

/// One row of the table, with what its handler's signature gives.
struct SystemCall {
  const char* name;
  Completeness completeness;
  const char* remark;
  /// Decodes, takes the kernel lock if the handler wants it, and calls. The result register.
  i64 (*invoke)(Task& task, const u64 (&arguments)[6]);
  /// "a, b, c" for the trace.
  void (*print_arguments)(TextBuilder& out, const u64 (&arguments)[6]);
};

/// Null for a number without a row.
const SystemCall* find_system_call(i64 number);

namespace trace {

/// The line's beginning, made before the call because the call may change what it shows.
std::string begin(const Task& task, i64 number, const u64 (&arguments)[6]);
/// Completes the line with the result, if the call returns, and writes it to `fd`.
void end(std::string_view line, std::optional<i64> result, i32 fd);

}  // namespace trace
}  // namespace lxss
