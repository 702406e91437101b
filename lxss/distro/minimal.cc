#include "lxss/distro/minimal.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"

namespace lxss::distro {
namespace {

namespace fs = std::filesystem;
using common::Failure;
using common::UniqueFd;

constexpr const char* kPrograms[] = {
    "bash",       "sh",     "dash",   "env",    "cat",       "ls",       "cp",       "mv",
    "rm",         "ln",     "mkdir",  "rmdir",  "mknod",     "mkfifo",   "chmod",    "chown",
    "chgrp",      "touch",  "stat",   "du",     "df",        "dd",       "head",     "tail",
    "cut",        "tr",     "sort",   "uniq",   "wc",        "tee",      "seq",      "sleep",
    "true",       "false",  "echo",   "printf", "test",      "expr",     "date",     "uname",
    "id",         "whoami", "groups", "pwd",    "hostname",  "readlink", "realpath", "basename",
    "dirname",    "mktemp", "yes",    "nproc",  "tty",       "stty",     "timeout",  "kill",
    "nice",       "nohup",  "find",   "xargs",  "grep",      "sed",      "awk",      "tar",
    "gzip",       "diff",   "cmp",    "ps",     "mount",     "umount",   "free",     "top",
    "less",       "more",   "od",     "md5sum", "sha256sum", "sync",     "truncate", "setsid",
    "script",     "ip",     "getent", "ldd",    "clear",     "tput",     "comm",     "paste",
    "mountpoint", "who",    "cksum",  "base64", "split",     "tac",      "rev",      "vi"};

constexpr const char* kDirectories[] = {
    "dev",       "etc",     "home",      "media",    "mnt",       "opt",
    "proc",      "root",    "run",       "srv",      "sys",       "usr",
    "usr/bin",   "usr/lib", "usr/lib64", "usr/sbin", "usr/local", "usr/local/bin",
    "usr/share", "var",     "var/log",   "var/tmp"};

constexpr std::pair<const char*, const char*> kSymlinks[] = {
    {"bin", "usr/bin"},   {"lib", "usr/lib"},    {"lib64", "usr/lib64"},
    {"sbin", "usr/sbin"}, {"var/run", "../run"}, {"etc/mtab", "../proc/self/mounts"},
};

constexpr std::pair<const char*, const char*> kTexts[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
    {"etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
    {"etc/os-release",
     "PRETTY_NAME=\"Lxss minimal\"\nNAME=\"Lxss minimal\"\nID=lxss-minimal\nID_LIKE=debian\n"},
    {"etc/profile", "PS1='\\u@\\h:\\w\\$ '\n"},
};

constexpr const char* kTerminals[] = {
    "x/xterm",           "x/xterm-256color", "l/linux", "s/screen",
    "s/screen-256color", "t/tmux-256color",  "v/vt100", "d/dumb"};

std::string find_program(const std::string& name) {
  for (const char* directory : {"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"}) {
    if (::access((directory + name).c_str(), R_OK | X_OK) == 0) return directory + name;
  }
  return "";
}

/// The libraries and the loader that a host program maps, by ldd; none for scripts.
std::set<std::string> libraries_of(const std::string& program) {
  const std::string command = "ldd " + common::shell_quote(program) + " 2>/dev/null";
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) common::throw_errno("run ldd");
  const std::string text = common::read_all(::fileno(output), 1 << 20).value_or("");
  ::pclose(output);
  std::set<std::string> result;
  for (const std::string& line : common::split(text, '\n')) {  // "name => /path (0xaddress)"
    const std::size_t begin = line.find('/');
    const std::size_t end = line.find(" (0x");
    if (begin < end && end != std::string::npos) result.insert(line.substr(begin, end - begin));
  }
  return result;
}

/// Everything below /usr, as the distribution's /bin, /lib, ... are links.
std::string place_of(const std::string& host_path) {
  return host_path.starts_with("/usr/") ? host_path.substr(1) : "usr" + host_path;
}

class ArchiveWriter {
 public:
  explicit ArchiveWriter(int fd) : archive_(archive_write_new()) {
    archive_write_set_format_pax_restricted(archive_.get());
    check(archive_write_open_fd(archive_.get(), fd));
  }

  void directory(const std::string& path, std::uint32_t mode = 0755) {
    if (directories_.insert(path).second) add(path, AE_IFDIR, mode, "");
  }
  void text(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      directory(path.substr(0, slash));
    }
    add(path, AE_IFREG, mode, content);
  }
  void symlink(const std::string& path, const std::string& target) {
    add(path, AE_IFLNK, 0777, target);
  }
  /// Copies one host file, once.
  void host_file(const std::string& path, std::uint32_t mode) {
    if (!files_.insert(path).second) return;
    if (const auto content = common::read_text_file(path, 64 << 20)) {
      text(place_of(path), *content, mode);
    }
  }
  void finish() { check(archive_write_close(archive_.get())); }

 private:
  struct Free {
    void operator()(archive* a) const { archive_write_free(a); }
  };

  void check(int status) {
    if (status < ARCHIVE_WARN) {
      throw Failure("The minimal distribution cannot be packed: {}.",
                    archive_error_string(archive_.get()));
    }
  }

  /// `content` is a symbolic link's target or a file's bytes.
  void add(const std::string& path, unsigned type, std::uint32_t mode, const std::string& content) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_mtime(entry.get(), ::time(nullptr), 0);
    if (type == AE_IFLNK) archive_entry_set_symlink(entry.get(), content.c_str());
    archive_entry_set_size(entry.get(), type == AE_IFREG ? std::int64_t(content.size()) : 0);
    check(archive_write_header(archive_.get(), entry.get()));
    if (type == AE_IFREG &&
        archive_write_data(archive_.get(), content.data(), content.size()) < 0) {
      check(ARCHIVE_FATAL);
    }
  }

  std::unique_ptr<archive, Free> archive_;
  std::set<std::string> directories_;
  std::set<std::string> files_;
};

void add_programs(ArchiveWriter& writer) {
  if (find_program("bash").empty())
    throw Failure("The host has no bash to make a distribution of.");
  for (const char* name : kPrograms) {
    const std::string program = find_program(name);
    if (program.empty()) continue;
    writer.host_file(program, 0755);
    for (const std::string& library : libraries_of(program)) writer.host_file(library, 0755);
  }
}

void add_terminals_and_locale(ArchiveWriter& writer) {
  for (const char* base : {"/usr/share/terminfo/", "/lib/terminfo/"}) {
    for (const char* terminal : kTerminals) writer.host_file(std::string(base) + terminal, 0644);
  }
  std::error_code missing;
  for (const auto& entry : fs::recursive_directory_iterator("/usr/lib/locale/C.utf8", missing)) {
    if (entry.is_regular_file()) writer.host_file(entry.path(), 0644);
  }
}

}  // namespace

common::UniqueFd make_minimal_archive() {
  UniqueFd file(::memfd_create("lxss-minimal", MFD_CLOEXEC));
  if (!file) common::throw_errno("make a temporary file");
  ArchiveWriter writer(file.get());
  for (const char* path : kDirectories) writer.directory(path);
  writer.directory("tmp", 01777);
  for (const auto& [path, target] : kSymlinks) writer.symlink(path, target);
  for (const auto& [path, content] : kTexts) writer.text(path, content);
  add_programs(writer);
  add_terminals_and_locale(writer);
  writer.finish();
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace lxss::distro
