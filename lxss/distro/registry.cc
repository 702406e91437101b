#include "lxss/distro/registry.h"

#include <algorithm>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"

namespace lxss::distro {
namespace {

using common::Failure;

constexpr char kSchema[] = R"(
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS distributions (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    directory TEXT NOT NULL UNIQUE,
    default_uid INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    made_directory INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
)";

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

}  // namespace

/// A prepared statement with its parameters bound in order.
class Registry::Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    if (sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK) fail();
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;

  Statement& bind(const std::string& value) {
    sqlite3_bind_text(statement_, ++bound_, value.data(), int(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }

  /// True while there are rows.
  bool step() {
    const int status = sqlite3_step(statement_);
    if (status != SQLITE_ROW && status != SQLITE_DONE) fail();
    return status == SQLITE_ROW;
  }

  std::string text(int column) const {
    return reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  [[noreturn]] void fail() const {
    throw Failure("The registry of distributions failed: {}.", sqlite3_errmsg(database_));
  }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

Registry::Registry(const std::string& path) {
  sqlite3* database = nullptr;
  const int status = sqlite3_open(path.c_str(), &database);
  database_.reset(database);
  if (status != SQLITE_OK) {
    throw Failure("The registry '{}' cannot be opened: {}.", path, sqlite3_errstr(status));
  }
  execute(kSchema);
}

void Registry::execute(const char* sql) const {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw Failure("The registry of distributions failed: {}.", sqlite3_errmsg(database_.get()));
  }
}

std::vector<Distribution> Registry::select(const char* condition, const std::string& value) const {
  const std::string sql = fmt::format(
      "SELECT name, directory, default_uid, state, made_directory FROM distributions WHERE {} "
      "ORDER BY name",
      condition);
  Statement statement(database_.get(), sql.c_str());
  statement.bind(value);
  std::vector<Distribution> result;
  while (statement.step()) {
    result.push_back({.name = statement.text(0),
                      .directory = statement.text(1),
                      .default_uid = std::uint32_t(statement.integer(2)),
                      .state = State(statement.integer(3)),
                      .made_directory = statement.integer(4) != 0});
  }
  return result;
}

std::vector<Distribution> Registry::list() const { return select("TRUE"); }

std::optional<Distribution> Registry::find(const std::string& name) const {
  std::vector<Distribution> found = select("name = ?1", name);
  if (found.empty()) return std::nullopt;
  return found.front();
}

std::vector<Distribution> Registry::interrupted() const { return select("state <> 1"); }

std::optional<Distribution> Registry::default_distribution() const {
  std::vector<Distribution> chosen =
      select("state = 1 AND name = (SELECT value FROM settings WHERE key = ?1)", "default");
  if (chosen.empty()) chosen = select("state = 1");
  if (chosen.empty()) return std::nullopt;
  return chosen.front();
}

void Registry::set_default(const std::string& name) {
  Statement(database_.get(), "INSERT OR REPLACE INTO settings VALUES ('default', ?1)")
      .bind(name)
      .step();
}

void Registry::begin_install(const Distribution& distribution) {
  if (!is_name(distribution.name)) {
    throw Failure("'{}' cannot be a distribution's name.", distribution.name);
  }
  if (const std::optional<Distribution> present = find(distribution.name)) {
    throw Failure(
        "'{}' is {}.", present->name,
        present->state == State::kInstalled ? "installed already" : "being installed or removed");
  }
  if (!select("directory = ?1", distribution.directory).empty()) {
    throw Failure("'{}' belongs to another distribution.", distribution.directory);
  }
  Statement(database_.get(), "INSERT INTO distributions VALUES (?1, ?2, ?3, ?4, ?5)")
      .bind(distribution.name)
      .bind(distribution.directory)
      .bind(distribution.default_uid)
      .bind(int(State::kInstalling))
      .bind(distribution.made_directory ? 1 : 0)
      .step();
}

void Registry::set_state(const std::string& name, State state) {
  Statement(database_.get(), "UPDATE distributions SET state = ?2 WHERE name = ?1")
      .bind(name)
      .bind(int(state))
      .step();
}

void Registry::finish_install(const std::string& name) {
  const bool first = !default_distribution();
  set_state(name, State::kInstalled);
  if (first) set_default(name);
}

void Registry::begin_uninstall(const std::string& name) { set_state(name, State::kUninstalling); }

void Registry::forget(const std::string& name) {
  Statement(database_.get(), "DELETE FROM distributions WHERE name = ?1").bind(name).step();
}

}  // namespace lxss::distro
