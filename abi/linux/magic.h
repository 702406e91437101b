// File system magic numbers (Statfs::f_type).
// Man pages: statfs(2).
#pragma once

#include "base/types.h"

namespace lxss::abi {

inline constexpr i64 kANON_INODE_FS_MAGIC = 0x9041934;
inline constexpr i64 kBINFMTFS_MAGIC = 0x42494e4d;
inline constexpr i64 kBPF_FS_MAGIC = 0xcafe4a11;
inline constexpr i64 kBTRFS_SUPER_MAGIC = 0x9123683e;
inline constexpr i64 kCGROUP_SUPER_MAGIC = 0x27e0eb;
inline constexpr i64 kCGROUP2_SUPER_MAGIC = 0x63677270;
inline constexpr i64 kDEBUGFS_MAGIC = 0x64626720;
inline constexpr i64 kDEVPTS_SUPER_MAGIC = 0x1cd1;
inline constexpr i64 kEXT2_SUPER_MAGIC = 0xef53;
inline constexpr i64 kEXT3_SUPER_MAGIC = 0xef53;
inline constexpr i64 kEXT4_SUPER_MAGIC = 0xef53;
inline constexpr i64 kFUSE_SUPER_MAGIC = 0x65735546;
inline constexpr i64 kHUGETLBFS_MAGIC = 0x958458f6;
inline constexpr i64 kISOFS_SUPER_MAGIC = 0x9660;
inline constexpr i64 kMSDOS_SUPER_MAGIC = 0x4d44;
inline constexpr i64 kNFS_SUPER_MAGIC = 0x6969;
inline constexpr i64 kNSFS_MAGIC = 0x6e736673;
inline constexpr i64 kOVERLAYFS_SUPER_MAGIC = 0x794c7630;
inline constexpr i64 kPIPEFS_MAGIC = 0x50495045;
inline constexpr i64 kPROC_SUPER_MAGIC = 0x9fa0;
inline constexpr i64 kRAMFS_MAGIC = 0x858458f6;
inline constexpr i64 kSECURITYFS_MAGIC = 0x73636673;
inline constexpr i64 kSOCKFS_MAGIC = 0x534f434b;
inline constexpr i64 kSQUASHFS_MAGIC = 0x73717368;
inline constexpr i64 kSYSFS_MAGIC = 0x62656572;
inline constexpr i64 kTMPFS_MAGIC = 0x1021994;
inline constexpr i64 kTRACEFS_MAGIC = 0x74726163;
inline constexpr i64 kV9FS_MAGIC = 0x1021997;
inline constexpr i64 kXFS_SUPER_MAGIC = 0x58465342;
inline constexpr i64 kMQUEUE_MAGIC = 0x19800202;
inline constexpr i64 kPID_FS_MAGIC = 0x50494446;

}  // namespace lxss::abi
