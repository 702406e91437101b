#include "lxcore/tty/host_stream.h"

#include "abi/linux/ioctl.h"
#include "base/text.h"
#include "host/file.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

/// What a pipe of the host takes for sure when it is ready for writing (PIPE_BUF).
constexpr usize kAtomicSize = 4096;

PollEvents look(host::Fd fd, PollEvents wanted) {
  abi::PollFd entry{fd.value, static_cast<i16>(wanted.raw()), 0};
  auto ready = host::poll({&entry, 1}, host::Deadline{0});
  if (!ready.ok() || ready.value() == 0) return {};
  return PollEvents(static_cast<u16>(entry.revents));
}

class HostStreamInode final : public Inode {
 public:
  HostStreamInode(FileSystem& filesystem, u64 number, u32 mode, const Credentials& owner, u64 rdev,
                  host::UniqueFd fd)
      : Inode(filesystem, number, mode, owner.fsuid, owner.fsgid, rdev), fd_(std::move(fd)) {}

  host::Fd fd() const { return fd_.get(); }

  Result<Attributes> attributes() override {
    const abi::Stat host = TRY(host::status(fd_.get()));
    Attributes result;
    result.number = number();
    result.mode = mode();
    result.uid = uid();
    result.gid = gid();
    result.rdev = rdev();
    result.size = static_cast<u64>(host.st_size);
    result.blocks = static_cast<u64>(host.st_blocks);
    result.accessed = host.st_atim;
    result.modified = host.st_mtim;
    result.changed = host.st_ctim;
    return result;
  }
  Result<> set_attributes(const AttributeChange& change) override {
    // Whose file it is, and its permissions, are the host's business.
    if (change.permissions || change.uid || change.gid) return Errno::kEPERM;
    if (change.size) return host::set_size(fd_.get(), *change.size);
    return {};
  }
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;

 protected:
  /// Programs of the host wait for the end of a pipe: it is not to come with the memory.
  void released() override { fd_.reset(); }

 private:
  host::UniqueFd fd_;
};

class HostStream final : public File {
 public:
  HostStream() : File(Locking::kOwn) {}
  host::Fd fd() const { return static_cast<HostStreamInode&>(inode()).fd(); }
  bool is_file() const { return inode().is_regular(); }

  bool seekable() const override { return is_file(); }
  bool position_is_shared() const override { return true; }

  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override {
    if (buffer.empty()) return usize{0};
    if (nonblocking() && !is_file() && !look(fd(), kReadable | abi::PollFlag::kPOLLHUP)) {
      return Errno::kEAGAIN;
    }
    const host::Fd from = fd();
    const usize done = TRY(transfer(task, [&] {
      return offset ? host::read_at(from, buffer.pieces(), *offset)
                    : host::read_stream(from, buffer.pieces());
    }));
    buffer.skip(done);
    return done;
  }

  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override {
    const host::Fd to = fd();
    if (nonblocking() && !is_file()) {
      if (!look(to, kWritable | kAlwaysPolled)) return Errno::kEAGAIN;
      buffer.truncate(std::min(buffer.size(), kAtomicSize));
    }
    const bool append = flags().has(abi::OpenFlag::kO_APPEND) && is_file();
    usize done = 0;
    while (!buffer.empty()) {
      auto written = transfer(task, [&] {
        if (offset) return host::write_at(to, buffer.pieces(), *offset + done);
        return append ? host::append(to, buffer.pieces()) : host::write_stream(to, buffer.pieces());
      });
      if (!written.ok()) {
        if (written.is(Errno::kEPIPE)) {
          KernelLock::Held held;
          signals::send(task, signals::user_info(task, abi::kSIGPIPE, abi::kSI_USER));
        }
        return done != 0 ? Result<usize>(done) : written.error();
      }
      if (*written == 0) break;
      buffer.skip(*written);
      done += *written;
    }
    return done;
  }

  Result<u64> seek(i64 offset, i32 whence) override {
    return host::seek_stream(fd(), offset, whence);
  }
  PollEvents poll(PollRegistration* registration) override {
    if (is_file()) return File::poll(registration);
    return look(fd(), kAllEvents);
  }
  host::Fd host_poll_fd() const override { return is_file() ? host::kNoFd : fd(); }

  Result<u64> ioctl(Task&, u32 request, u64 argument) override {
    if (request != abi::kFIONREAD) return Errno::kENOTTY;
    i32 bytes = 0;
    TRY(host::control(fd(), request, reinterpret_cast<u64>(&bytes)));
    TRY(copy_out(UserAddr{argument}, &bytes, sizeof bytes));
    return u64{0};
  }
  Result<MapSource> map() override {
    if (!is_file()) return Errno::kENODEV;
    return MapSource{.fd = fd()};
  }
  Result<> sync(bool data_only) override { return host::sync(fd(), data_only); }
  Result<> truncate(u64 size) override {
    if (!is_file()) return Errno::kEINVAL;
    return host::set_size(fd(), size);
  }

 private:
  /// A host call without the kernel lock; again if something woke the task that is no reason
  /// to leave it.
  template <typename Call>
  Result<usize> transfer(Task& task, Call call) {
    RefPtr<File> pinned(this);
    for (;;) {
      if (signals::interrupted(task)) return Errno::kERESTARTSYS;
      Result<usize> done = usize{0};
      {
        KernelLock::Released released;
        done = call();
      }
      if (!done.is(Errno::kEINTR)) return done;
    }
  }
};

Result<RefPtr<File>> HostStreamInode::open(Task&, abi::OpenFlags) {
  if (type() == abi::kS_IFSOCK) return Errno::kENXIO;
  return RefPtr<File>(make_ref<HostStream>());
}

/// The mount of the files that have no name in the tree.
RefPtr<Mount> anonymous_mount() {
  class Probe final : public File {};
  auto probe = make_ref<Probe>();
  vfs::initialise_anonymous(*probe, "host", abi::kS_IFIFO, {});
  return probe->path().mount;
}

std::string shown_name(u32 type, u64 number) {
  TextBuilder name;
  switch (type) {
    case abi::kS_IFIFO:
      name << "pipe:[";
      break;
    case abi::kS_IFSOCK:
      name << "socket:[";
      break;
    case abi::kS_IFREG:
      name << "host-file:[";
      break;
    default:
      name << "host-device:[";
      break;
  }
  name << number << ']';
  return name.take();
}

}  // namespace

Result<RefPtr<File>> tty::make_host_stream(host::UniqueFd fd, const Credentials& owner,
                                           abi::OpenFlags flags) {
  const abi::Stat host = TRY(host::status(fd.get()));
  const u32 type = host.st_mode & abi::kS_IFMT;
  if (type == abi::kS_IFDIR) return Errno::kEISDIR;
  // A socket goes both ways, whichever standard descriptor it is.
  constexpr u32 kReadWrite = 2;
  if (type == abi::kS_IFSOCK) {
    flags = abi::OpenFlags((flags.raw() & ~abi::kO_ACCMODE) | kReadWrite);
  }
  RefPtr<Mount> mount = anonymous_mount();
  const u64 number = kernel().next_anonymous_inode++;
  auto inode = make_ref<HostStreamInode>(mount->filesystem(), number, host.st_mode, owner,
                                         host.st_rdev, std::move(fd));
  auto dentry = make_ref<Dentry>(nullptr, shown_name(type, number), std::move(inode));
  auto file = make_ref<HostStream>();
  file->initialise(Path{std::move(mount), std::move(dentry)}, flags);
  return RefPtr<File>(std::move(file));
}

}  // namespace lxss
