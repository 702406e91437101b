// execve: the program behind a name (man 2 execve, "Interpreter scripts").
#include "lxcore/kernel.h"
#include "lxcore/task/exec.h"

namespace lxss::exec {

namespace {

constexpr u32 kMaxInterpreters = 5;
constexpr usize kScriptLine = 256;

struct Opened {
  Path path;
  RefPtr<File> file;
};

Result<Opened> open_program(Task& task, Fd directory, std::string_view name, vfs::WalkFlags walk) {
  Path path = TRY(vfs::resolve(task, directory, name, walk));
  Inode& inode = path.inode();
  if (inode.is_symlink()) return Errno::kELOOP;
  if (!inode.is_regular()) return Errno::kEACCES;
  if (path.mount->flags().has(abi::MountFlag::kMS_NOEXEC)) return Errno::kEACCES;
  TRY(vfs::check_access(*task.credentials, inode, vfs::Access::kExecute));
  constexpr u32 kAnyExecute = 0111;
  if (!(inode.mode() & kAnyExecute)) return Errno::kEACCES;
  if (inode.has_writers()) return Errno::kETXTBSY;
  RefPtr<File> file = TRY(vfs::open_path(task, path, abi::OpenFlag::kO_RDONLY));
  return Opened{std::move(path), std::move(file)};
}

struct ScriptLine {
  std::string interpreter;
  std::string argument;  ///< empty: none
};

/// The "#!" line of a script; nothing if there is none.
Result<std::optional<ScriptLine>> read_script_line(Task& task, File& file) {
  char line[kScriptLine];
  IoBuffer buffer = IoBuffer::kernel(line, sizeof line);
  u64 offset = 0;
  KernelLock::HeldFor held(file.locking());
  usize size = TRY(file.read(task, buffer, &offset));
  std::string_view text(line, size);
  if (!text.starts_with("#!")) return std::optional<ScriptLine>{};
  usize end = text.find('\n');
  const bool whole_line = end != text.npos || size < kScriptLine;
  text = text.substr(2, end == text.npos ? text.npos : end - 2);
  auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\0'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  usize name_end = 0;
  while (name_end < text.size() && !is_blank(text[name_end])) ++name_end;
  // A name that the buffer cuts is not the interpreter's name.
  if (name_end == 0 || (name_end == text.size() && !whole_line)) return Errno::kENOEXEC;
  ScriptLine result;
  result.interpreter = std::string(text.substr(0, name_end));
  text.remove_prefix(name_end);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  result.argument = std::string(text);
  return std::optional<ScriptLine>(std::move(result));
}

}  // namespace

Result<> find_program(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                      Image& image) {
  std::string name = image.path;
  Opened opened = TRY(open_program(task, directory, path, walk));
  for (u32 depth = 0;; ++depth) {
    auto script = TRY(read_script_line(task, *opened.file));
    if (!script) break;
    if (depth == kMaxInterpreters) return Errno::kELOOP;
    // By the name below /dev/fd the interpreter would find nothing.
    if (name != path && depth == 0 && TRY(task.files->close_on_exec(directory))) {
      return Errno::kENOENT;
    }
    if (image.argc > 0) {
      image.stack.pop();
      --image.argc;
    }
    TRY(image.stack.push(name));
    ++image.argc;
    if (!script->argument.empty()) {
      TRY(image.stack.push(script->argument));
      ++image.argc;
    }
    TRY(image.stack.push(script->interpreter));
    ++image.argc;
    name = script->interpreter;
    opened = TRY(open_program(task, Fd{abi::kAT_FDCWD}, name, vfs::Walk::kFollow));
  }
  image.executable = image.identity = opened.path;
  image.program = TRY(elf::parse(task, opened.file));
  if (!image.program.interpreter.empty()) {
    Opened linker =
        TRY(open_program(task, Fd{abi::kAT_FDCWD}, image.program.interpreter, vfs::Walk::kFollow));
    auto parsed = elf::parse(task, linker.file);
    if (!parsed) return parsed.is(Errno::kENOEXEC) ? Errno::kELIBBAD : parsed.error();
    image.interpreter = std::move(*parsed);
  }
  return {};
}

}  // namespace lxss::exec
