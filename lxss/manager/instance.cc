#include "lxss/manager/instance.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"
#include "lxss/manager/etc_files.h"
#include "lxss/manager/kernel_process.h"
#include "lxss/manager/launch_errors.h"
#include "lxss/manager/tree_lock.h"

namespace lxss::manager {
namespace {

using common::Failure;
using common::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLockRetry(50);
constexpr seconds kLockTimeout(10);
constexpr seconds kBootTimeout(10);
constexpr milliseconds kStopGrace(3000);
constexpr milliseconds kStopTimeout(8000);  ///< the grace and the time to sync files
constexpr off_t kMaxLog = 1 << 20;

UniqueFd open_log(const std::string& path) {
  UniqueFd log = common::open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  struct stat status;
  if (::fstat(log.get(), &status) == 0 && status.st_size > kMaxLog) {
    [[maybe_unused]] const int ignored = ::ftruncate(log.get(), 0);
  }
  return log;
}

/// The message of type T, when `bytes` is one.
template <typename T>
bool read_as(const std::string& bytes, T& message) {
  if (bytes.size() != sizeof message) return false;
  std::memcpy(&message, bytes.data(), sizeof message);
  return message.header.type == T{}.header.type;
}

template <typename T>
std::string_view bytes_of(const T& message) {
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

}  // namespace

Instance::Instance(EventLoop& loop, distro::Distribution distribution, Config config,
                   Callback on_end)
    : loop_(loop),
      distribution_(std::move(distribution)),
      config_(std::move(config)),
      on_end_(std::move(on_end)),
      tree_(distro::VolfsTree::open(distribution_.rootfs())),
      wsl_conf_(distro::WslConf::parse(tree_.read_file("/etc/wsl.conf").value_or(""))),
      hostname_(instance_hostname(wsl_conf_)),
      log_(open_log(distribution_.log())) {
  deadline_ = loop_.after(kLockTimeout, [this] {
    end(fmt::format("The files of '{}' are still in use by an earlier instance.", name()));
  });
  for (const std::string& error : config_.errors) log("config.ini: " + error);
  for (const std::string& error : wsl_conf_.errors) log("wsl.conf: " + error);
  retry_ = loop_.after(milliseconds(0), [this] { try_boot(); });
}

Instance::~Instance() {
  for (EventLoop::TimerId* timer : {&deadline_, &retry_, &idle_}) loop_.cancel(*timer);
  if (control_) loop_.unwatch(control_.fd());
  if (phase_ != Phase::kEnded && pid_ > 0) ::kill(-pid_, SIGKILL);
}

void Instance::try_boot() {
  retry_ = EventLoop::kNoTimer;
  try {
    UniqueFd root = try_lock_tree(distribution_.rootfs());
    if (root) return boot(std::move(root));
    retry_ = loop_.after(kLockRetry, [this] { try_boot(); });
  } catch (const Failure& failure) {
    end(failure.what());
  }
}

void Instance::boot(UniqueFd root) {
  loop_.cancel(deadline_);
  prepare_tree(root);
  std::vector<UniqueFd> drives;
  const std::string message = boot_message(drives);
  KernelProcess kernel = start_kernel(std::move(root), log_);
  pid_ = kernel.pid;
  control_ = std::move(kernel.control);
  phase_ = Phase::kBooting;
  loop_.watch_child(pid_, [this](int status) { process_ended(status); });
  loop_.watch(control_.fd(), [this] { read_messages(); });
  deadline_ = loop_.after(kBootTimeout, [this] { broken("did not get ready in time"); });
  std::vector<int> numbers;
  for (const UniqueFd& drive : drives) numbers.push_back(drive.get());
  control_.send(message, numbers);
}

/// A tree that resists the generated files still starts.
void Instance::prepare_tree(const UniqueFd& root) {
  try {
    distro::VolfsWriter writer{distro::VolfsTree(root.duplicate())};
    generate_etc_files(writer, wsl_conf_, hostname_);
  } catch (const Failure& failure) {
    log(failure.what());
  }
}

std::string Instance::boot_message(std::vector<UniqueFd>& drives) const {
  const distro::Accounts accounts = distro::Accounts::of(tree_);
  std::optional<distro::Account> owner =
      wsl_conf_.default_user ? accounts.by_name(*wsl_conf_.default_user) : std::nullopt;
  if (!owner) owner = accounts.by_uid(distribution_.default_uid);
  control::Boot boot;
  std::memcpy(boot.hostname, hostname_.data(),
              std::min(hostname_.size(), sizeof boot.hostname - 1));
  boot.rewrite_calls = config_.rewrite_calls;
  for (const Drive& drive : config_.drives) {
    UniqueFd directory(::open(drive.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
      log(fmt::format("The drive {} is left out: '{}': {}.", drive.letter, drive.directory,
                      std::strerror(errno)));
      continue;
    }
    boot.drives[boot.drive_count++] = {.letter = drive.letter,
                                       .reserved = {},
                                       .uid = owner ? owner->uid : 0,
                                       .gid = owner ? owner->gid : 0,
                                       .umask = 022,
                                       .fmask = 0,
                                       .dmask = 0};
    drives.push_back(std::move(directory));
  }
  return std::string(bytes_of(boot));
}

SessionId Instance::launch(const common::LaunchRequest& request, std::vector<UniqueFd> descriptors,
                           SessionOwner& owner) {
  const distro::Accounts accounts = distro::Accounts::of(tree_);
  const std::string user =
      request.user.empty() ? wsl_conf_.default_user.value_or("") : request.user;
  const std::optional<distro::Account> account =
      user.empty() ? accounts.by_uid(distribution_.default_uid) : accounts.by_name(user);
  if (!account) throw Failure("There is no user '{}' in '{}'.", user, name());
  const SessionId id = ++last_session_;
  Session session{.owner = &owner,
                  .request = request,
                  .plan = plan_launch(request, name(), *account, config_.drives),
                  .descriptors = std::move(descriptors)};
  encode_launch(session.plan, request, id,
                session.plan.directories.front());  // Throws if too long.
  loop_.cancel(idle_);
  Session& kept = sessions_.emplace(id, std::move(session)).first->second;
  if (phase_ == Phase::kRunning) send_launch(id, kept);
  return id;
}

void Instance::send_launch(SessionId id, Session& session) {
  const std::string packet =
      encode_launch(session.plan, session.request, id, session.plan.directories[session.directory]);
  std::vector<int> numbers;
  for (const UniqueFd& descriptor : session.descriptors) numbers.push_back(descriptor.get());
  if (control_.send(packet, numbers) != common::PacketSocket::SendResult::kSent) {
    fail_session(id, fmt::format("The instance of '{}' does not answer.", name()),
                 common::kExitFailure);
  }
}

template <typename T>
void Instance::send(const T& message) {
  if (phase_ == Phase::kRunning) control_.send(bytes_of(message));
}

void Instance::send_signal(SessionId id, std::uint32_t number) {
  if (phase_ == Phase::kRunning) return send(control::Signal{.session = id, .number = number});
  auto session = sessions_.extract(id);
  if (session) session.mapped().owner->exited(int(number));
}

void Instance::resize(SessionId session, const common::TerminalSize& size) {
  send(control::Resize{.session = session,
                       .rows = size.rows,
                       .columns = size.columns,
                       .x_pixels = size.x_pixels,
                       .y_pixels = size.y_pixels});
}

void Instance::hang_up(SessionId session) {
  if (sessions_.erase(session) == 0) return;
  send(control::HangUp{.session = session});
  begin_idle();
}

/// Without sessions the idle time runs.
void Instance::begin_idle() {
  if (!sessions_.empty() || phase_ != Phase::kRunning || !config_.idle_timeout) return;
  loop_.cancel(idle_);
  idle_ = loop_.after(*config_.idle_timeout, [this] { stop(); });
}

void Instance::stop() {
  if (stopping()) return;
  loop_.cancel(idle_);
  loop_.cancel(retry_);
  if (pid_ < 0) return end(fmt::format("The instance of '{}' was ended.", name()));
  send(control::Shutdown{.grace_ms = std::uint32_t(kStopGrace.count())});
  if (phase_ != Phase::kRunning) ::kill(-pid_, SIGKILL);
  phase_ = Phase::kStopping;
  loop_.cancel(deadline_);
  deadline_ = loop_.after(kStopTimeout, [this] { ::kill(-pid_, SIGKILL); });
}

void Instance::read_messages() {
  while (pid_ > 0 && control_) {
    const std::optional<common::Packet> packet = control_.receive(false);
    if (packet) {
      handle(packet->bytes);
      continue;
    }
    if (control_.closed()) {
      loop_.unwatch(control_.fd());
      control_.close();
      if (phase_ != Phase::kStopping) ::kill(-pid_, SIGKILL);
    }
    return;
  }
}

void Instance::handle(const std::string& bytes) {
  control::Header header;
  if (bytes.size() < sizeof header) return broken("sent a message that is none");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.size != bytes.size()) return broken("sent a message with a wrong length");
  control::Ready ready;
  control::BootFailed boot_failed;
  control::Started started;
  control::LaunchFailed launch_failed;
  control::Exited exited;
  control::Idle idle;
  if (read_as(bytes, ready)) return handle_ready(ready);
  if (read_as(bytes, launch_failed)) return handle_launch_failed(launch_failed);
  if (read_as(bytes, idle)) return;  // The idle time depends on clients, not on processes.
  if (read_as(bytes, boot_failed)) {
    boot_failed.text[sizeof boot_failed.text - 1] = '\0';
    boot_error_ = printable(boot_failed.text);
  } else if (read_as(bytes, started)) {
    const auto found = sessions_.find(started.session);
    if (found == sessions_.end()) return;
    found->second.descriptors.clear();
    found->second.owner->started();
  } else if (read_as(bytes, exited)) {
    auto session = sessions_.extract(exited.session);
    if (session) session.mapped().owner->exited(exited.wait_status);
    begin_idle();
  } else {
    broken("sent a message of an unknown kind");
  }
}

void Instance::handle_ready(const control::Ready& ready) {
  if (phase_ == Phase::kStopping) return;
  if (phase_ != Phase::kBooting) return broken("got ready twice");
  if (ready.version != control::kVersion) return broken("speaks another version of the protocol");
  loop_.cancel(deadline_);
  phase_ = Phase::kRunning;
  confinement_ = ready.confinement;
  std::vector<SessionId> waiting;
  for (const auto& [id, session] : sessions_) waiting.push_back(id);
  for (SessionId id : waiting) send_launch(id, sessions_.at(id));
  begin_idle();
}

/// A working directory that nobody asked for gives way to the next one.
void Instance::handle_launch_failed(const control::LaunchFailed& failed) {
  const auto found = sessions_.find(failed.session);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (failed.step == control::LaunchStep::kWorkingDirectory &&
      session.directory + 1 < session.plan.directories.size()) {
    ++session.directory;
    return send_launch(found->first, session);
  }
  const LaunchError error = describe(failed, session.plan);
  fail_session(found->first, error.sentence, error.exit_code);
}

void Instance::fail_session(SessionId id, const std::string& sentence, int exit_code) {
  auto session = sessions_.extract(id);
  if (session) session.mapped().owner->failed(sentence, exit_code);
  begin_idle();
}

/// The kernel process broke its contract.
void Instance::broken(const std::string& why) {
  log(fmt::format("The manager ends this instance: it {}.", why));
  if (phase_ == Phase::kBooting && boot_error_.empty()) boot_error_ = "It " + why + ".";
  ::kill(-pid_, SIGKILL);
}

void Instance::process_ended(int wait_status) {
  read_messages();  // What it said last explains why.
  pid_ = -1;
  const bool expected = phase_ == Phase::kStopping;
  if (!expected || wait_status != 0) {
    log(fmt::format("The kernel process ended: {}.", describe_wait_status(wait_status)));
  }
  if (expected) return end(fmt::format("The instance of '{}' was ended.", name()));
  if (phase_ == Phase::kBooting) {
    return end(fmt::format("The instance of '{}' could not be started{} See {}.", name(),
                           boot_error_.empty() ? "." : ": " + boot_error_, distribution_.log()));
  }
  end(fmt::format("The instance of '{}' stopped unexpectedly; see {}.", name(),
                  distribution_.log()));
}

/// All sessions end with the sentence; `on_end_` may destroy this object later.
void Instance::end(const std::string& sentence) {
  phase_ = Phase::kEnded;
  auto sessions = std::move(sessions_);
  sessions_.clear();
  for (auto& [id, session] : sessions) session.owner->failed(sentence, common::kExitFailure);
  loop_.after(milliseconds(0), on_end_);
}

void Instance::log(const std::string& line) const {
  const std::string text = "manager: " + line + '\n';
  [[maybe_unused]] const ssize_t ignored = ::write(log_.get(), text.data(), text.size());
}

}  // namespace lxss::manager
