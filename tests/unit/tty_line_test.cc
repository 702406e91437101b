// The line discipline alone. What is expected here is what Linux's pseudo-terminals did with the
// same settings and bytes.
#include <gtest/gtest.h>

#include <string>

#include "abi/linux/signal.h"
#include "lxcore/tty/line_discipline.h"

namespace lxss {
namespace {

std::span<const u8> bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

class LineTest : public testing::Test, protected LineDevice {
 protected:
  LineTest() : line(*this) {}

  void display(std::span<const u8> shown) override {
    screen.append(reinterpret_cast<const char*>(shown.data()), shown.size());
  }
  bool takes_echo() const override { return screen.size() < 20000; }
  void discard_output() override { ++output_flushes; }
  void input_discarded() override { ++input_flushes; }
  void flow_changed(bool) override { ++flow_changes; }
  void signal_foreground(i32 signal) override { signals.push_back(signal); }

  template <typename Change>
  void change(Change what) {
    abi::Termios2 settings = line.settings();
    what(settings);
    line.set_settings(settings);
  }
  void set_local(u32 on, u32 off = 0) {
    change([&](auto& s) { s.c_lflag = (s.c_lflag & ~off) | on; });
  }
  void set_input(u32 on, u32 off = 0) {
    change([&](auto& s) { s.c_iflag = (s.c_iflag & ~off) | on; });
  }
  void set_output(u32 on, u32 off = 0) {
    change([&](auto& s) { s.c_oflag = (s.c_oflag & ~off) | on; });
  }
  usize type(std::string_view text) { return line.receive(bytes(text)); }
  void print(std::string_view text) { line.write(bytes(text)); }
  std::string shown() { return std::exchange(screen, {}); }

