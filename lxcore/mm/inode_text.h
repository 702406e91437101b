// What mm/text.cc keeps of each file: its rewritten copy, and how near it is to having one.
#pragma once

#include <atomic>

#include "base/ref_ptr.h"

namespace lxss {

class Text;

class InodeText {
 public:
  InodeText() = default;
  InodeText(const InodeText&) = delete;
  InodeText& operator=(const InodeText&) = delete;
  ~InodeText();

  /// Traps of the file's code that were looked at.
  std::atomic<u32> samples{0};
  /// Counts the changes of the file that end a copy, in the making or made.
  std::atomic<u32> version{0};
  /// Owns a reference. Changes under Texts' mutex; null can be told without.
  std::atomic<Text*> copy{nullptr};
};

}  // namespace lxss
