// The file of an epoll descriptor (man 7 epoll).
#pragma once

#include "lxcore/ipc/epoll_set.h"

namespace lxss {

class Epoll final : public File {
 public:
  static constexpr char kKind = 0;

  Epoll() : File(Locking::kOwn), set_(make_ref<EpollSet>()) {}
  ~Epoll() override { set_->close(); }
  const void* kind() const override { return &kKind; }

  EpollSet& set() const { return *set_; }
  PollEvents poll(PollRegistration* registration) override { return set_->poll(registration); }
  host::Fd host_poll_fd() const override { return set_->host_fd(); }
  bool has_own_events() const override { return true; }
  std::string fdinfo() override { return set_->fdinfo(); }

 private:
  const RefPtr<EpollSet> set_;
};

}  // namespace lxss
