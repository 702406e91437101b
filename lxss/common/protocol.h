// The protocol between launcher and manager.
//
// A SOCK_SEQPACKET connection; each packet is one CBOR map (CBOR because
// arguments and environment are bytes, not UTF-8). The manager greets with
// {"event":"hello","version":...}; then the launcher sends one request
// {"op":...} and reads events until "done", "failed" or "exited". README.md
// lists operations and events.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lxss/common/packet_socket.h"

namespace lxss::common {

using Message = nlohmann::json;

inline constexpr char kVersion[] = "0.1.0";

/// Exit codes of the launcher for what goes wrong outside the guest's program.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitNotFound = 127;

/// How a command is run.
enum class ShellType : std::uint32_t {
  kDefault,   ///< no command: login shell; one word of shell text: shell -c; else directly
  kNone,      ///< directly, searched in PATH
  kStandard,  ///< by the user's shell
  kLogin,     ///< by the user's shell as a login shell
};

struct TerminalSize {
  std::uint16_t rows = 24, columns = 80, x_pixels = 0, y_pixels = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TerminalSize, rows, columns, x_pixels, y_pixels)

/// "launch": travels with the descriptors of standard input, output, error and,
/// with `trace`, one more.
struct LaunchRequest {
  std::string distribution{};  ///< empty: the default one
  std::string user{};          ///< empty: the distribution's default user
  ShellType shell = ShellType::kDefault;
  std::vector<std::string> words{};                  ///< the command; empty: a shell
  std::string directory{};                           ///< as --cd says; empty: follow host_directory
  std::string host_directory{};                      ///< the launcher's working directory
  std::map<std::string, std::string> environment{};  ///< TERM, LANG, WSLENV and what it names
  std::uint32_t terminals = 0;                       ///< control::kTerminal* bits
  TerminalSize size{};
  bool trace = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LaunchRequest, distribution, user, shell, words, directory,
                                   host_directory, environment, terminals, size, trace)

inline std::string encode(const Message& message) {
  const std::vector<std::uint8_t> bytes = Message::to_cbor(message);
  return {bytes.begin(), bytes.end()};
}

/// Nothing when the bytes are no CBOR map.
inline std::optional<Message> decode(const std::string& bytes) {
  Message message = Message::from_cbor(bytes, true, false);
  if (!message.is_object()) return std::nullopt;
  return message;
}

inline PacketSocket::SendResult send_message(PacketSocket& socket, const Message& message,
                                             std::span<const int> descriptors = {}) {
  return socket.send(encode(message), descriptors);
}

}  // namespace lxss::common
