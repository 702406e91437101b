// Terminal settings.
// Man pages: termios(3), ioctl_tty(2), tcsetattr(3).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

inline constexpr usize kNCCS = 19;

struct Termios {
  u32 c_iflag;
  u32 c_oflag;
  u32 c_cflag;
  u32 c_lflag;
  u8 c_line;
  u8 c_cc[kNCCS];
};
static_assert(sizeof(Termios) == 36);
static_assert(offsetof(Termios, c_cc) == 17);

struct Termios2 {
  u32 c_iflag;
  u32 c_oflag;
  u32 c_cflag;
  u32 c_lflag;
  u8 c_line;
  u8 c_cc[kNCCS];
  u32 c_ispeed;
  u32 c_ospeed;
};
static_assert(sizeof(Termios2) == 44);

// TCGETA, TCSETA
struct Termio {
  u16 c_iflag;
  u16 c_oflag;
  u16 c_cflag;
  u16 c_lflag;
  u8 c_line;
  u8 c_cc[8];
  u8 pad0;
};
static_assert(sizeof(Termio) == 18);

struct Winsize {
  u16 ws_row;
  u16 ws_col;
  u16 ws_xpixel;
  u16 ws_ypixel;
};
static_assert(sizeof(Winsize) == 8);

// c_cc indices
inline constexpr u32 kVINTR = 0;
inline constexpr u32 kVQUIT = 1;
inline constexpr u32 kVERASE = 2;
inline constexpr u32 kVKILL = 3;
inline constexpr u32 kVEOF = 4;
inline constexpr u32 kVTIME = 5;
inline constexpr u32 kVMIN = 6;
inline constexpr u32 kVSWTC = 7;
inline constexpr u32 kVSTART = 8;
inline constexpr u32 kVSTOP = 9;
inline constexpr u32 kVSUSP = 10;
inline constexpr u32 kVEOL = 11;
inline constexpr u32 kVREPRINT = 12;
inline constexpr u32 kVDISCARD = 13;
inline constexpr u32 kVWERASE = 14;
inline constexpr u32 kVLNEXT = 15;
inline constexpr u32 kVEOL2 = 16;
inline constexpr u8 k_POSIX_VDISABLE = 0;

// c_iflag
inline constexpr u32 kIGNBRK = 01;
inline constexpr u32 kBRKINT = 02;
inline constexpr u32 kIGNPAR = 04;
inline constexpr u32 kPARMRK = 010;
inline constexpr u32 kINPCK = 020;
inline constexpr u32 kISTRIP = 040;
inline constexpr u32 kINLCR = 0100;
inline constexpr u32 kIGNCR = 0200;
inline constexpr u32 kICRNL = 0400;
inline constexpr u32 kIUCLC = 01000;
inline constexpr u32 kIXON = 02000;
inline constexpr u32 kIXANY = 04000;
inline constexpr u32 kIXOFF = 010000;
inline constexpr u32 kIMAXBEL = 020000;
inline constexpr u32 kIUTF8 = 040000;

// c_oflag
inline constexpr u32 kOPOST = 01;
inline constexpr u32 kOLCUC = 02;
inline constexpr u32 kONLCR = 04;
inline constexpr u32 kOCRNL = 010;
inline constexpr u32 kONOCR = 020;
inline constexpr u32 kONLRET = 040;
inline constexpr u32 kOFILL = 0100;
inline constexpr u32 kOFDEL = 0200;
inline constexpr u32 kNLDLY = 0400;
inline constexpr u32 kNL0 = 0;
inline constexpr u32 kNL1 = 0400;
inline constexpr u32 kCRDLY = 03000;
inline constexpr u32 kCR0 = 0;
inline constexpr u32 kCR1 = 01000;
inline constexpr u32 kCR2 = 02000;
inline constexpr u32 kCR3 = 03000;
inline constexpr u32 kTABDLY = 014000;
inline constexpr u32 kTAB0 = 0;
inline constexpr u32 kTAB1 = 04000;
inline constexpr u32 kTAB2 = 010000;
inline constexpr u32 kTAB3 = 014000;
inline constexpr u32 kXTABS = 014000;
inline constexpr u32 kBSDLY = 020000;
inline constexpr u32 kBS0 = 0;
inline constexpr u32 kBS1 = 020000;
inline constexpr u32 kVTDLY = 040000;
inline constexpr u32 kVT0 = 0;
inline constexpr u32 kVT1 = 040000;
inline constexpr u32 kFFDLY = 0100000;
inline constexpr u32 kFF0 = 0;
inline constexpr u32 kFF1 = 0100000;

