#include "lxss/distro/apt_sources.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "lxss/common/failure.h"
#include "lxss/common/files.h"
#include "lxss/common/text.h"

namespace lxss::distro {
namespace {

namespace fs = std::filesystem;

/// For hosts that are not Debian.
constexpr char kDefaultCodename[] = "bookworm";

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool is_web(std::string_view uri) {
  return uri.starts_with("http://") || uri.starts_with("https://");
}

using Paragraph = std::map<std::string, std::string>;

/// Fields by lower-case name, continuation lines joined, comments dropped.
std::vector<Paragraph> paragraphs_of(std::string_view text) {
  std::vector<Paragraph> paragraphs(1);
  std::string field;
  for (const std::string& line : common::split(text, '\n')) {
    if (line.starts_with('#')) continue;
    if (common::trim(line).empty()) {
      paragraphs.emplace_back();
    } else if (line.front() == ' ' || line.front() == '\t') {
      paragraphs.back()[field] += line;
    } else if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
      field = common::lower(line.substr(0, colon));
      paragraphs.back()[field] = line.substr(colon + 1);
    }
  }
  return paragraphs;
}

void append(std::vector<AptSource>& to, std::vector<AptSource> more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::vector<AptSource> host_sources() {
  std::vector<AptSource> sources =
      parse_one_line_sources(common::read_text_file("/etc/apt/sources.list").value_or(""));
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator("/etc/apt/sources.list.d", missing)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string text = common::read_text_file(file).value_or("");
    if (file.extension() == ".list") append(sources, parse_one_line_sources(text));
    if (file.extension() == ".sources") append(sources, parse_deb822_sources(text));
  }
  return sources;
}

}  // namespace

std::vector<AptSource> parse_one_line_sources(std::string_view text) {
  std::vector<AptSource> sources;
  for (const std::string& raw : common::split(text, '\n')) {
    std::string line = raw.substr(0, raw.find('#'));
    if (const std::size_t open = line.find('['); open != std::string::npos) {
      const std::size_t close = line.find(']', open);
      if (close == std::string::npos) continue;
      line.erase(open, close - open + 1);
    }
    const std::vector<std::string> fields = words(line);
    if (fields.size() >= 4 && fields[0] == "deb" && is_web(fields[1]) && contains(fields, "main")) {
      sources.push_back({fields[1], fields[2]});
    }
  }
  return sources;
}

std::vector<AptSource> parse_deb822_sources(std::string_view text) {
  std::vector<AptSource> sources;
  for (Paragraph& paragraph : paragraphs_of(text)) {
    if (!contains(words(paragraph["types"]), "deb") ||
        !contains(words(paragraph["components"]), "main") ||
        common::trim(paragraph["enabled"]) == "no") {
      continue;
    }
    for (const std::string& uri : words(paragraph["uris"])) {
      if (!is_web(uri)) continue;
      for (const std::string& suite : words(paragraph["suites"])) sources.push_back({uri, suite});
    }
  }
  return sources;
}

std::string os_release_value(std::string_view text, std::string_view key) {
  for (const std::string& line : common::split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || line.substr(0, equals) != key) continue;
    std::string value = line.substr(equals + 1);
    std::erase(value, '"');
    return value;
  }
  return "";
}

DebianMirrors debian_mirrors() {
  const std::string release = common::read_text_file("/etc/os-release").value_or("");
  DebianMirrors mirrors{kDefaultCodename, {}};
  if (const std::string codename = os_release_value(release, "VERSION_CODENAME");
      os_release_value(release, "ID") == "debian" && !codename.empty()) {
    mirrors.codename = codename;
    for (const AptSource& source : host_sources()) {
      if (source.suite == codename || source.suite == codename + "-updates" ||
          source.suite == codename + "-security") {
        mirrors.sources.push_back(source);
      }
    }
  }
  const bool has_base =
      std::any_of(mirrors.sources.begin(), mirrors.sources.end(),
                  [&](const AptSource& s) { return s.suite == mirrors.codename; });
  if (!has_base) {
    throw common::Failure("apt on this machine has no mirror of Debian {}; add one to its sources.",
                          mirrors.codename);
  }
  return mirrors;
}

}  // namespace lxss::distro
