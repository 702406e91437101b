// lxss --trace: one line for each system call, in the manner of strace.
#include "host/file.h"
#include "lxcore/syscalls/arguments.h"
#include "lxcore/syscalls/dispatch.h"

namespace lxss {

namespace {

constexpr usize kShownString = 80;

}  // namespace

void Argument<UserString>::print(TextBuilder& out, const UserString& value) {
  if (!value) {
    out << "NULL";
    return;
  }
  char text[kShownString];
  usize size = copy_in_partial(text, value.address, sizeof text);
  if (size == 0) return Argument<UserAddr>::print(out, value.address);
  out << '"';
  usize i = 0;
  for (; i < size && text[i]; ++i) {
    const u8 byte = u8(text[i]);
    if (byte == '"' || byte == '\\') {
      out << '\\' << text[i];
    } else if (byte < 0x20 || byte == 0x7f) {
      out << "\\x";
      out.hex(byte, 2);
    } else {
      out << text[i];
    }
  }
  out << (i == sizeof text ? "\"..." : "\"");
}

namespace trace {

std::string begin(const Task& task, i64 number, const u64 (&arguments)[6]) {
  TextBuilder line;
  line << '[' << task.tid.value << "] ";
  if (const SystemCall* row = find_system_call(number)) {
    line << row->name << '(';
    row->print_arguments(line, arguments);
  } else {
    line << "syscall_" << number << '(';
    for (usize i = 0; i < std::size(arguments); ++i) {
      line << (i ? ", 0x" : "0x");
      line.hex(arguments[i]);
    }
  }
  line << ") = ";
  return line.take();
}

void end(std::string_view start, std::optional<i64> returned, i32 fd) {
  const i64 result = returned.value_or(0);
  TextBuilder line;
  line << start;
  if (!returned) {
    line << '?';
  } else if (result < 0 && result > -4096) {
    const char* name = errno_name(static_cast<Errno>(-result));
    line << "-1 " << (name ? name : "?");
  } else if (result > 0xffff) {
    line << "0x";
    line.hex(static_cast<u64>(result));
  } else {
    line << result;
  }
  line << '\n';
  std::string text = line.take();
  host::Buffer buffer{reinterpret_cast<u64>(text.data()), text.size()};
  (void)host::write_stream(host::Fd{fd}, {&buffer, 1});
}

}  // namespace trace
}  // namespace lxss
