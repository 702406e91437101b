// ELF64 files, the auxiliary vector and core notes.
// Man pages: elf(5), getauxval(3), execve(2), core(5).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

inline constexpr usize kEI_NIDENT = 16;

struct Elf64Ehdr {
  u8 e_ident[kEI_NIDENT];
  u16 e_type;
  u16 e_machine;
  u32 e_version;
  u64 e_entry;
  u64 e_phoff;
  u64 e_shoff;
  u32 e_flags;
  u16 e_ehsize;
  u16 e_phentsize;
  u16 e_phnum;
  u16 e_shentsize;
  u16 e_shnum;
  u16 e_shstrndx;
};
static_assert(sizeof(Elf64Ehdr) == 64);
static_assert(offsetof(Elf64Ehdr, e_phoff) == 32);

struct Elf64Phdr {
  u32 p_type;
  u32 p_flags;
  u64 p_offset;
  u64 p_vaddr;
  u64 p_paddr;
  u64 p_filesz;
  u64 p_memsz;
  u64 p_align;
};
static_assert(sizeof(Elf64Phdr) == 56);

struct Elf64Shdr {
  u32 sh_name;
  u32 sh_type;
  u64 sh_flags;
  u64 sh_addr;
  u64 sh_offset;
  u64 sh_size;
  u32 sh_link;
  u32 sh_info;
  u64 sh_addralign;
  u64 sh_entsize;
};
static_assert(sizeof(Elf64Shdr) == 64);

struct Elf64Sym {
  u32 st_name;
  u8 st_info;
  u8 st_other;
  u16 st_shndx;
  u64 st_value;
  u64 st_size;
};
static_assert(sizeof(Elf64Sym) == 24);

struct Elf64Dyn {
  i64 d_tag;
  u64 d_un;  // d_val or d_ptr
};
static_assert(sizeof(Elf64Dyn) == 16);

struct Elf64Rela {
  u64 r_offset;
  u64 r_info;
  i64 r_addend;
};
static_assert(sizeof(Elf64Rela) == 24);

struct Elf64Nhdr {
  u32 n_namesz;
  u32 n_descsz;
  u32 n_type;
};
static_assert(sizeof(Elf64Nhdr) == 12);

// e_ident
inline constexpr u32 kEI_MAG0 = 0;
inline constexpr u32 kEI_MAG1 = 1;
inline constexpr u32 kEI_MAG2 = 2;
inline constexpr u32 kEI_MAG3 = 3;
inline constexpr u32 kEI_CLASS = 4;
inline constexpr u32 kEI_DATA = 5;
inline constexpr u32 kEI_VERSION = 6;
inline constexpr u32 kEI_OSABI = 7;
inline constexpr u32 kEI_PAD = 8;
inline constexpr u8 kELFMAG[4] = {0x7f, 'E', 'L', 'F'};
inline constexpr u8 kELFCLASSNONE = 0;
inline constexpr u8 kELFCLASS32 = 1;
inline constexpr u8 kELFCLASS64 = 2;
inline constexpr u8 kELFDATANONE = 0;
inline constexpr u8 kELFDATA2LSB = 1;
inline constexpr u8 kELFDATA2MSB = 2;
inline constexpr u8 kEV_NONE = 0;
inline constexpr u8 kEV_CURRENT = 1;
inline constexpr u8 kELFOSABI_NONE = 0;
inline constexpr u8 kELFOSABI_LINUX = 3;

inline constexpr u16 kET_NONE = 0;
inline constexpr u16 kET_REL = 1;
inline constexpr u16 kET_EXEC = 2;
inline constexpr u16 kET_DYN = 3;
inline constexpr u16 kET_CORE = 4;
inline constexpr u16 kEM_386 = 3;
inline constexpr u16 kEM_X86_64 = 62;
inline constexpr u16 kPN_XNUM = 65535;

// p_type
inline constexpr u32 kPT_NULL = 0x0;
inline constexpr u32 kPT_LOAD = 0x1;
inline constexpr u32 kPT_DYNAMIC = 0x2;
inline constexpr u32 kPT_INTERP = 0x3;
inline constexpr u32 kPT_NOTE = 0x4;
inline constexpr u32 kPT_SHLIB = 0x5;
inline constexpr u32 kPT_PHDR = 0x6;
inline constexpr u32 kPT_TLS = 0x7;
inline constexpr u32 kPT_GNU_EH_FRAME = 0x6474e550;
inline constexpr u32 kPT_GNU_STACK = 0x6474e551;
inline constexpr u32 kPT_GNU_RELRO = 0x6474e552;
inline constexpr u32 kPT_GNU_PROPERTY = 0x6474e553;
// p_flags
inline constexpr u32 kPF_X = 0x1;
inline constexpr u32 kPF_W = 0x2;
inline constexpr u32 kPF_R = 0x4;