// c_cflag
inline constexpr u32 kCSIZE = 060;
inline constexpr u32 kCS5 = 0;
inline constexpr u32 kCS6 = 020;
inline constexpr u32 kCS7 = 040;
inline constexpr u32 kCS8 = 060;
inline constexpr u32 kCSTOPB = 0100;
inline constexpr u32 kCREAD = 0200;
inline constexpr u32 kPARENB = 0400;
inline constexpr u32 kPARODD = 01000;
inline constexpr u32 kHUPCL = 02000;
inline constexpr u32 kCLOCAL = 04000;
inline constexpr u32 kCBAUD = 010017;
inline constexpr u32 kCBAUDEX = 010000;
inline constexpr u32 kCIBAUD = 02003600000;
inline constexpr u32 kCMSPAR = 010000000000;
inline constexpr u32 kCRTSCTS = 020000000000;
inline constexpr u32 kBOTHER = 010000;
inline constexpr u32 kIBSHIFT = 020;

// Baud rates (under CBAUD)
inline constexpr u32 kB0 = 0;
inline constexpr u32 kB50 = 01;
inline constexpr u32 kB75 = 02;
inline constexpr u32 kB110 = 03;
inline constexpr u32 kB134 = 04;
inline constexpr u32 kB150 = 05;
inline constexpr u32 kB200 = 06;
inline constexpr u32 kB300 = 07;
inline constexpr u32 kB600 = 010;
inline constexpr u32 kB1200 = 011;
inline constexpr u32 kB1800 = 012;
inline constexpr u32 kB2400 = 013;
inline constexpr u32 kB4800 = 014;
inline constexpr u32 kB9600 = 015;
inline constexpr u32 kB19200 = 016;
inline constexpr u32 kB38400 = 017;
inline constexpr u32 kB57600 = 010001;
inline constexpr u32 kB115200 = 010002;
inline constexpr u32 kB230400 = 010003;
inline constexpr u32 kB460800 = 010004;
inline constexpr u32 kB500000 = 010005;
inline constexpr u32 kB576000 = 010006;
inline constexpr u32 kB921600 = 010007;
inline constexpr u32 kB1000000 = 010010;
inline constexpr u32 kB1152000 = 010011;
inline constexpr u32 kB1500000 = 010012;
inline constexpr u32 kB2000000 = 010013;
inline constexpr u32 kB2500000 = 010014;
inline constexpr u32 kB3000000 = 010015;
inline constexpr u32 kB3500000 = 010016;
inline constexpr u32 kB4000000 = 010017;

// c_lflag
inline constexpr u32 kISIG = 01;
inline constexpr u32 kICANON = 02;
inline constexpr u32 kXCASE = 04;
inline constexpr u32 kECHO = 010;
inline constexpr u32 kECHOE = 020;
inline constexpr u32 kECHOK = 040;
inline constexpr u32 kECHONL = 0100;
inline constexpr u32 kNOFLSH = 0200;
inline constexpr u32 kTOSTOP = 0400;
inline constexpr u32 kECHOCTL = 01000;
inline constexpr u32 kECHOPRT = 02000;
inline constexpr u32 kECHOKE = 04000;
inline constexpr u32 kFLUSHO = 010000;
inline constexpr u32 kPENDIN = 040000;
inline constexpr u32 kIEXTEN = 0100000;
inline constexpr u32 kEXTPROC = 0200000;

// TCXONC, TCFLSH
inline constexpr i32 kTCOOFF = 0;
inline constexpr i32 kTCOON = 1;
inline constexpr i32 kTCIOFF = 2;
inline constexpr i32 kTCION = 3;
inline constexpr i32 kTCIFLUSH = 0;
inline constexpr i32 kTCOFLUSH = 1;
inline constexpr i32 kTCIOFLUSH = 2;

// Line disciplines
inline constexpr i32 kN_TTY = 0;

// TIOCMGET
inline constexpr u32 kTIOCM_LE = 0x1;
inline constexpr u32 kTIOCM_DTR = 0x2;
inline constexpr u32 kTIOCM_RTS = 0x4;
inline constexpr u32 kTIOCM_ST = 0x8;
inline constexpr u32 kTIOCM_SR = 0x10;
inline constexpr u32 kTIOCM_CTS = 0x20;
inline constexpr u32 kTIOCM_CAR = 0x40;
inline constexpr u32 kTIOCM_CD = 0x40;
inline constexpr u32 kTIOCM_RI = 0x80;
inline constexpr u32 kTIOCM_RNG = 0x80;
inline constexpr u32 kTIOCM_DSR = 0x100;
inline constexpr u32 kTIOCM_OUT1 = 0x2000;
inline constexpr u32 kTIOCM_OUT2 = 0x4000;
inline constexpr u32 kTIOCM_LOOP = 0x8000;

}  // namespace lxss::abi
