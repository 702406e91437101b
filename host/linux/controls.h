// The device controls that pass the wall: host/linux refuses any other, and so can the
// system call filter, which may include this list.
#pragma once

#include "abi/linux/ioctl.h"

namespace lxss::host {

/// Of streams: looking only. Terminals are lxcore's; the launcher sets its own terminal up.
inline constexpr u32 kStreamControls[] = {abi::kTCGETS, abi::kTIOCGWINSZ, abi::kFIONREAD,
                                          abi::kTIOCOUTQ};
/// Of sockets, with an i32.
inline constexpr u32 kSocketControls[] = {abi::kFIONREAD, abi::kSIOCOUTQ, abi::kSIOCATMARK};
/// Of sockets, with an abi::Ifreq.
inline constexpr u32 kInterfaceControls[] = {
    abi::kSIOCGIFNAME,    abi::kSIOCGIFFLAGS,   abi::kSIOCGIFADDR,   abi::kSIOCGIFDSTADDR,
    abi::kSIOCGIFBRDADDR, abi::kSIOCGIFNETMASK, abi::kSIOCGIFMETRIC, abi::kSIOCGIFMTU,
    abi::kSIOCGIFHWADDR,  abi::kSIOCGIFINDEX,   abi::kSIOCGIFTXQLEN};
/// Of sockets, with an abi::Ifconf.
inline constexpr u32 kInterfaceListControl = abi::kSIOCGIFCONF;

}  // namespace lxss::host
