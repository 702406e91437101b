#include "lxcore/ipc/pidfd.h"

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

class PidFd final : public File {
 public:
  static constexpr char kKind = 0;
  explicit PidFd(Process& process) : File(Locking::kOwn), process_(process) {}
  ~PidFd() override {
    KernelLock::Held held;
    process_ = nullptr;
  }
  const void* kind() const override { return &kKind; }
  const RefPtr<Process>& process() const { return process_; }

  PollEvents poll(PollRegistration* registration) override {
    if (registration) registration->on(process_->exit_events);
    switch (process_->state) {
      case ProcessState::kZombie:
        return kReadable;
      case ProcessState::kDead:
        return kReadable | abi::PollFlag::kPOLLHUP;
      default:
        return {};
    }
  }

  std::string fdinfo() override {
    const i32 pid = process_->state == ProcessState::kDead ? -1 : process_->pid.value;
    TextBuilder text;
    text << "Pid:\t" << pid << "\nNSpid:\t" << pid << '\n';
    return text.take();
  }

 private:
  RefPtr<Process> process_;  ///< immutable until the end
};

}  // namespace

RefPtr<File> make_pidfd(Process& process) {
  auto file = make_ref<PidFd>(process);
  vfs::initialise_anonymous(*file, "anon_inode:[pidfd]", 0600, abi::OpenFlag::kO_RDWR);
  return file;
}

Result<RefPtr<Process>> process_of_pidfd(File& file) {
  PidFd* pidfd = file_as<PidFd>(file);
  if (!pidfd) return Errno::kEBADF;
  return pidfd->process();
}

}  // namespace lxss
