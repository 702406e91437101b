// The start of an instance: kernel objects, file systems, confinement.
#include "base/text.h"
#include "host/channel.h"
#include "host/clock.h"
#include "lxcore/control/boot_mounts.h"
#include "lxcore/control/launch.h"
#include "lxcore/control/monitor.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/vfs/filesystem_types.h"
#include "lxcore/vfs/namespace.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

// The wall names the kinds of confinement in its own words.
static_assert(pico::Confinement::kSeccomp == u32(control::kSeccomp) &&
              pico::Confinement::kLandlockFiles == u32(control::kLandlockFiles) &&
              pico::Confinement::kLandlockScope == u32(control::kLandlockScope));

namespace {

/// In the arena's first page, behind what pico keeps there.
constexpr u64 kKernelPointerAt = pico::kArenaBegin + kPageSize / 2;
Kernel*& kernel_pointer() { return *reinterpret_cast<Kernel**>(kKernelPointerAt); }

}  // namespace

Kernel& kernel() { return *kernel_pointer(); }

namespace host {
MachineFiles& machine_files() { return kernel().machine_files; }
}  // namespace host

void log_line(std::string_view text) {
  TextBuilder line;
  line << "lxcore: " << text << '\n';
  std::string whole = line.take();
  host::Buffer buffer{reinterpret_cast<u64>(whole.data()), whole.size()};
  (void)host::write_stream(kernel().log, {&buffer, 1});
}

