#include "lxcore/control/launch.h"

#include "host/channel.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/tty/host_stream.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::launches {

namespace {

constexpr usize kStandardStreams = 3;

Launch& launch_of(Process& process) { return static_cast<Launch&>(*process.launch); }

void tell_failure(u64 id, Errno error, control::LaunchStep step) {
  control::LaunchFailed message;
  message.session = id;
  message.error = static_cast<i32>(error);
  message.step = step;
  tell_manager(&message, sizeof message);
}

/// Takes the next NUL-ended string off the front.
std::optional<std::string> take_string(std::span<const std::byte>& rest) {
  for (usize i = 0; i < rest.size(); ++i) {
    if (rest[i] != std::byte{0}) continue;
    std::string text(reinterpret_cast<const char*>(rest.data()), i);
    rest = rest.subspan(i + 1);
    return text;
  }
  return std::nullopt;
}

bool take_strings(std::span<const std::byte>& rest, u32 count, std::vector<std::string>& out) {
  for (u32 i = 0; i < count; ++i) {
    auto text = take_string(rest);
    if (!text) return false;
    out.push_back(std::move(*text));
  }
  return true;
}

bool parse(std::span<const std::byte> message, control::Launch& head, Launch& launch) {
  if (message.size() < sizeof head) return false;
  __builtin_memcpy(&head, message.data(), sizeof head);
  auto rest = message.subspan(sizeof head);
  launch.id = head.session;
  auto directory = take_string(rest);
  auto program = take_string(rest);
  if (!directory || !program || head.group_count > control::kMaxGroups) return false;
  launch.directory = std::move(*directory);
  launch.program = std::move(*program);
  return take_strings(rest, head.argc, launch.arguments) &&
         take_strings(rest, head.envc, launch.environment) && !launch.arguments.empty();
}

RefPtr<Credentials> make_credentials(const control::Launch& head) {
  auto who = make_ref<Credentials>();
  who->uid = who->euid = who->suid = who->fsuid = head.uid;
  who->gid = who->egid = who->sgid = who->fsgid = head.gid;
  who->groups.assign(head.groups, head.groups + head.group_count);
  if (head.uid != 0) who->permitted = who->effective = 0;
  return who;
}

/// Standard input, output and error. Those that are the launcher's terminal become one console,
/// which is the session's controlling terminal.
Result<> open_streams(Task& task, const control::Launch& head, Launch& launch,
                      std::span<host::UniqueFd> descriptors) {
  constexpr u32 kTerminals = control::kTerminal0 | control::kTerminal1 | control::kTerminal2;
  const u64 limit = task.limit(abi::kRLIMIT_NOFILE);
  RefPtr<File> console_file;
  if (head.flags & kTerminals) {
    // Its descriptors are of one terminal, open for both directions as a rule: one serves.
    host::UniqueFd terminal;
    for (usize i = 0; i < kStandardStreams && !terminal; ++i) {
      if (head.flags & (control::kTerminal0 << i)) terminal = std::move(descriptors[i]);
    }
    abi::Winsize size{head.rows, head.columns, head.x_pixels, head.y_pixels};
    const bool is_input = head.flags & control::kTerminal0;
    launch.console =
        make_ref<ConsoleTty>(std::move(terminal), size, head.uid,
                             is_input ? ConsoleTty::Mode::kRaw : ConsoleTty::Mode::kShared);
    console_file =
        TRY(tty::open_console(*launch.console, abi::OpenFlag::kO_RDWR | abi::OpenFlag::kO_NOCTTY));
    launch.console->attach(task.session(), task.process->pid);
  }
  for (usize i = 0; i < kStandardStreams; ++i) {
    RefPtr<File> file = console_file;
    if (!(head.flags & (control::kTerminal0 << i))) {
      file = TRY(tty::make_host_stream(std::move(descriptors[i]), *task.credentials));
    }
    TRY(task.files->install(std::move(file), false, limit));
  }
  return {};
}

/// The program's path: as it stands if it has a slash, else found in PATH.
Result<std::string> find_program(Task& task, const Launch& launch) {
  if (launch.program.find('/') != launch.program.npos) return launch.program;
  std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& variable : launch.environment) {
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  }
  Errno error = Errno::kENOENT;
  for (;;) {
    usize end = path.find(':');
    std::string candidate(path.substr(0, end));
    if (!candidate.empty()) candidate += '/';
    candidate += launch.program;
    auto found = vfs::resolve(task, Fd{abi::kAT_FDCWD}, candidate, vfs::Walk::kFollow);
    if (found.ok() && found->inode().is_regular()) {
      auto allowed = vfs::check_access(*task.credentials, found->inode(), vfs::Access::kExecute);
      if (allowed.ok()) return candidate;
      error = allowed.error();
    }
    if (end == path.npos) return error;
    path.remove_prefix(end + 1);
  }
}

