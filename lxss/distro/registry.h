// The user's distributions, kept in SQLite.
//
// Promise: each change is one transaction on disk before the function returns.
// A row in state installing or uninstalling that outlives its job belongs to a
// crash: interrupted() lists it, the caller removes the files, then forget().
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lxss::distro {

enum class State { kInstalling, kInstalled, kUninstalling };

struct Distribution {
  std::string name;
  std::string directory;  ///< holds rootfs/ and instance.log
  std::uint32_t default_uid = 0;
  State state = State::kInstalling;
  bool made_directory = false;  ///< the install made `directory`, so removal removes it

  std::string rootfs() const { return directory + "/rootfs"; }
  std::string log() const { return directory + "/instance.log"; }
};

class Registry {
 public:
  /// Opens or creates the database file; throws Failure.
  explicit Registry(const std::string& path);

  /// Sorted by name.
  std::vector<Distribution> list() const;
  /// By name, in any case.
  std::optional<Distribution> find(const std::string& name) const;
  /// What a crash left behind.
  std::vector<Distribution> interrupted() const;

  /// The distribution to use when none is named; nothing when none is installed.
  std::optional<Distribution> default_distribution() const;
  void set_default(const std::string& name);

  /// Takes the name and the directory; throws Failure when either is taken or
  /// the name is not one (letters, digits, '.', '_', '-'; at most 64).
  void begin_install(const Distribution& distribution);
  /// The first one installed becomes the default.
  void finish_install(const std::string& name);
  void begin_uninstall(const std::string& name);
  void forget(const std::string& name);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  class Statement;

  void execute(const char* sql) const;
  std::vector<Distribution> select(const char* condition, const std::string& value = "") const;
  void set_state(const std::string& name, State state);

  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

}  // namespace lxss::distro
