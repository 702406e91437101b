#include "lxss/manager/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"
#include "lxss/distro/exporter.h"
#include "lxss/distro/importer.h"
#include "lxss/distro/minimal.h"
#include "lxss/distro/removal.h"
#include "lxss/manager/client.h"
#include "lxss/manager/kernel_process.h"
#include "lxss/manager/tree_lock.h"

namespace lxss::manager {
namespace {

using common::Failure;
using common::Message;
using common::UniqueFd;
using distro::Distribution;
using distro::Report;
using distro::State;

constexpr std::chrono::seconds kManagerIdle(60);

std::string key_of(const Distribution& distribution) { return common::lower(distribution.name); }

Config load_config(const common::Paths& paths) {
  return Config::parse(common::read_text_file(paths.config()).value_or(""));
}

/// In a job: the archive, wherever it comes from, becomes the distribution's tree.
void install_files(const InstallRequest& request, const Distribution& distribution,
                   const std::string& cache, const Report& report) {
  UniqueFd made;
  int archive = request.archive.get();
  if (request.source == InstallRequest::Source::kMinimal) {
    report("assembling a minimal distribution from the host's own files");
    made = distro::make_minimal_archive();
    archive = made.get();
  } else if (request.source == InstallRequest::Source::kDebian) {
    made = common::open_file(
        distro::fetch_debian(cache, distro::scratch_directory(distribution), report), O_RDONLY);
    archive = made.get();
  }
  report("unpacking");
  distro::import_archive(archive, distribution.rootfs(), [&](std::uint64_t files) {
    report(fmt::format("unpacking: {} files", files));
  });
  std::filesystem::remove_all(distro::scratch_directory(distribution));
}

}  // namespace

Server::Server(EventLoop& loop, common::Paths paths, UniqueFd listener)
    : loop_(loop),
      paths_(std::move(paths)),
      listener_(std::move(listener)),
      registry_(paths_.registry()) {
  for (const Distribution& left : registry_.interrupted()) {
    remove(left, "cleaned up after a crash", {[](auto&) {}, [](auto&) {}});
  }
  loop_.watch(listener_.get(), [this] { accept_client(); });
  watch_for_idleness();
}

Server::~Server() { loop_.unwatch(listener_.get()); }

void Server::accept_client() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd || ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      (peer.uid != ::geteuid() && peer.uid != 0)) {
    return;
  }
  auto client = std::make_shared<Client>(*this, common::PacketSocket(std::move(fd)));
  clients_.emplace(client.get(), client);
  loop_.cancel(idle_);
}

void Server::client_gone(Client* client) {
  // The client may be on the stack.
  loop_.after(std::chrono::milliseconds(0), [this, client] {
    clients_.erase(client);
    watch_for_idleness();
  });
}

void Server::watch_for_idleness() {
  loop_.cancel(idle_);
  if (!clients_.empty() || !instances_.empty() || !activities_.empty()) return;
  idle_ = loop_.after(kManagerIdle, [this] { loop_.stop(); });
}

Distribution Server::require(const std::string& name) const {
  const std::optional<Distribution> found =
      name.empty() ? registry_.default_distribution() : registry_.find(name);
  if (found) return *found;
  if (name.empty()) {
    throw Failure("No distribution is installed; `lxss --install` installs Debian.");
  }
  throw Failure("There is no distribution '{}'; `lxss --list` names those that are.", name);
}

void Server::refuse_if_busy(const std::string& key) const {
  const auto found = activities_.find(key);
  if (found != activities_.end()) throw Failure("{}", found->second.sentence);
}

Instance* Server::instance_for_launch(const std::string& name, Callback retry) {
  const Distribution distribution = require(name);
  const std::string key = key_of(distribution);
  refuse_if_busy(key);
  auto found = instances_.find(key);
  if (found == instances_.end()) {
    found = instances_
                .emplace(key, std::make_unique<Instance>(loop_, distribution, load_config(paths_),
                                                         [this, key] { instance_ended(key); }))
                .first;
  }
  if (!found->second->stopping()) return found->second.get();
  after_stop_[key].push_back(std::move(retry));
  return nullptr;
}

void Server::instance_ended(const std::string& key) {
  instances_.erase(key);
  if (auto waiting = after_stop_.extract(key)) {
    for (const Callback& callback : waiting.mapped()) callback();
  }
  watch_for_idleness();
}

void Server::when_stopped(const std::string& key, Callback callback) {
  const auto found = instances_.find(key);
  if (found == instances_.end()) return callback();
  after_stop_[key].push_back(std::move(callback));
  found->second->stop();
}

Message Server::list() const {
  Message rows = Message::array();
  const std::optional<Distribution> chosen = registry_.default_distribution();
  for (const Distribution& distribution : registry_.list()) {
    const bool running = instances_.contains(key_of(distribution));
    const char* state = distribution.state == State::kInstalling     ? "Installing"
                        : distribution.state == State::kUninstalling ? "Uninstalling"
                        : running                                    ? "Running"
                                                                     : "Stopped";
    rows.push_back({{"name", distribution.name},
                    {"directory", distribution.directory},
                    {"state", state},
                    {"default", chosen && chosen->name == distribution.name}});
  }
  return rows;
}

