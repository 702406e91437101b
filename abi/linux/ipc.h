// System V semaphores, shared memory and message queues; POSIX message queue attributes.
// Man pages: sysvipc(7), semget(2), semop(2), semctl(2), shmget(2), shmop(2), shmctl(2),
// msgget(2), msgop(2), msgctl(2), mq_getattr(3).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

inline constexpr i32 kIPC_PRIVATE = 0;

enum class IpcFlag : u32 {
  kIPC_CREAT = 01000,
  kIPC_EXCL = 02000,
  kIPC_NOWAIT = 04000,
};
LXSS_FLAGS(IpcFlag)
using IpcFlags = Flags<IpcFlag>;

inline constexpr i32 kIPC_RMID = 0;
inline constexpr i32 kIPC_SET = 1;
inline constexpr i32 kIPC_STAT = 2;
inline constexpr i32 kIPC_INFO = 3;
inline constexpr i32 kIPC_64 = 0x100;

struct IpcPerm {
  i32 key;
  u32 uid;
  u32 gid;
  u32 cuid;
  u32 cgid;
  u32 mode;
  u16 seq;
  u16 pad0;
  u32 pad1;
  u64 unused0;
  u64 unused1;
};
static_assert(sizeof(IpcPerm) == 48);

// Semaphores
struct SemidDs {
  IpcPerm sem_perm;
  i64 sem_otime;
  u64 unused0;
  i64 sem_ctime;
  u64 unused1;
  u64 sem_nsems;
  u64 unused2;
  u64 unused3;
};
static_assert(sizeof(SemidDs) == 104);

struct SemBuf {
  u16 sem_num;
  i16 sem_op;
  i16 sem_flg;
};
static_assert(sizeof(SemBuf) == 6);

struct SemInfo {
  i32 semmap;
  i32 semmni;
  i32 semmns;
  i32 semmnu;
  i32 semmsl;
  i32 semopm;
  i32 semume;
  i32 semusz;
  i32 semvmx;
  i32 semaem;
};
static_assert(sizeof(SemInfo) == 40);
inline constexpr i32 kGETPID = 11;
inline constexpr i32 kGETVAL = 12;
inline constexpr i32 kGETALL = 13;
inline constexpr i32 kGETNCNT = 14;
inline constexpr i32 kGETZCNT = 15;
inline constexpr i32 kSETVAL = 16;
inline constexpr i32 kSETALL = 17;
inline constexpr i32 kSEM_STAT = 18;
inline constexpr i32 kSEM_INFO = 19;
inline constexpr i32 kSEM_STAT_ANY = 20;
inline constexpr i32 kSEM_UNDO = 010000;
inline constexpr i32 kSEMMNI = 32000;
inline constexpr i32 kSEMMSL = 32000;
inline constexpr i32 kSEMMNS = 1024000000;
inline constexpr i32 kSEMOPM = 500;
inline constexpr i32 kSEMVMX = 32767;
inline constexpr i32 kSEMAEM = 32767;

// Shared memory
struct ShmidDs {
  IpcPerm shm_perm;
  u64 shm_segsz;
  i64 shm_atime;
  i64 shm_dtime;
  i64 shm_ctime;
  i32 shm_cpid;
  i32 shm_lpid;
  u64 shm_nattch;
  u64 unused0;
  u64 unused1;
};
static_assert(sizeof(ShmidDs) == 112);

struct ShmInfo {
  i32 used_ids;
  u32 pad0;
  u64 shm_tot;
  u64 shm_rss;
  u64 shm_swp;
  u64 swap_attempts;
  u64 swap_successes;
};
static_assert(sizeof(ShmInfo) == 48);

struct ShmLimits {
  u64 shmmax;
  u64 shmmin;
  u64 shmmni;
  u64 shmseg;
  u64 shmall;
  u64 unused[4];
};
static_assert(sizeof(ShmLimits) == 72);

enum class ShmFlag : u32 {
  kSHM_RDONLY = 010000,
  kSHM_RND = 020000,
  kSHM_REMAP = 040000,
  kSHM_EXEC = 0100000,
  kSHM_HUGETLB = 04000,
  kSHM_NORESERVE = 010000,
};
LXSS_FLAGS(ShmFlag)
using ShmFlags = Flags<ShmFlag>;

inline constexpr i32 kSHM_LOCK = 11;
inline constexpr i32 kSHM_UNLOCK = 12;
inline constexpr i32 kSHM_STAT = 13;
inline constexpr i32 kSHM_INFO = 14;
inline constexpr i32 kSHM_STAT_ANY = 15;
inline constexpr u32 kSHM_DEST = 01000;
inline constexpr u32 kSHM_LOCKED = 02000;
inline constexpr u64 kSHMMIN = 1;
inline constexpr u64 kSHMMNI = 4096;
inline constexpr u64 kSHMSEG = 4096;
inline constexpr u64 kSHMMAX = ~u64{0} - (u64{1} << 24);
inline constexpr u64 kSHMALL = ~u64{0} - (u64{1} << 24);

// Message queues
struct MsqidDs {
  IpcPerm msg_perm;
  i64 msg_stime;
  i64 msg_rtime;
  i64 msg_ctime;
  u64 msg_cbytes;
  u64 msg_qnum;
  u64 msg_qbytes;
  i32 msg_lspid;
  i32 msg_lrpid;
  u64 unused0;
  u64 unused1;
};
static_assert(sizeof(MsqidDs) == 120);

struct MsgInfo {
  i32 msgpool;
  i32 msgmap;
  i32 msgmax;
  i32 msgmnb;
  i32 msgmni;
  i32 msgssz;
  i32 msgtql;
  u16 msgseg;
  u16 pad0;
};
static_assert(sizeof(MsgInfo) == 32);

enum class MsgrcvFlag : u32 {
  kMSG_NOERROR = 010000,
  kMSG_EXCEPT = 020000,
  kMSG_COPY = 040000,
};
LXSS_FLAGS(MsgrcvFlag)
using MsgrcvFlags = Flags<MsgrcvFlag>;

inline constexpr i32 kMSG_STAT = 11;
inline constexpr i32 kMSG_INFO = 12;
inline constexpr i32 kMSG_STAT_ANY = 13;
inline constexpr i32 kMSGMNI = 32000;
inline constexpr i32 kMSGMAX = 8192;
inline constexpr i32 kMSGMNB = 16384;

// POSIX message queues
struct MqAttr {
  i64 mq_flags;
  i64 mq_maxmsg;
  i64 mq_msgsize;
  i64 mq_curmsgs;
  i64 reserved[4];
};
static_assert(sizeof(MqAttr) == 64);

}  // namespace lxss::abi
