#include "fs/devpts/devpts.h"

#include "abi/linux/magic.h"
#include "base/text.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/clock.h"

namespace lxss {

namespace devpts {

namespace {

constexpr u64 kRootNumber = 1;
constexpr u64 kPtmxNumber = 2;
constexpr u64 kFirstNumber = 3;  ///< of terminal 0
constexpr u64 kPtmxDevice = abi::make_dev(5, 2);

/// Positions in the listing: 0 ".", 1 "..", 2 "ptmx", then the terminals.
constexpr u64 kFirstPosition = 3;

/// A terminal's node: the same facts in every mount, kept by the terminal.
class Node final : public Inode {
 public:
  Node(FileSystem& filesystem, Tty& tty) : Node(filesystem, tty, tty.node()) {}

  Result<Attributes> attributes() override {
    const Tty::Node node = refresh();
    Attributes result;
    result.number = number();
    result.mode = node.mode;
    result.uid = node.uid;
    result.gid = node.gid;
    result.rdev = rdev();
    result.block_size = 1024;
    result.accessed = node.accessed;
    result.modified = node.modified;
    result.changed = result.created = node.changed;
    return result;
  }

  Result<> set_attributes(const AttributeChange& change) override {
    tty_->change_node(change);
    refresh();
    return {};
  }

  /// The number may by now be another terminal's.
  bool still_valid() override {
    refresh();
    return PtySystem::get().find(tty_->number()) == tty_;
  }

 private:
  Node(FileSystem& filesystem, Tty& tty, const Tty::Node& node)
      : Inode(filesystem, kFirstNumber + tty.number(), node.mode, node.uid, node.gid, tty.device()),
        tty_(tty) {}
  Tty::Node refresh() {
    const Tty::Node node = tty_->node();
    if (mode() != node.mode) set_mode(node.mode);
    if (uid() != node.uid || gid() != node.gid) set_owner(node.uid, node.gid);
    return node;
  }

  const RefPtr<Tty> tty_;
};

class Ptmx final : public Inode {
 public:
  Ptmx(FileSystem& filesystem, u32 mode)
      : Inode(filesystem, kPtmxNumber, abi::kS_IFCHR | mode, 0, 0, kPtmxDevice),
        made_(vfs::now()) {}

  Result<Attributes> attributes() override {
    Attributes result;
    result.number = number();
    result.mode = mode();
    result.uid = uid();
    result.gid = gid();
    result.rdev = rdev();
    result.block_size = 1024;
    result.accessed = result.modified = result.changed = result.created = made_;
    return result;
  }
  Result<> set_attributes(const AttributeChange& change) override {
    if (change.permissions) set_mode(type() | *change.permissions);
    set_owner(change.uid.value_or(uid()), change.gid.value_or(gid()));
    return {};
  }

 private:
  abi::Timespec made_;
};

class Listing final : public File {
 public:
  Listing() : File(Locking::kOwn) {}
  bool seekable() const override { return true; }
  Result<> read_directory(Task&, u64 offset, DirectorySink& sink) override {
    if (offset == 0) {
      if (!sink.add(".", kRootNumber, abi::kDT_DIR, 1)) return {};
      offset = 1;
    }
    if (offset == 1) {
      if (!sink.add("..", kRootNumber, abi::kDT_DIR, 2)) return {};
      offset = 2;
    }
    if (offset == 2) {
      if (!sink.add("ptmx", kPtmxNumber, abi::kDT_CHR, kFirstPosition)) return {};
      offset = kFirstPosition;
    }
    const PtySystem& system = PtySystem::get();
    for (RefPtr<Tty> tty = system.next(static_cast<u32>(offset - kFirstPosition)); tty;
         tty = system.next(tty->number() + 1)) {
      TextBuilder name;
      name << tty->number();
      const u64 behind = kFirstPosition + tty->number() + 1;
      if (!sink.add(name.view(), kFirstNumber + tty->number(), abi::kDT_CHR, behind)) return {};
    }
    return {};
  }
};

class Root final : public Inode {
 public:
  Root(FileSystem& filesystem, RefPtr<Inode> ptmx)
      : Inode(filesystem, kRootNumber, abi::kS_IFDIR | 0755, 0, 0),
        ptmx_(std::move(ptmx)),
        made_(vfs::now()) {}

  Result<Attributes> attributes() override {
    Attributes result;
    result.number = number();
    result.mode = mode();
    result.links = 2;
    result.block_size = 1024;
    result.accessed = result.modified = result.changed = result.created = made_;
    return result;
  }

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    if (name == "ptmx") return ptmx_;
    auto number = parse_number<u32>(name);
    if (!number || (name.size() > 1 && name[0] == '0')) return Errno::kENOENT;
    RefPtr<Tty> tty = PtySystem::get().find(*number);
    if (!tty) return Errno::kENOENT;
    return RefPtr<Inode>(make_ref<Node>(filesystem(), *tty));
  }

  Result<RefPtr<File>> open(Task&, abi::OpenFlags) override {
    return RefPtr<File>(make_ref<Listing>());
  }

 private:
  RefPtr<Inode> ptmx_;
  abi::Timespec made_;
};

class DevPts final : public FileSystem {
 public:
  explicit DevPts(const Options& options)
      : FileSystem("devpts", abi::kDEVPTS_SUPER_MAGIC, Locking::kOwn), options_(options) {
    PtySystem& system = PtySystem::get();
    system.node_gid = options.gid;
    system.node_permissions = options.mode;
  }

  Result<RefPtr<Inode>> root() override {
    return RefPtr<Inode>(make_ref<Root>(*this, make_ref<Ptmx>(*this, options_.ptmx_mode)));
  }
  /// Terminals come and go without the VFS.
  bool dentries_are_stable() const override { return false; }
  std::string options() override {
    TextBuilder text;
    text << ",gid=" << options_.gid << ",mode=";
    text.octal(options_.mode) << ",ptmxmode=";
    text.octal(options_.ptmx_mode, 3);
    return text.take();
  }

 private:
  Options options_;
};

}  // namespace

Result<Options> Options::parse(std::string_view text) {
  Options options;
  while (!text.empty()) {
    const usize comma = text.find(',');
    const std::string_view option = text.substr(0, comma);
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    const usize equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    if (name.empty() || name == "newinstance") continue;
    if (equals == option.npos) return Errno::kEINVAL;
    const bool is_mode = name == "mode" || name == "ptmxmode";
    const auto value = parse_number<u32>(option.substr(equals + 1), is_mode ? 8 : 10);
    if (!value) return Errno::kEINVAL;
    if (name == "gid") {
      options.gid = *value;
    } else if (name == "mode") {
      options.mode = *value & abi::kS_IALLUGO;
    } else if (name == "ptmxmode") {
      options.ptmx_mode = *value & abi::kS_IALLUGO;
    } else if (name != "uid" && name != "max") {
      return Errno::kEINVAL;
    }
  }
  return options;
}

RefPtr<FileSystem> make(const Options& options) { return make_ref<DevPts>(options); }

}  // namespace devpts

Result<RefPtr<FileSystem>> filesystem_types::create_devpts(std::string_view options) {
  return devpts::make(TRY(devpts::Options::parse(options)));
}

}  // namespace lxss
