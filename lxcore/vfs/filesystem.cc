// FileSystem: device numbers and the defaults.
#include "lxcore/kernel.h"

namespace lxss {

FileSystem::FileSystem(const char* type, i64 magic, Locking locking)
    : type_(type),
      magic_(magic),
      device_(abi::make_dev(0, static_cast<u32>(kernel().next_device_minor++))),
      locking_(locking) {}

Result<abi::Statfs> FileSystem::statistics() {
  abi::Statfs result{};
  result.f_type = magic_;
  result.f_bsize = result.f_frsize = kPageSize;
  result.f_namelen = abi::kNAME_MAX;
  return result;
}

}  // namespace lxss