Message Server::status() const {
  Message instances = Message::array();
  for (const auto& [key, instance] : instances_) {
    instances.push_back({{"name", instance->name()}, {"confinement", instance->confinement()}});
  }
  const Config config = load_config(paths_);
  Message drives = Message::array();
  for (const Drive& drive : config.drives) {
    drives.push_back({{"letter", std::string(1, drive.letter)}, {"directory", drive.directory}});
  }
  const std::optional<Distribution> chosen = registry_.default_distribution();
  return {{"default", chosen ? chosen->name : ""},
          {"home", paths_.home},
          {"kernel", kernel_image()},
          {"instances", instances},
          {"drives", drives},
          {"config_errors", config.errors}};
}

void Server::set_default(const std::string& name) {
  const Distribution distribution = require(name);
  refuse_if_busy(key_of(distribution));
  registry_.set_default(distribution.name);
}

void Server::terminate(const std::string& name, Callback done) {
  when_stopped(key_of(require(name)), std::move(done));
}

void Server::shutdown(Callback done) {
  if (instances_.empty()) {
    done();
    if (activities_.empty()) loop_.stop();
    return;
  }
  when_stopped(instances_.begin()->first, [this, done = std::move(done)] { shutdown(done); });
}

void Server::start_job(const std::string& key, const std::string& activity, std::vector<int> kept,
                       const Job::Work& work, Listener listener) {
  auto on_end = [this, key, end = std::move(listener.end)](const auto& failure) {
    // Destroys the job, not this closure: the job has moved it out.
    activities_.erase(key);
    end(failure);
    watch_for_idleness();
  };
  loop_.cancel(idle_);
  activities_[key] = {activity, std::make_unique<Job>(loop_, std::move(kept), work,
                                                      std::move(listener.progress), on_end)};
}

void Server::cancel(const JobKey& key) {
  const auto found = activities_.find(key);
  if (found != activities_.end() && found->second.job) found->second.job->cancel();
}

Server::JobKey Server::install(InstallRequest request, Listener listener) {
  const bool chosen = !request.directory.empty();
  Distribution distribution{
      .name = request.name,
      .directory =
          chosen ? request.directory : paths_.distributions() + '/' + common::lower(request.name)};
  const std::string key = key_of(distribution);
  refuse_if_busy(key);
  distribution.made_directory = !std::filesystem::exists(distribution.directory);
  if (std::filesystem::exists(distribution.rootfs())) {
    throw Failure("'{}' exists already.", distribution.rootfs());
  }
  registry_.begin_install(distribution);
  Listener finish{
      listener.progress, [this, distribution, listener](const std::optional<std::string>& failure) {
        if (!failure) {
          registry_.finish_install(distribution.name);
          return listener.end(failure);
        }
        remove(distribution, "cleaned up after a failed install",
               {listener.progress, [listener, failure](auto&) { listener.end(failure); }});
      }};
  const int archive = request.archive.get();
  start_job(
      key, fmt::format("'{}' is being installed.", distribution.name),
      archive >= 0 ? std::vector<int>{archive} : std::vector<int>{},
      [&](const Report& report) {
        common::make_directories(distribution.directory);
        install_files(request, distribution, paths_.cache, report);
      },
      std::move(finish));
  return key;
}

/// Removes the files in a job, and then the registry's row.
void Server::remove(const Distribution& distribution, const std::string& activity,
                    Listener listener) {
  start_job(
      key_of(distribution), fmt::format("'{}' is being {}.", distribution.name, activity), {},
      [&](const Report&) { distro::remove_files(distribution); },
      {listener.progress, [this, distribution, end = std::move(listener.end)](const auto& failure) {
         if (!failure) registry_.forget(distribution.name);
         end(failure);
       }});
}

Server::JobKey Server::uninstall(const std::string& name, Listener listener) {
  const Distribution distribution = require(name);
  const std::string key = key_of(distribution);
  refuse_if_busy(key);
  registry_.begin_uninstall(distribution.name);
  activities_[key] = {fmt::format("'{}' is being removed.", distribution.name), nullptr};
  when_stopped(key, [this, distribution, listener = std::move(listener)] {
    remove(distribution, "removed", listener);
  });
  return key;
}

Server::JobKey Server::export_to(const std::string& name, UniqueFd archive,
                                 const std::string& format, Listener listener) {
  const Distribution distribution = require(name);
  const std::string key = key_of(distribution);
  refuse_if_busy(key);
  const distro::ArchiveFormat archive_format = distro::archive_format(format);
  const auto running = instances_.find(key);
  if (running != instances_.end() && running->second->has_sessions()) {
    throw Failure("'{0}' is in use; `lxss --terminate {0}` ends it.", distribution.name);
  }
  const std::string sentence = fmt::format("'{}' is being exported.", distribution.name);
  activities_[key] = {sentence, nullptr};
  auto shared = std::make_shared<UniqueFd>(std::move(archive));
  when_stopped(key, [=, this, listener = std::move(listener)] {
    start_job(
        key, sentence, {shared->get()},
        [&](const Report& report) {
          const UniqueFd lock = try_lock_tree(distribution.rootfs());
          if (!lock) throw Failure("The files of '{}' are in use.", distribution.name);
          distro::export_archive(
              distribution.rootfs(), shared->get(), archive_format,
              [&](std::uint64_t files) { report(fmt::format("packing: {} files", files)); });
        },
        listener);
  });
  return key;
}

}  // namespace lxss::manager