namespace {

[[noreturn]] void fail(const char* sentence) {
  log_line(sentence);
  control::BootFailed message;
  std::string_view(sentence).copy(message.text, sizeof message.text - 1);
  launches::tell_manager(&message, sizeof message);
  pico::exit_process();
}

void set_default_limits(Process& process) {
  constexpr u64 kInfinite = abi::kRLIM_INFINITY;
  process.limits.fill({kInfinite, kInfinite});
  process.limits[abi::kRLIMIT_STACK] = {u64{8} << 20, kInfinite};
  process.limits[abi::kRLIMIT_CORE] = {0, kInfinite};
  process.limits[abi::kRLIMIT_NPROC] = {Kernel::kMaxTasks, Kernel::kMaxTasks};
  process.limits[abi::kRLIMIT_NOFILE] = {1024, u64{FdTable::kMaxDescriptors}};
  process.limits[abi::kRLIMIT_MEMLOCK] = {u64{8} << 20, u64{8} << 20};
  constexpr u64 kMaxSignals = 4096;
  process.limits[abi::kRLIMIT_SIGPENDING] = {kMaxSignals, kMaxSignals};
  process.limits[abi::kRLIMIT_MSGQUEUE] = {819200, 819200};
  process.limits[abi::kRLIMIT_NICE] = {0, 0};
  process.limits[abi::kRLIMIT_RTPRIO] = {0, 0};
}

/// Pid 1: the instance itself, parent of all that have none. This thread is its only task.
void create_init() {
  Kernel& k = kernel();
  auto task = make_ref<Task>();
  auto process = make_ref<Process>();
  task->tid = process->pid = k.ids.take_next().value();
  k.ids.take(process->pid);
  k.users.add_task(0);
  task->process = process;
  task->memory = make_ref<AddressSpace>();
  task->memory->task_count = 1;
  task->files = make_ref<FdTable>();
  task->fs = make_ref<FsContext>();
  task->actions = make_ref<SignalActions>();
  task->credentials = make_ref<Credentials>();
  __builtin_memcpy(task->comm.data(), "init", 5);
  task->start_time_ns = process->start_time_ns = k.boot_time_ns = host::boottime_ns();
  for (const pico::MachineInfo::Pages& pages : pico::machine().pages) {
    if (pages.end == 0) continue;
    Area area;
    area.begin = pages.begin;
    area.end = pages.end;
    area.protection = abi::ProtFlag::kPROT_READ;
    if (pages.vdso) area.protection |= abi::ProtFlag::kPROT_EXEC;
    area.name = pages.vdso ? "[vdso]" : "[vvar]";
    task->memory->areas.emplace(area.begin, std::move(area));
  }
  set_default_limits(*process);
  process->threads.push_back(*task);
  process->thread_count = 1;
  process->leader = task.get();
  process->host_process = pico::current().host_process;
  process->group = make_ref<ProcessGroup>(process->pid, make_ref<Session>(process->pid));
  process->group->members.push_back(*process);
  k.groups[process->pid] = process->group.get();
  k.processes[process->pid] = process;
  k.tasks[task->tid] = task;
  k.init = process;
  k.monitor = task;
  pico::become(*task);
  k.epoch.add(task->epoch);
  heap::use_task_caches();
}

control::Boot receive_boot(std::span<host::UniqueFd> drives) {
  abi::PollFd polled{control::kControlFd, i16(abi::PollFlag::kPOLLIN), 0};
  (void)host::poll({&polled, 1}, std::nullopt);
  control::Boot boot;
  auto data = std::as_writable_bytes(std::span(&boot, 1));
  auto packet = host::receive_packet(host::Fd{control::kControlFd}, data, drives);
  if (!packet || packet->size != sizeof boot || boot.header.type != control::Type::kBoot) {
    fail("The session manager did not send a boot message.");
  }
  if (boot.version != control::kVersion) {
    fail("The session manager and the kernel are of different versions; reinstall Lxss.");
  }
  if (boot.drive_count > control::kMaxDrives || packet->descriptors < boot.drive_count) {
    fail("The session manager's boot message is not well-formed.");
  }
  return boot;
}

/// The directory for a mount, made if it is missing.
Result<Path> mount_point(std::string_view path) {
  Task& task = Task::current();
  const Fd here{abi::kAT_FDCWD};
  auto found = vfs::resolve(task, here, path, vfs::Walk::kFollow | vfs::Walk::kDirectory);
  if (!found.is(Errno::kENOENT)) return found;
  TRY(vfs::make_directory(task, here, path, 0755));
  return vfs::resolve(task, here, path, vfs::Walk::kFollow | vfs::Walk::kDirectory);
}

struct StandardMount {
  const char* path;
  const char* type;
  const char* options;
  abi::MountFlags flags;
};

constexpr abi::MountFlags kUsual = abi::MountFlag::kMS_NOSUID | abi::MountFlag::kMS_RELATIME;
constexpr abi::MountFlags kStrict = kUsual | abi::MountFlag::kMS_NODEV;
constexpr StandardMount kStandardMounts[] = {
    {"/proc", "proc", "", kStrict | abi::MountFlag::kMS_NOEXEC},
    {"/sys", "sysfs", "", kStrict | abi::MountFlag::kMS_NOEXEC},
    {"/dev", "devtmpfs", "mode=0755", kUsual},
    {"/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", kUsual | abi::MountFlag::kMS_NOEXEC},
    {"/dev/shm", "tmpfs", "mode=1777", kStrict},
    {"/run", "tmpfs", "mode=0755", kStrict},
    {"/run/lock", "tmpfs", "mode=1777", kStrict | abi::MountFlag::kMS_NOEXEC},
    {"/run/shm", "tmpfs", "mode=1777", kStrict},
    {"/run/user", "tmpfs", "mode=0755", kStrict},
};

Result<> mount_standard() {
  for (const StandardMount& mount : kStandardMounts) {
    const FileSystemType* type = filesystem_types::find(mount.type);
    if (!type) return Errno::kENODEV;
    auto filesystem = TRY(type->create(mount.options));
    TRY(vfs::mount(std::move(filesystem), TRY(mount_point(mount.path)), mount.type, mount.flags));
  }
  return {};
}

Result<> mount_drives(const control::Boot& boot, std::span<host::UniqueFd> descriptors) {
  for (u32 i = 0; i < boot.drive_count; ++i) {
    const control::Boot::Drive& drive = boot.drives[i];
    if (drive.letter < 'a' || drive.letter > 'z') return Errno::kEINVAL;
    auto filesystem = TRY(boot_mounts::drive(descriptors[i].release(), drive));
    std::string path = std::string("/mnt/") + drive.letter;
    std::string source = std::string(1, char(drive.letter - 'a' + 'A')) + ":";
    TRY(mount_point("/mnt"));
    TRY(vfs::mount(std::move(filesystem), TRY(mount_point(path)), std::move(source),
                   abi::MountFlag::kMS_NOATIME));
  }
  return {};
}

std::string host_name(const control::Boot& boot) {
  std::string_view field(boot.hostname, sizeof boot.hostname);
  return std::string(field.substr(0, field.find('\0')));
}

void mount_all(const control::Boot& boot, std::span<host::UniqueFd> drives) {
  auto root = boot_mounts::distribution(host::Fd{control::kRootFd});
  if (!root) fail("The distribution's directory does not hold a Linux file system.");
  auto mounted = vfs::mount(*root, Path{}, "rootfs", abi::MountFlag::kMS_NOATIME);
  if (!mounted) fail("The distribution's root directory cannot be mounted.");
  FsContext& fs = *Task::current().fs;
  fs.root.set(kernel().root);
  fs.working_directory.set(kernel().root);
  if (!mount_standard()) fail("The distribution's root has no room for the standard mounts.");
  if (!mount_drives(boot, drives)) fail("A drive cannot be mounted below /mnt.");
}

}  // namespace
}  // namespace lxss

namespace lxss::upcall {

void boot() {
  kernel_pointer() = new Kernel;
  create_init();
  host::UniqueFd drives[control::kMaxDrives];
  const control::Boot message = receive_boot(drives);
  kernel().hostname = host_name(message);
  kernel().texts.enabled = message.rewrite_calls;
  host::open_machine_files();
  auto death_events = pico::death_events();
  if (!death_events) fail("The host refuses a signal descriptor.");

  std::vector<host::Fd> reachable = {host::Fd{control::kRootFd}};
  for (u32 i = 0; i < message.drive_count; ++i) reachable.push_back(drives[i].get());
  const pico::Confinement confinement = pico::confine(reachable);
  if (confinement.failure) fail(confinement.failure);
  kernel().confinement = confinement.bits;
  {
    KernelLock::Held held;
    vfs::start_anonymous_files();
    mount_all(message, drives);
    control::Ready ready;
    ready.confinement = confinement.bits;
    launches::tell_manager(&ready, sizeof ready);
  }
  monitor::run(std::move(*death_events));
}

}  // namespace lxss::upcall