inline constexpr u32 kSHT_NULL = 0;
inline constexpr u32 kSHT_PROGBITS = 1;
inline constexpr u32 kSHT_SYMTAB = 2;
inline constexpr u32 kSHT_STRTAB = 3;
inline constexpr u32 kSHT_RELA = 4;
inline constexpr u32 kSHT_HASH = 5;
inline constexpr u32 kSHT_DYNAMIC = 6;
inline constexpr u32 kSHT_NOTE = 7;
inline constexpr u32 kSHT_NOBITS = 8;
inline constexpr u32 kSHT_DYNSYM = 11;
inline constexpr i64 kDT_NULL = 0x0;
inline constexpr i64 kDT_NEEDED = 0x1;
inline constexpr i64 kDT_HASH = 0x4;
inline constexpr i64 kDT_STRTAB = 0x5;
inline constexpr i64 kDT_SYMTAB = 0x6;
inline constexpr i64 kDT_RELA = 0x7;
inline constexpr i64 kDT_RELASZ = 0x8;
inline constexpr i64 kDT_RELAENT = 0x9;
inline constexpr i64 kDT_STRSZ = 0xa;
inline constexpr i64 kDT_SYMENT = 0xb;
inline constexpr i64 kDT_SONAME = 0xe;
inline constexpr i64 kDT_VERSYM = 0x6ffffff0;
inline constexpr i64 kDT_VERDEF = 0x6ffffffc;
inline constexpr i64 kDT_VERDEFNUM = 0x6ffffffd;
inline constexpr i64 kDT_GNU_HASH = 0x6ffffef5;
inline constexpr u32 kSTB_LOCAL = 0;
inline constexpr u32 kSTB_GLOBAL = 1;
inline constexpr u32 kSTB_WEAK = 2;
inline constexpr u32 kSTT_NOTYPE = 0;
inline constexpr u32 kSTT_OBJECT = 1;
inline constexpr u32 kSTT_FUNC = 2;
inline constexpr u32 kR_X86_64_RELATIVE = 8;

// Notes of a core file and register sets of ptrace(2)
inline constexpr u32 kNT_PRSTATUS = 0x1;
inline constexpr u32 kNT_PRFPREG = 0x2;
inline constexpr u32 kNT_PRPSINFO = 0x3;
inline constexpr u32 kNT_TASKSTRUCT = 0x4;
inline constexpr u32 kNT_AUXV = 0x6;
inline constexpr u32 kNT_SIGINFO = 0x53494749;
inline constexpr u32 kNT_FILE = 0x46494c45;
inline constexpr u32 kNT_X86_XSTATE = 0x202;

// Auxiliary vector
struct AuxEntry {
  u64 a_type;
  u64 a_val;
};
static_assert(sizeof(AuxEntry) == 16);
inline constexpr u64 kAT_NULL = 0;
inline constexpr u64 kAT_IGNORE = 1;
inline constexpr u64 kAT_EXECFD = 2;
inline constexpr u64 kAT_PHDR = 3;
inline constexpr u64 kAT_PHENT = 4;
inline constexpr u64 kAT_PHNUM = 5;
inline constexpr u64 kAT_PAGESZ = 6;
inline constexpr u64 kAT_BASE = 7;
inline constexpr u64 kAT_FLAGS = 8;
inline constexpr u64 kAT_ENTRY = 9;
inline constexpr u64 kAT_NOTELF = 10;
inline constexpr u64 kAT_UID = 11;
inline constexpr u64 kAT_EUID = 12;
inline constexpr u64 kAT_GID = 13;
inline constexpr u64 kAT_EGID = 14;
inline constexpr u64 kAT_PLATFORM = 15;
inline constexpr u64 kAT_HWCAP = 16;
inline constexpr u64 kAT_CLKTCK = 17;
inline constexpr u64 kAT_SECURE = 23;
inline constexpr u64 kAT_BASE_PLATFORM = 24;
inline constexpr u64 kAT_RANDOM = 25;
inline constexpr u64 kAT_HWCAP2 = 26;
inline constexpr u64 kAT_EXECFN = 31;
inline constexpr u64 kAT_SYSINFO_EHDR = 33;
inline constexpr u64 kAT_MINSIGSTKSZ = 51;
inline constexpr u64 kAT_RSEQ_FEATURE_SIZE = 27;
inline constexpr u64 kAT_RSEQ_ALIGN = 28;

// AT_HWCAP2
inline constexpr u64 kHWCAP2_RING3MWAIT = 0x1;
inline constexpr u64 kHWCAP2_FSGSBASE = 0x2;

}  // namespace lxss::abi
