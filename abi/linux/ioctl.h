// ioctl request numbers.
// Man pages: ioctl(2), ioctl_tty(2), ioctl_iflags(2), netdevice(7), ioctl_fat(2).
#pragma once

#include "base/types.h"

namespace lxss::abi {

// How a request number is made: direction, argument size, type, number.
inline constexpr u32 k_IOC_NONE = 0;
inline constexpr u32 k_IOC_WRITE = 1;
inline constexpr u32 k_IOC_READ = 2;
constexpr u32 ioc(u32 direction, u32 type, u32 number, u32 size) {
  return (direction << 30) | (size << 16) | (type << 8) | number;
}
constexpr u32 ioc_dir(u32 request) { return request >> 30; }
constexpr u32 ioc_size(u32 request) { return (request >> 16) & 0x3fff; }
constexpr u32 ioc_type(u32 request) { return (request >> 8) & 0xff; }
constexpr u32 ioc_nr(u32 request) { return request & 0xff; }

// Terminals
inline constexpr u32 kTCGETS = 0x5401;
inline constexpr u32 kTCSETS = 0x5402;
inline constexpr u32 kTCSETSW = 0x5403;
inline constexpr u32 kTCSETSF = 0x5404;
inline constexpr u32 kTCGETA = 0x5405;
inline constexpr u32 kTCSETA = 0x5406;
inline constexpr u32 kTCSETAW = 0x5407;
inline constexpr u32 kTCSETAF = 0x5408;
inline constexpr u32 kTCSBRK = 0x5409;
inline constexpr u32 kTCXONC = 0x540a;
inline constexpr u32 kTCFLSH = 0x540b;
inline constexpr u32 kTCGETS2 = 0x802c542a;
inline constexpr u32 kTCSETS2 = 0x402c542b;
inline constexpr u32 kTCSETSW2 = 0x402c542c;
inline constexpr u32 kTCSETSF2 = 0x402c542d;
inline constexpr u32 kTCSBRKP = 0x5425;
inline constexpr u32 kTIOCEXCL = 0x540c;
inline constexpr u32 kTIOCNXCL = 0x540d;
inline constexpr u32 kTIOCSCTTY = 0x540e;
inline constexpr u32 kTIOCGPGRP = 0x540f;
inline constexpr u32 kTIOCSPGRP = 0x5410;
inline constexpr u32 kTIOCOUTQ = 0x5411;
inline constexpr u32 kTIOCSTI = 0x5412;
inline constexpr u32 kTIOCGWINSZ = 0x5413;
inline constexpr u32 kTIOCSWINSZ = 0x5414;
inline constexpr u32 kTIOCMGET = 0x5415;
inline constexpr u32 kTIOCMBIS = 0x5416;
inline constexpr u32 kTIOCMBIC = 0x5417;
inline constexpr u32 kTIOCMSET = 0x5418;
inline constexpr u32 kTIOCGSOFTCAR = 0x5419;
inline constexpr u32 kTIOCSSOFTCAR = 0x541a;
inline constexpr u32 kTIOCINQ = 0x541b;
inline constexpr u32 kTIOCLINUX = 0x541c;
inline constexpr u32 kTIOCCONS = 0x541d;
inline constexpr u32 kTIOCGSERIAL = 0x541e;
inline constexpr u32 kTIOCSSERIAL = 0x541f;
inline constexpr u32 kTIOCPKT = 0x5420;
inline constexpr u32 kTIOCNOTTY = 0x5422;
inline constexpr u32 kTIOCSETD = 0x5423;
inline constexpr u32 kTIOCGETD = 0x5424;
inline constexpr u32 kTIOCSBRK = 0x5427;
inline constexpr u32 kTIOCCBRK = 0x5428;
inline constexpr u32 kTIOCGSID = 0x5429;
inline constexpr u32 kTIOCVHANGUP = 0x5437;
inline constexpr u32 kTIOCGPTPEER = 0x5441;
inline constexpr u32 kTIOCSERCONFIG = 0x5453;
inline constexpr u32 kTIOCSERGWILD = 0x5454;
inline constexpr u32 kTIOCSERSWILD = 0x5455;
inline constexpr u32 kTIOCGLCKTRMIOS = 0x5456;
inline constexpr u32 kTIOCSLCKTRMIOS = 0x5457;
inline constexpr u32 kTIOCSERGSTRUCT = 0x5458;
inline constexpr u32 kTIOCSERGETLSR = 0x5459;
inline constexpr u32 kTIOCSERGETMULTI = 0x545a;
inline constexpr u32 kTIOCSERSETMULTI = 0x545b;
inline constexpr u32 kTIOCMIWAIT = 0x545c;
inline constexpr u32 kTIOCGICOUNT = 0x545d;
inline constexpr u32 kTIOCSPTLCK = 0x40045431;
inline constexpr u32 kTIOCSIG = 0x40045436;
inline constexpr u32 kTIOCGPTN = 0x80045430;
inline constexpr u32 kTIOCGDEV = 0x80045432;
inline constexpr u32 kTIOCGPKT = 0x80045438;
inline constexpr u32 kTIOCGPTLCK = 0x80045439;
inline constexpr u32 kTIOCGEXCL = 0x80045440;

// Any descriptor
inline constexpr u32 kFIONREAD = 0x541b;
inline constexpr u32 kFIONBIO = 0x5421;
inline constexpr u32 kFIOASYNC = 0x5452;
inline constexpr u32 kFIONCLEX = 0x5450;
inline constexpr u32 kFIOCLEX = 0x5451;
inline constexpr u32 kFIOQSIZE = 0x5460;

// TIOCPKT's bits
inline constexpr u32 kTIOCPKT_DATA = 0x0;
inline constexpr u32 kTIOCPKT_FLUSHREAD = 0x1;
inline constexpr u32 kTIOCPKT_FLUSHWRITE = 0x2;
inline constexpr u32 kTIOCPKT_STOP = 0x4;
inline constexpr u32 kTIOCPKT_START = 0x8;
inline constexpr u32 kTIOCPKT_NOSTOP = 0x10;
inline constexpr u32 kTIOCPKT_DOSTOP = 0x20;
inline constexpr u32 kTIOCPKT_IOCTL = 0x40;

// Files
inline constexpr u32 kFIBMAP = 0x1;
inline constexpr u32 kFIGETBSZ = 0x2;
inline constexpr u32 kFIFREEZE = 0xc0045877;
inline constexpr u32 kFITHAW = 0xc0045878;
inline constexpr u32 kFITRIM = 0xc0185879;
inline constexpr u32 kFICLONE = 0x40049409;
inline constexpr u32 kFICLONERANGE = 0x4020940d;
inline constexpr u32 kFIDEDUPERANGE = 0xc0189436;
inline constexpr u32 kFS_IOC_GETFLAGS = 0x80086601;
inline constexpr u32 kFS_IOC_SETFLAGS = 0x40086602;
inline constexpr u32 kFS_IOC_GETVERSION = 0x80087601;
inline constexpr u32 kFS_IOC_SETVERSION = 0x40087602;
inline constexpr u32 kFS_IOC_FSGETXATTR = 0x801c581f;
inline constexpr u32 kFS_IOC_FSSETXATTR = 0x401c5820;
inline constexpr u32 kFS_IOC_GETFSLABEL = 0x81009431;
inline constexpr u32 kFS_IOC_SETFSLABEL = 0x41009432;
// FS_IOC_GETFLAGS
inline constexpr u32 kFS_SECRM_FL = 0x1;
inline constexpr u32 kFS_UNRM_FL = 0x2;
inline constexpr u32 kFS_COMPR_FL = 0x4;
inline constexpr u32 kFS_SYNC_FL = 0x8;
inline constexpr u32 kFS_IMMUTABLE_FL = 0x10;
inline constexpr u32 kFS_APPEND_FL = 0x20;
inline constexpr u32 kFS_NODUMP_FL = 0x40;
inline constexpr u32 kFS_NOATIME_FL = 0x80;
inline constexpr u32 kFS_ENCRYPT_FL = 0x800;
inline constexpr u32 kFS_INDEX_FL = 0x1000;
inline constexpr u32 kFS_JOURNAL_DATA_FL = 0x4000;
inline constexpr u32 kFS_NOTAIL_FL = 0x8000;
inline constexpr u32 kFS_DIRSYNC_FL = 0x10000;
inline constexpr u32 kFS_TOPDIR_FL = 0x20000;
inline constexpr u32 kFS_HUGE_FILE_FL = 0x40000;
inline constexpr u32 kFS_EXTENT_FL = 0x80000;
inline constexpr u32 kFS_NOCOW_FL = 0x800000;
inline constexpr u32 kFS_INLINE_DATA_FL = 0x10000000;
inline constexpr u32 kFS_PROJINHERIT_FL = 0x20000000;
inline constexpr u32 kFS_CASEFOLD_FL = 0x40000000;

// Block devices
inline constexpr u32 kBLKROSET = 0x125d;
inline constexpr u32 kBLKROGET = 0x125e;
inline constexpr u32 kBLKRRPART = 0x125f;
inline constexpr u32 kBLKGETSIZE = 0x1260;
inline constexpr u32 kBLKFLSBUF = 0x1261;
inline constexpr u32 kBLKSSZGET = 0x1268;
inline constexpr u32 kBLKBSZGET = 0x80081270;
inline constexpr u32 kBLKGETSIZE64 = 0x80081272;
inline constexpr u32 kBLKDISCARD = 0x1277;
inline constexpr u32 kBLKPBSZGET = 0x127b;
inline constexpr u32 kBLKIOMIN = 0x1278;
inline constexpr u32 kBLKIOOPT = 0x1279;

// Sockets and network interfaces
inline constexpr u32 kSIOCGIFNAME = 0x8910;
inline constexpr u32 kSIOCGIFCONF = 0x8912;
inline constexpr u32 kSIOCGIFFLAGS = 0x8913;
inline constexpr u32 kSIOCSIFFLAGS = 0x8914;
inline constexpr u32 kSIOCGIFADDR = 0x8915;
inline constexpr u32 kSIOCSIFADDR = 0x8916;
inline constexpr u32 kSIOCGIFDSTADDR = 0x8917;
inline constexpr u32 kSIOCSIFDSTADDR = 0x8918;
inline constexpr u32 kSIOCGIFBRDADDR = 0x8919;
inline constexpr u32 kSIOCSIFBRDADDR = 0x891a;
inline constexpr u32 kSIOCGIFNETMASK = 0x891b;
inline constexpr u32 kSIOCSIFNETMASK = 0x891c;
inline constexpr u32 kSIOCGIFMETRIC = 0x891d;
inline constexpr u32 kSIOCSIFMETRIC = 0x891e;
inline constexpr u32 kSIOCGIFMTU = 0x8921;
inline constexpr u32 kSIOCSIFMTU = 0x8922;
inline constexpr u32 kSIOCSIFNAME = 0x8923;
inline constexpr u32 kSIOCSIFHWADDR = 0x8924;
inline constexpr u32 kSIOCGIFHWADDR = 0x8927;
inline constexpr u32 kSIOCGIFINDEX = 0x8933;
inline constexpr u32 kSIOCGIFTXQLEN = 0x8942;
inline constexpr u32 kSIOCSIFTXQLEN = 0x8943;
inline constexpr u32 kSIOCATMARK = 0x8905;
inline constexpr u32 kSIOCINQ = 0x541b;
inline constexpr u32 kSIOCOUTQ = 0x5411;
inline constexpr u32 kFIOSETOWN = 0x8901;
inline constexpr u32 kSIOCSPGRP = 0x8902;
inline constexpr u32 kFIOGETOWN = 0x8903;
inline constexpr u32 kSIOCGPGRP = 0x8904;
inline constexpr u32 kSIOCGSTAMP_OLD = 0x8906;
inline constexpr u32 kSIOCGSTAMPNS_OLD = 0x8907;
inline constexpr u32 kSIOCETHTOOL = 0x8946;
inline constexpr u32 kSIOCADDRT = 0x890b;
inline constexpr u32 kSIOCDELRT = 0x890c;

}  // namespace lxss::abi
