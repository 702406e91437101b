// The initial stack of a program while exec builds it (strings, vectors, auxiliary vector).
//
// It is built in private scratch memory, so that the caller's memory stays as it is until
// exec can no longer fail, and then moved to its place as a whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lxcore/mm/user_memory.h"

namespace lxss {

class ArgumentStack {
 public:
  static constexpr usize kMaxString = 128 * 1024;     ///< MAX_ARG_STRLEN, with its NUL
  static constexpr usize kMaxTotal = usize{6} << 20;  ///< strings and pointers in all
  static constexpr usize kMaxCount = 0x7fffffff;
  static constexpr u64 kMaxStack = u64{64} << 20;  ///< whatever RLIMIT_STACK says

  ArgumentStack() = default;
  ArgumentStack(const ArgumentStack&) = delete;
  ArgumentStack& operator=(const ArgumentStack&) = delete;
  /// Gives the scratch memory back unless it was moved.
  ~ArgumentStack();

  /// `limit` is RLIMIT_STACK.
  Result<> create(u64 limit);

  // Strings are pushed downwards: last the arguments, in reverse order. E2BIG, EFAULT.
  Result<> push(std::string_view text);
  /// A guest's NULL-ended vector of strings; the number of them.
  Result<usize> push_vector(UserAddr vector);
  /// Drops the string pushed last (a script's own argv[0]).
  void pop();

  u64 address() const { return begin_; }
  u64 size() const { return size_; }

  struct Layout {
    u64 stack_pointer;
    u64 arguments_begin, arguments_end, environment_end;
  };
  /// Writes the vectors for a stack whose end will be at `top`. `auxv` holds pairs;
  /// values of AT_RANDOM, AT_EXECFN and AT_PLATFORM are filled in.
  Layout finish(u64 top, usize argc, usize envc, std::vector<u64>& auxv);

  /// The memory itself, now at [top - size(), top).
  Result<> move_to(u64 top);

 private:
  std::byte* at(u64 offset_from_begin) const {
    return reinterpret_cast<std::byte*>(begin_) + offset_from_begin;
  }
  u64 begin_ = 0;
  u64 size_ = 0;
  u64 used_from_ = 0;  ///< offset of the lowest byte in use
  u64 limit_ = 0;      ///< offset below which strings may not reach
};

}  // namespace lxss
