// Creates files in a VolFs tree that no instance is using.
//
// Promise: each entry gets its record last, so one that is half made does not
// exist for Linux. Nothing outside the tree is touched (see VolfsTree). Every
// function throws Failure; a full host disk has its own sentence.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "fs/volfs/format.h"
#include "lxss/distro/volfs_tree.h"

namespace lxss::distro {

struct Attribute {
  std::string name;   ///< Linux's name, "security.capability"
  std::string value;  ///< bytes
};

/// What a file gets besides its content.
struct Metadata {
  volfs::InodeRecord record;
  timespec modified{0, UTIME_NOW};
  std::vector<Attribute> attributes{};
};

class VolfsWriter {
 public:
  explicit VolfsWriter(VolfsTree tree) : tree_(std::move(tree)) {}

  /// A new tree in the host directory `path`, which must not exist yet; its
  /// root is 0755 root:root. Fails when the host keeps no user attributes there.
  static VolfsWriter create(const std::string& path);

  const VolfsTree& tree() const { return tree_; }

  /// A regular file (or one whose content stands for something else, as a
  /// symbolic link's) being written: fill fd(), then finish(). An unfinished
  /// one is no file for Linux.
  class NewFile {
   public:
    int fd() const { return fd_.get(); }
    void finish(const Metadata& metadata);

   private:
    friend class VolfsWriter;
    NewFile(common::UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
    common::UniqueFd fd_;
    std::string name_;
  };

  /// All paths are relative to the tree's root, and missing parents are made
  /// (0755 root:root). What is there already is replaced as tar replaces it: a
  /// file by anything, a directory only when it is empty.
  NewFile create_file(const std::string& path);
  void create_symlink(const std::string& path, std::string_view target, const Metadata& metadata);
  /// Devices, FIFOs and sockets: the record says all.
  void create_special(const std::string& path, const Metadata& metadata);
  /// Keeps a directory that is there, and gives it the metadata.
  void create_directory(const std::string& path, const Metadata& metadata);
  /// Another name for the file at `existing`, which may be a symbolic link.
  void create_hard_link(const std::string& path, const std::string& existing);

  /// Puts a whole root-owned regular file in place atomically. A symbolic link
  /// at `path` is replaced, not followed.
  void replace_file(const std::string& path, std::string_view text, std::uint32_t mode);
  /// The same with a symbolic link.
  void replace_symlink(const std::string& path, std::string_view target);

 private:
  struct Place {
    int parent;        ///< host directory, valid until the next locate()
    std::string name;  ///< one component
  };
  void replace(const std::string& path, std::string_view content, std::uint32_t mode);
  Place locate(const std::string& path);
  void make_parents(const std::string& path);
  void remove_existing(const Place& place, const std::string& path);

  VolfsTree tree_;
  std::string last_parent_path_;
  common::UniqueFd last_parent_;
};

}  // namespace lxss::distro