/// In the new process, on its own host thread: becomes the program.
void run_program() {
  Task& task = Task::current();
  Launch& launch = launch_of(*task.process);
  const u64 id = launch.id;
  Errno error{};
  control::LaunchStep step = control::LaunchStep::kWorkingDirectory;
  {
    std::string program;
    {
      KernelLock::Held held;
      auto directory = vfs::resolve(task, Fd{abi::kAT_FDCWD}, launch.directory,
                                    vfs::Walk::kFollow | vfs::Walk::kDirectory);
      if (!directory) {
        error = directory.error();
      } else {
        task.fs->working_directory.set(*directory);
        step = control::LaunchStep::kProgram;
        auto found = find_program(task, launch);
        if (found) {
          program = std::move(*found);
        } else {
          error = found.error();
        }
      }
    }
    if (error == Errno{}) {
      auto executed = lifecycle::execute(task, program, launch.arguments, launch.environment);
      if (!executed) error = executed.error();
    }
  }
  kernel_lock().lock();
  if (error != Errno{}) {
    task.process->launch = nullptr;
    tell_failure(id, error, step);
    signals::end_process(*task.process, abi::wait_status_exited(127));
    kernel_lock().unlock();
    lifecycle::exit_current_task();
  }
  control::Started message;
  message.session = id;
  message.pid = task.process->pid.value;
  tell_manager(&message, sizeof message);
  kernel_lock().unlock();
  signals::before_return_to_guest(-1);
}

}  // namespace

void tell_manager(const void* message, usize size) {
  auto sent = host::send_packet(host::Fd{control::kControlFd},
                                {static_cast<const std::byte*>(message), size});
  if (!sent) log_line("the session manager does not take messages");
}

void start(std::span<const std::byte> message, std::span<host::UniqueFd> descriptors) {
  control::Launch head;
  auto launch = make_ref<Launch>();
  const usize needed = kStandardStreams + 1;
  if (!parse(message, head, *launch) ||
      descriptors.size() < (head.flags & control::kTrace ? needed : kStandardStreams)) {
    return tell_failure(launch->id, Errno::kEINVAL, control::LaunchStep::kMessage);
  }
  RefPtr<Task> task = lifecycle::create_first_task(make_credentials(head));
  if (!task) return tell_failure(launch->id, Errno::kEAGAIN, control::LaunchStep::kResources);
  Process& process = *task->process;
  if (head.flags & control::kTrace) {
    launch->trace = std::move(descriptors[kStandardStreams]);
    process.trace_fd = launch->trace.get();
  }
  auto opened = open_streams(*task, head, *launch, descriptors);
  launch->process = &process;
  process.launch = launch;
  Result<bool> forked = Errno::kEAGAIN;
  if (opened.ok()) {
    task->ref();  // of the stack slot
    KernelLock::Released released;
    forked = pico::fork(*task, task->memory->host_space);
    if (forked.ok() && !forked.value()) {
      // The child: nothing of the monitor's stack is its own.
      lifecycle::start_child();
      pico::enter_guest(run_program);
    }
    if (!forked) task->unref();
  }
  if (!forked) {
    // It is still found by its number.
    if (launch->console) (void)launch->console->close();
    process.launch = nullptr;
    lifecycle::discard(*task);
    return tell_failure(launch->id, opened.ok() ? Errno::kEAGAIN : opened.error(),
                        control::LaunchStep::kResources);
  }
  launch->ref();  // of the list
  kernel().launches.push_back(*launch);
}

void ended(Process& process) {
  RefPtr<RefCounted> pinned = process.launch;
  Launch& launch = launch_of(process);
  control::Exited message;
  message.session = launch.id;
  message.wait_status = process.exit_status;
  {
    KernelLock::Released released;
    tell_manager(&message, sizeof message);
  }
  launch.process = nullptr;
  process.launch = nullptr;
  wake_monitor();
}

}  // namespace lxss::launches