  /// One read(2) of `size` bytes; "<none>" where it would block.
  std::string read(usize size = 8192) {
    if (!line.has_input()) return "<none>";
    std::string result;
    for (;;) {
      const auto piece = line.next(size - result.size());
      result.append(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
      line.consume(piece.length);
      if (piece.ends_line || piece.length == 0 || result.size() == size) return result;
    }
  }

  LineDiscipline line;
  std::string screen;
  int output_flushes = 0, input_flushes = 0, flow_changes = 0;
  std::vector<i32> signals;
};

TEST_F(LineTest, ALineIsReadWhenItEnds) {
  type("hello");
  EXPECT_EQ(read(), "<none>");
  EXPECT_EQ(line.available(), 0u);
  type("\rnext");
  EXPECT_EQ(line.available(), 6u);
  EXPECT_EQ(shown(), "hello\r\nnext");
  EXPECT_EQ(read(3), "hel");
  EXPECT_EQ(read(), "lo\n");
  EXPECT_EQ(read(), "<none>");
}

TEST_F(LineTest, EndOfFileEndsAReadAndIsTakenWithTheLastByte) {
  type("abc\x04");
  EXPECT_EQ(line.available(), 3u);
  EXPECT_EQ(read(3), "abc");
  EXPECT_EQ(read(), "<none>");
  type("def\x04");
  EXPECT_EQ(read(2), "de");
  EXPECT_EQ(read(), "f");
  EXPECT_EQ(read(), "<none>");
  type("\x04\x04x\n");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "x\n");
}

TEST_F(LineTest, Erasing) {
  type(
      "ab\x7f\x7f\x7f"
      "c");
  EXPECT_EQ(shown(), "ab\b \b\b \bc");
  type("\x15");
  EXPECT_EQ(shown(), "\b \b");
  type("one two_3  \x17");
  EXPECT_EQ(shown(), "one two_3  \b \b\b \b\b \b\b \b\b \b\b \b\b \b");
  type("\n");
  EXPECT_EQ(read(), "one \n");
  shown();
  type("\x01\x7f");  // ^A takes two columns
  EXPECT_EQ(shown(), "^A\b \b\b \b");
}

TEST_F(LineTest, ErasingUtf8AndTabs) {
  set_input(abi::kIUTF8);
  type("a\xc3\xa9\x7f");
  EXPECT_EQ(shown(), "a\xc3\xa9\b \b");
  type("\t\x7f");
  EXPECT_EQ(shown(), "\t\b\b\b\b\b\b\b");
  type("\n");
  EXPECT_EQ(read(), "a\n");
  print("$ ");
  shown();
  type("x\t\x7f");
  EXPECT_EQ(shown(), "x\t\b\b\b\b\b");
}

TEST_F(LineTest, OtherFormsOfErasing) {
  set_local(0, abi::kECHOE);
  type("ab\x7f");
  EXPECT_EQ(shown(), "ab^?");
  type("\x15");
  EXPECT_EQ(shown(), "^U\r\n");
  set_local(abi::kECHOE | abi::kECHOPRT);
  type(
      "abc\x7f\x7f"
      "d\n");
  EXPECT_EQ(shown(), "abc\\cb/d\r\n");
  set_local(0, abi::kECHO);
  type("secret\x7f\n");
  EXPECT_EQ(shown(), "");
  set_local(abi::kECHONL);
  type("x\n");
  EXPECT_EQ(shown(), "\r\n");
}

TEST_F(LineTest, LiteralNextAndReprint) {
  type(
      "a\x16\x03"
      "b");
  EXPECT_EQ(shown(), "a^\b^Cb");
  EXPECT_TRUE(signals.empty());
  type("\x12");
  EXPECT_EQ(shown(), "^R\r\na^Cb");
  type("\n");
  EXPECT_EQ(read(),
            "a\x03"
            "b\n");
}

TEST_F(LineTest, SignalsFlushUnlessToldNotTo) {
  type("line\nrest\x03");
  EXPECT_EQ(signals, std::vector<i32>{abi::kSIGINT});
  EXPECT_EQ(shown(), "line\r\nrest^C");
  EXPECT_EQ(read(), "<none>");
  EXPECT_EQ(output_flushes, 1);
  set_local(abi::kNOFLSH);
  type("line\n\x1c\x1a");
  EXPECT_EQ(signals, (std::vector<i32>{abi::kSIGINT, abi::kSIGQUIT, abi::kSIGTSTP}));
  EXPECT_EQ(read(), "line\n");
  set_local(0, abi::kISIG);
  type("\x03\n");
  EXPECT_EQ(read(), "\x03\n");
}

TEST_F(LineTest, FlowControlHoldsEcho) {
  type("\x13");
  EXPECT_TRUE(line.stopped());
  type("ab");
  EXPECT_EQ(shown(), "");
  type("\x11");
  EXPECT_FALSE(line.stopped());
  EXPECT_EQ(shown(), "ab");
  set_input(abi::kIXANY);
  type("\x13");
  type("c");
  EXPECT_FALSE(line.stopped());
  type("\x13");
  set_input(0, abi::kIXON);
  EXPECT_FALSE(line.stopped());
  type("\x13\n");
  EXPECT_EQ(read(), "abc\x13\n");
}

TEST_F(LineTest, InputTranslation) {
  set_local(0, abi::kECHO);
  set_input(abi::kINLCR, abi::kICRNL);
  type("a\nb\r");
  set_input(abi::kICRNL, abi::kINLCR);
  type("\r");
  EXPECT_EQ(read(), "a\rb\r\n");
  set_input(abi::kIGNCR);
  type("a\rb\n");
  EXPECT_EQ(read(), "ab\n");
  set_input(abi::kISTRIP | abi::kIUCLC);
  type("\xc1\xe2\n");
  EXPECT_EQ(read(), "ab\n");
  set_input(abi::kPARMRK, abi::kISTRIP | abi::kIUCLC);
  type("\xff\n");
  EXPECT_EQ(read(), "\xff\xff\n");
}

TEST_F(LineTest, EndOfLineCharacters) {
  change([](auto& s) {
    s.c_cc[abi::kVEOL] = '#';
    s.c_cc[abi::kVEOL2] = '@';
  });
  type("a#b@c\n");
  EXPECT_EQ(read(), "a#");
  EXPECT_EQ(read(), "b@");
  EXPECT_EQ(read(), "c\n");
  set_local(0, abi::kIEXTEN);
  type("b@\n");
  EXPECT_EQ(read(), "b@\n");
}

TEST_F(LineTest, ALongLineLosesWhatDoesNotFit) {
  set_local(0, abi::kECHO);
  EXPECT_EQ(type(std::string(5000, 'x')), 5000u);
  EXPECT_EQ(type("\n"), 1u);
  EXPECT_EQ(type("more"), 0u) << "a complete line waits, and the queue is full";
  const std::string got = read();
  EXPECT_EQ(got.size(), 4096u);
  EXPECT_EQ(got.back(), '\n');
  EXPECT_EQ(type("more\n"), 5u);
  EXPECT_EQ(read(), "more\n");
}

TEST_F(LineTest, RawModeAndBack) {
  type(
      "ab\x04"
      "cd");
  set_local(0, abi::kICANON);
  EXPECT_EQ(line.available(), 5u);
  EXPECT_EQ(read(), std::string("ab\0cd", 5));
  type("xyz");
  shown();
  set_local(abi::kICANON);
  EXPECT_EQ(read(), "xyz") << "what was unread becomes a line";
  type("q");
  EXPECT_EQ(read(), "<none>");
  set_local(0, abi::kICANON);
  EXPECT_EQ(read(), "q");
  EXPECT_EQ(type(std::string(5000, 'x')), 4095u);
  shown();
  read();
  type("\n\r");
  EXPECT_EQ(shown(), "^J\r\n");
}

TEST_F(LineTest, OutputProcessing) {
  print("a\nb\tc\rd");
  EXPECT_EQ(shown(), "a\r\nb\tc\rd");
  set_output(abi::kXTABS);
  print("\ta\tbc\t\n");
  EXPECT_EQ(shown(), "       a       bc      \r\n");
  set_output(abi::kOCRNL | abi::kONOCR, abi::kONLCR);
  print("\rx\r");
  EXPECT_EQ(shown(), "x\n");
  set_output(abi::kOLCUC);
  print("aZ");
  EXPECT_EQ(shown(), "AZ");
  set_output(0, abi::kOPOST);
  print("a\n\t");
  EXPECT_EQ(shown(), "a\n\t");
}

}  // namespace
}  // namespace lxss
