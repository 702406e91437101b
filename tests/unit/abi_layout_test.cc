// Compares abi/linux with the C library headers of the build machine, at compile time only.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "abi/linux/capability.h"
#include "abi/linux/dirent.h"
#include "abi/linux/elf.h"
#include "abi/linux/epoll.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/futex.h"
#include "abi/linux/inotify.h"
#include "abi/linux/ioctl.h"
#include "abi/linux/ipc.h"
#include "abi/linux/magic.h"
#include "abi/linux/mman.h"
#include "abi/linux/mount.h"
#include "abi/linux/poll.h"
#include "abi/linux/prctl.h"
#include "abi/linux/ptrace.h"
#include "abi/linux/random.h"
#include "abi/linux/resource.h"
#include "abi/linux/rseq.h"
#include "abi/linux/sched.h"
#include "abi/linux/seccomp.h"
#include "abi/linux/signal.h"
#include "abi/linux/socket.h"
#include "abi/linux/stat.h"
#include "abi/linux/syscall_numbers.h"
#include "abi/linux/sysinfo.h"
#include "abi/linux/termios.h"
#include "abi/linux/time.h"
#include "abi/linux/uio.h"
#include "abi/linux/utsname.h"
#include "abi/linux/wait.h"
#include "abi/linux/xattr.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/ucontext.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace {

namespace abi = lxss::abi;

// Equal as integers of the narrower of the two widths (the C headers mix signedness freely).
template <class A, class B>
constexpr bool Same(A a, B b) {
  const auto x = static_cast<unsigned long long>(a);
  const auto y = static_cast<unsigned long long>(b);
  constexpr auto kWidth = sizeof(A) < sizeof(B) ? sizeof(A) : sizeof(B);
  constexpr auto kMask = ~0ull >> (64 - kWidth * 8);
  return ((x ^ y) & kMask) == 0;
}

#define SAME(name) static_assert(Same(abi::k##name, name))
#define SAME_FLAG(type, name) static_assert(Same(abi::type::k##name, name))
#define SAME_SIZE(ours, theirs) static_assert(sizeof(abi::ours) == sizeof(theirs))
#define SAME_OFFSET(ours, field, theirs, their_field) \
  static_assert(offsetof(abi::ours, field) == offsetof(theirs, their_field))

// dirent.h
SAME_OFFSET(Dirent64, d_reclen, struct dirent64, d_reclen);
SAME_OFFSET(Dirent64, d_type, struct dirent64, d_type);
SAME_OFFSET(Dirent64, d_name_start, struct dirent64, d_name);
SAME(DT_UNKNOWN);
SAME(DT_FIFO);
SAME(DT_CHR);
SAME(DT_DIR);
SAME(DT_BLK);
SAME(DT_REG);
SAME(DT_LNK);
SAME(DT_SOCK);
SAME(DT_WHT);

// epoll.h
SAME_FLAG(EpollFlag, EPOLLIN);
SAME_FLAG(EpollFlag, EPOLLPRI);
SAME_FLAG(EpollFlag, EPOLLOUT);
SAME_FLAG(EpollFlag, EPOLLERR);
SAME_FLAG(EpollFlag, EPOLLHUP);
SAME_FLAG(EpollFlag, EPOLLRDNORM);
SAME_FLAG(EpollFlag, EPOLLRDBAND);
SAME_FLAG(EpollFlag, EPOLLWRNORM);
SAME_FLAG(EpollFlag, EPOLLWRBAND);
SAME_FLAG(EpollFlag, EPOLLMSG);
SAME_FLAG(EpollFlag, EPOLLRDHUP);
SAME_FLAG(EpollFlag, EPOLLEXCLUSIVE);
SAME_FLAG(EpollFlag, EPOLLWAKEUP);
SAME_FLAG(EpollFlag, EPOLLONESHOT);
SAME_FLAG(EpollFlag, EPOLLET);
SAME(EPOLL_CTL_ADD);
SAME(EPOLL_CTL_DEL);
SAME(EPOLL_CTL_MOD);
SAME_FLAG(EpollCreateFlag, EPOLL_CLOEXEC);
SAME_SIZE(EpollEvent, struct epoll_event);
SAME_OFFSET(EpollEvent, events, struct epoll_event, events);
SAME_OFFSET(EpollEvent, data, struct epoll_event, data);

// eventfd.h
SAME_FLAG(EfdFlag, EFD_SEMAPHORE);
SAME_FLAG(EfdFlag, EFD_CLOEXEC);
SAME_FLAG(EfdFlag, EFD_NONBLOCK);

// fcntl.h
SAME(F_OK);
SAME(X_OK);
SAME(W_OK);
SAME(R_OK);
SAME_FLAG(SpliceFlag, SPLICE_F_MOVE);
SAME_FLAG(SpliceFlag, SPLICE_F_NONBLOCK);
SAME_FLAG(SpliceFlag, SPLICE_F_MORE);
SAME_FLAG(SpliceFlag, SPLICE_F_GIFT);
SAME(POSIX_FADV_NORMAL);
SAME(POSIX_FADV_RANDOM);
SAME(POSIX_FADV_SEQUENTIAL);
SAME(POSIX_FADV_WILLNEED);
SAME(POSIX_FADV_DONTNEED);
SAME(POSIX_FADV_NOREUSE);

// poll.h
SAME_SIZE(FdSet, fd_set);

// ptrace.h
SAME_SIZE(UserRegs, struct user_regs_struct);
SAME_OFFSET(UserRegs, r15, struct user_regs_struct, r15);
SAME_OFFSET(UserRegs, r14, struct user_regs_struct, r14);
SAME_OFFSET(UserRegs, r13, struct user_regs_struct, r13);
SAME_OFFSET(UserRegs, r12, struct user_regs_struct, r12);
SAME_OFFSET(UserRegs, rbp, struct user_regs_struct, rbp);
SAME_OFFSET(UserRegs, rbx, struct user_regs_struct, rbx);
SAME_OFFSET(UserRegs, r11, struct user_regs_struct, r11);
SAME_OFFSET(UserRegs, r10, struct user_regs_struct, r10);
SAME_OFFSET(UserRegs, r9, struct user_regs_struct, r9);
SAME_OFFSET(UserRegs, r8, struct user_regs_struct, r8);
SAME_OFFSET(UserRegs, rax, struct user_regs_struct, rax);
SAME_OFFSET(UserRegs, rcx, struct user_regs_struct, rcx);
SAME_OFFSET(UserRegs, rdx, struct user_regs_struct, rdx);
SAME_OFFSET(UserRegs, rsi, struct user_regs_struct, rsi);
SAME_OFFSET(UserRegs, rdi, struct user_regs_struct, rdi);
SAME_OFFSET(UserRegs, orig_rax, struct user_regs_struct, orig_rax);
SAME_OFFSET(UserRegs, rip, struct user_regs_struct, rip);
SAME_OFFSET(UserRegs, cs, struct user_regs_struct, cs);
SAME_OFFSET(UserRegs, eflags, struct user_regs_struct, eflags);
SAME_OFFSET(UserRegs, rsp, struct user_regs_struct, rsp);
SAME_OFFSET(UserRegs, ss, struct user_regs_struct, ss);
SAME_OFFSET(UserRegs, fs_base, struct user_regs_struct, fs_base);
SAME_OFFSET(UserRegs, gs_base, struct user_regs_struct, gs_base);
SAME_OFFSET(UserRegs, ds, struct user_regs_struct, ds);
SAME_OFFSET(UserRegs, es, struct user_regs_struct, es);
SAME_OFFSET(UserRegs, fs, struct user_regs_struct, fs);
SAME_OFFSET(UserRegs, gs, struct user_regs_struct, gs);
SAME_SIZE(UserFpRegs, struct user_fpregs_struct);
SAME_OFFSET(UserFpRegs, cwd, struct user_fpregs_struct, cwd);
SAME_OFFSET(UserFpRegs, rip, struct user_fpregs_struct, rip);
SAME_OFFSET(UserFpRegs, rdp, struct user_fpregs_struct, rdp);
SAME_OFFSET(UserFpRegs, mxcsr, struct user_fpregs_struct, mxcsr);
SAME_OFFSET(UserFpRegs, st_space, struct user_fpregs_struct, st_space);
SAME_OFFSET(UserFpRegs, xmm_space, struct user_fpregs_struct, xmm_space);
SAME_OFFSET(UserFpRegs, padding, struct user_fpregs_struct, padding);
SAME_OFFSET(User, i387, struct user, i387);
SAME_OFFSET(User, u_comm, struct user, u_comm);
SAME_OFFSET(User, u_debugreg, struct user, u_debugreg);

// signal.h
SAME_FLAG(SfdFlag, SFD_CLOEXEC);
SAME_FLAG(SfdFlag, SFD_NONBLOCK);

// socket.h
SAME(AF_UNSPEC);
SAME(AF_UNIX);
SAME(AF_LOCAL);
SAME(AF_INET);
SAME(AF_AX25);
SAME(AF_IPX);
SAME(AF_APPLETALK);
SAME(AF_X25);
SAME(AF_INET6);
SAME(AF_NETLINK);
SAME(AF_PACKET);
SAME(AF_ALG);
SAME(AF_VSOCK);
SAME(AF_XDP);
SAME(AF_MAX);
SAME(SOCK_STREAM);
SAME(SOCK_DGRAM);
SAME(SOCK_RAW);
SAME(SOCK_RDM);
SAME(SOCK_SEQPACKET);
SAME(SOCK_DCCP);
SAME(SOCK_PACKET);
SAME_FLAG(SockFlag, SOCK_CLOEXEC);
SAME_FLAG(SockFlag, SOCK_NONBLOCK);
SAME(SOL_SOCKET);
SAME(SOL_IP);
SAME(SOL_IPV6);
SAME(SOL_RAW);
SAME(SOL_PACKET);
SAME(SOL_NETLINK);
SAME(SO_DEBUG);
SAME(SO_REUSEADDR);
SAME(SO_TYPE);
SAME(SO_ERROR);
SAME(SO_DONTROUTE);
SAME(SO_BROADCAST);
SAME(SO_SNDBUF);
SAME(SO_RCVBUF);
SAME(SO_KEEPALIVE);
SAME(SO_OOBINLINE);
SAME(SO_NO_CHECK);
SAME(SO_PRIORITY);
SAME(SO_LINGER);
SAME(SO_BSDCOMPAT);
SAME(SO_REUSEPORT);
SAME(SO_PASSCRED);
SAME(SO_PEERCRED);
SAME(SO_RCVLOWAT);
SAME(SO_SNDLOWAT);
SAME(SO_RCVTIMEO_OLD);
SAME(SO_SNDTIMEO_OLD);
SAME(SO_SECURITY_AUTHENTICATION);
SAME(SO_SECURITY_ENCRYPTION_TRANSPORT);
SAME(SO_SECURITY_ENCRYPTION_NETWORK);
SAME(SO_BINDTODEVICE);
SAME(SO_ATTACH_FILTER);
SAME(SO_DETACH_BPF);
SAME(SO_DETACH_FILTER);
SAME(SO_PEERNAME);
SAME(SO_TIMESTAMP_OLD);
SAME(SO_ACCEPTCONN);
SAME(SO_PEERSEC);
SAME(SO_SNDBUFFORCE);
SAME(SO_RCVBUFFORCE);
SAME(SO_PASSSEC);
SAME(SO_TIMESTAMPNS_OLD);
SAME(SO_MARK);
SAME(SO_TIMESTAMPING_OLD);
SAME(SO_PROTOCOL);
SAME(SO_DOMAIN);
SAME(SO_RXQ_OVFL);
SAME(SO_WIFI_STATUS);
SAME(SO_PEEK_OFF);
SAME(SO_NOFCS);
SAME(SO_LOCK_FILTER);
SAME(SO_SELECT_ERR_QUEUE);
SAME(SO_BUSY_POLL);
SAME(SO_MAX_PACING_RATE);
SAME(SO_BPF_EXTENSIONS);
SAME(SO_INCOMING_CPU);
SAME(SO_ATTACH_BPF);
SAME(SO_ATTACH_REUSEPORT_CBPF);
SAME(SO_ATTACH_REUSEPORT_EBPF);
SAME(SO_CNX_ADVICE);
SAME(SO_MEMINFO);
SAME(SO_INCOMING_NAPI_ID);
SAME(SO_COOKIE);
SAME(SO_PEERGROUPS);
SAME(SO_ZEROCOPY);
SAME(SO_TXTIME);
SAME(SO_BINDTOIFINDEX);
SAME(SO_TIMESTAMP_NEW);
SAME(SO_TIMESTAMPNS_NEW);
SAME(SO_TIMESTAMPING_NEW);
SAME(SO_RCVTIMEO_NEW);
SAME(SO_SNDTIMEO_NEW);
SAME(SO_DETACH_REUSEPORT_BPF);
SAME(SO_PREFER_BUSY_POLL);
SAME(SO_BUSY_POLL_BUDGET);
SAME(SO_NETNS_COOKIE);
SAME(SO_BUF_LOCK);
SAME(SO_RESERVE_MEM);
SAME(SO_TXREHASH);
SAME(SO_RCVMARK);
SAME(SO_RCVTIMEO);
SAME(SO_SNDTIMEO);
SAME(SO_TIMESTAMP);
SAME(SO_TIMESTAMPNS);
SAME(SO_TIMESTAMPING);
SAME_FLAG(MsgFlag, MSG_OOB);
SAME_FLAG(MsgFlag, MSG_PEEK);
SAME_FLAG(MsgFlag, MSG_DONTROUTE);
SAME_FLAG(MsgFlag, MSG_CTRUNC);
SAME_FLAG(MsgFlag, MSG_PROXY);
SAME_FLAG(MsgFlag, MSG_TRUNC);
SAME_FLAG(MsgFlag, MSG_DONTWAIT);
SAME_FLAG(MsgFlag, MSG_EOR);
SAME_FLAG(MsgFlag, MSG_WAITALL);
SAME_FLAG(MsgFlag, MSG_FIN);
SAME_FLAG(MsgFlag, MSG_SYN);
SAME_FLAG(MsgFlag, MSG_CONFIRM);
SAME_FLAG(MsgFlag, MSG_RST);
SAME_FLAG(MsgFlag, MSG_ERRQUEUE);
SAME_FLAG(MsgFlag, MSG_NOSIGNAL);
SAME_FLAG(MsgFlag, MSG_MORE);
SAME_FLAG(MsgFlag, MSG_WAITFORONE);
SAME_FLAG(MsgFlag, MSG_BATCH);
SAME_FLAG(MsgFlag, MSG_ZEROCOPY);
SAME_FLAG(MsgFlag, MSG_FASTOPEN);
SAME_FLAG(MsgFlag, MSG_CMSG_CLOEXEC);
SAME(SHUT_RD);
SAME(SHUT_WR);
SAME(SHUT_RDWR);
SAME(SOMAXCONN);
SAME(IPPROTO_IP);
SAME(IPPROTO_ICMP);
SAME(IPPROTO_IGMP);
SAME(IPPROTO_TCP);
SAME(IPPROTO_UDP);
SAME(IPPROTO_IPV6);
SAME(IPPROTO_ICMPV6);
SAME(IPPROTO_SCTP);
SAME(IPPROTO_UDPLITE);
SAME(IPPROTO_RAW);
SAME(IPPROTO_MPTCP);
SAME(TCP_NODELAY);
SAME(TCP_MAXSEG);
SAME(TCP_CORK);
SAME(TCP_KEEPIDLE);
SAME(TCP_KEEPINTVL);
SAME(TCP_KEEPCNT);
SAME(TCP_SYNCNT);
SAME(TCP_LINGER2);
SAME(TCP_DEFER_ACCEPT);
SAME(TCP_WINDOW_CLAMP);
SAME(TCP_INFO);
SAME(TCP_QUICKACK);
SAME(TCP_CONGESTION);
SAME(TCP_MD5SIG);
SAME(TCP_USER_TIMEOUT);
SAME(TCP_FASTOPEN);
SAME(TCP_TIMESTAMP);
SAME(TCP_NOTSENT_LOWAT);
SAME(TCP_FASTOPEN_CONNECT);
SAME(TCP_FASTOPEN_KEY);
SAME(TCP_FASTOPEN_NO_COOKIE);
SAME(TCP_ULP);
SAME(TCP_ESTABLISHED);
SAME(TCP_SYN_SENT);
SAME(TCP_SYN_RECV);
SAME(TCP_FIN_WAIT1);
SAME(TCP_FIN_WAIT2);
SAME(TCP_TIME_WAIT);
SAME(TCP_CLOSE);
SAME(TCP_CLOSE_WAIT);
SAME(TCP_LAST_ACK);
SAME(TCP_LISTEN);
SAME(TCP_CLOSING);
SAME(IP_TOS);
SAME(IP_TTL);
SAME(IP_HDRINCL);
SAME(IP_OPTIONS);
SAME(IP_RECVOPTS);
SAME(IP_RETOPTS);
SAME(IP_PKTINFO);
SAME(IP_PKTOPTIONS);
SAME(IP_MTU_DISCOVER);
SAME(IP_RECVERR);
SAME(IP_RECVTTL);
SAME(IP_RECVTOS);
SAME(IP_MTU);
SAME(IP_FREEBIND);
SAME(IP_TRANSPARENT);
SAME(IP_ORIGDSTADDR);
SAME(IP_MINTTL);
SAME(IP_NODEFRAG);
SAME(IP_BIND_ADDRESS_NO_PORT);
SAME(IP_MULTICAST_IF);
SAME(IP_MULTICAST_TTL);
SAME(IP_MULTICAST_LOOP);
SAME(IP_ADD_MEMBERSHIP);
SAME(IP_DROP_MEMBERSHIP);
SAME(IP_UNBLOCK_SOURCE);
SAME(IP_BLOCK_SOURCE);
SAME(IP_ADD_SOURCE_MEMBERSHIP);
SAME(IP_DROP_SOURCE_MEMBERSHIP);
SAME(IP_MULTICAST_ALL);
SAME(IP_UNICAST_IF);
SAME(IP_PMTUDISC_DONT);
SAME(IP_PMTUDISC_WANT);
SAME(IP_PMTUDISC_DO);
SAME(IP_PMTUDISC_PROBE);
SAME(IPV6_ADDRFORM);
SAME(IPV6_CHECKSUM);
SAME(IPV6_UNICAST_HOPS);
SAME(IPV6_MULTICAST_IF);
SAME(IPV6_MULTICAST_HOPS);
SAME(IPV6_MULTICAST_LOOP);
SAME(IPV6_ADD_MEMBERSHIP);
SAME(IPV6_DROP_MEMBERSHIP);
SAME(IPV6_MTU_DISCOVER);
SAME(IPV6_MTU);
SAME(IPV6_RECVERR);
SAME(IPV6_V6ONLY);
SAME(IPV6_RECVPKTINFO);
SAME(IPV6_PKTINFO);
SAME(IPV6_RECVHOPLIMIT);
SAME(IPV6_HOPLIMIT);
SAME(IPV6_RECVTCLASS);
SAME(IPV6_TCLASS);
SAME(IPV6_FREEBIND);
SAME_SIZE(Sockaddr, struct sockaddr);
SAME_OFFSET(Sockaddr, sa_family, struct sockaddr, sa_family);
SAME_OFFSET(Sockaddr, sa_data, struct sockaddr, sa_data);
SAME_SIZE(SockaddrStorage, struct sockaddr_storage);
SAME_OFFSET(SockaddrStorage, ss_family, struct sockaddr_storage, ss_family);
SAME_SIZE(SockaddrUn, struct sockaddr_un);
SAME_OFFSET(SockaddrUn, sun_family, struct sockaddr_un, sun_family);
SAME_OFFSET(SockaddrUn, sun_path, struct sockaddr_un, sun_path);
SAME_SIZE(SockaddrIn, struct sockaddr_in);
SAME_OFFSET(SockaddrIn, sin_family, struct sockaddr_in, sin_family);
SAME_OFFSET(SockaddrIn, sin_port, struct sockaddr_in, sin_port);
SAME_OFFSET(SockaddrIn, sin_addr, struct sockaddr_in, sin_addr);
SAME_OFFSET(SockaddrIn, sin_zero, struct sockaddr_in, sin_zero);
SAME_SIZE(SockaddrIn6, struct sockaddr_in6);
SAME_OFFSET(SockaddrIn6, sin6_family, struct sockaddr_in6, sin6_family);
SAME_OFFSET(SockaddrIn6, sin6_port, struct sockaddr_in6, sin6_port);
SAME_OFFSET(SockaddrIn6, sin6_flowinfo, struct sockaddr_in6, sin6_flowinfo);
SAME_OFFSET(SockaddrIn6, sin6_addr, struct sockaddr_in6, sin6_addr);
SAME_OFFSET(SockaddrIn6, sin6_scope_id, struct sockaddr_in6, sin6_scope_id);
SAME_SIZE(IpMreqn, struct ip_mreqn);
SAME_OFFSET(IpMreqn, imr_multiaddr, struct ip_mreqn, imr_multiaddr);
SAME_OFFSET(IpMreqn, imr_address, struct ip_mreqn, imr_address);
SAME_OFFSET(IpMreqn, imr_ifindex, struct ip_mreqn, imr_ifindex);
SAME_SIZE(Ipv6Mreq, struct ipv6_mreq);
SAME_OFFSET(Ipv6Mreq, ipv6mr_multiaddr, struct ipv6_mreq, ipv6mr_multiaddr);
SAME_OFFSET(Ipv6Mreq, ipv6mr_ifindex, struct ipv6_mreq, ipv6mr_interface);
SAME_SIZE(MsgHdr, struct msghdr);
SAME_OFFSET(MsgHdr, msg_name, struct msghdr, msg_name);
SAME_OFFSET(MsgHdr, msg_namelen, struct msghdr, msg_namelen);
SAME_OFFSET(MsgHdr, msg_iov, struct msghdr, msg_iov);
SAME_OFFSET(MsgHdr, msg_iovlen, struct msghdr, msg_iovlen);
SAME_OFFSET(MsgHdr, msg_control, struct msghdr, msg_control);
SAME_OFFSET(MsgHdr, msg_controllen, struct msghdr, msg_controllen);
SAME_OFFSET(MsgHdr, msg_flags, struct msghdr, msg_flags);
SAME_SIZE(MMsgHdr, struct mmsghdr);
SAME_OFFSET(MMsgHdr, msg_hdr, struct mmsghdr, msg_hdr);
SAME_OFFSET(MMsgHdr, msg_len, struct mmsghdr, msg_len);
SAME_SIZE(CmsgHdr, struct cmsghdr);
SAME_OFFSET(CmsgHdr, cmsg_len, struct cmsghdr, cmsg_len);
SAME_OFFSET(CmsgHdr, cmsg_level, struct cmsghdr, cmsg_level);
SAME_OFFSET(CmsgHdr, cmsg_type, struct cmsghdr, cmsg_type);
static_assert(abi::cmsg_space(5) == CMSG_SPACE(5) && abi::cmsg_len(5) == CMSG_LEN(5));
SAME_SIZE(Ucred, struct ucred);
SAME_OFFSET(Ucred, pid, struct ucred, pid);
SAME_OFFSET(Ucred, uid, struct ucred, uid);
SAME_OFFSET(Ucred, gid, struct ucred, gid);
SAME(SCM_RIGHTS);
SAME(SCM_CREDENTIALS);
SAME_SIZE(Linger, struct linger);
SAME_OFFSET(Linger, l_onoff, struct linger, l_onoff);
SAME_OFFSET(Linger, l_linger, struct linger, l_linger);

// stat.h
SAME(S_IFMT);
SAME(S_IFSOCK);
SAME(S_IFLNK);
SAME(S_IFREG);
SAME(S_IFBLK);
SAME(S_IFDIR);
SAME(S_IFCHR);
SAME(S_IFIFO);
SAME(S_ISUID);
SAME(S_ISGID);
SAME(S_ISVTX);
SAME(S_IRWXU);
SAME(S_IRUSR);
SAME(S_IWUSR);
SAME(S_IXUSR);
SAME(S_IRWXG);
SAME(S_IRGRP);
SAME(S_IWGRP);
SAME(S_IXGRP);
SAME(S_IRWXO);
SAME(S_IROTH);
SAME(S_IWOTH);
SAME(S_IXOTH);
SAME(UTIME_NOW);
SAME(UTIME_OMIT);

// time.h
SAME_FLAG(TfdCreateFlag, TFD_CLOEXEC);
SAME_FLAG(TfdCreateFlag, TFD_NONBLOCK);

// wait.h
static_assert(WIFEXITED(abi::wait_status_exited(3)) &&
              WEXITSTATUS(abi::wait_status_exited(3)) == 3);
static_assert(WIFSIGNALED(abi::wait_status_signaled(9, true)) &&
              WTERMSIG(abi::wait_status_signaled(9, true)) == 9);
static_assert(WCOREDUMP(abi::wait_status_signaled(9, true)) &&
              !WCOREDUMP(abi::wait_status_signaled(9, false)));
static_assert(WIFSTOPPED(abi::wait_status_stopped(19)) &&
              WSTOPSIG(abi::wait_status_stopped(19)) == 19);
static_assert(WIFCONTINUED(abi::wait_status_continued()));

// Every structure can be copied as bytes and has no unnamed padding.
#define PLAIN(type) \
  static_assert(std::is_trivially_copyable_v<abi::type> && std::is_standard_layout_v<abi::type>)
#define DENSE(type) \
  PLAIN(type);      \
  static_assert(std::has_unique_object_representations_v<abi::type>)
DENSE(CapUserHeader);
DENSE(CapUserData);
DENSE(VfsCapData);
DENSE(VfsNsCapData);
DENSE(Dirent64);
DENSE(Dirent);
DENSE(Elf64Ehdr);
DENSE(Elf64Phdr);
DENSE(Elf64Shdr);
DENSE(Elf64Sym);
DENSE(Elf64Dyn);
DENSE(Elf64Rela);
DENSE(Elf64Nhdr);
DENSE(AuxEntry);
DENSE(EpollEvent);
DENSE(OpenHow);
DENSE(FOwnerEx);
DENSE(Flock);
DENSE(FileHandle);
DENSE(FutexWaitv);
DENSE(RobustListHead);
DENSE(InotifyEvent);
DENSE(IpcPerm);
DENSE(SemidDs);
DENSE(SemBuf);
DENSE(SemInfo);
DENSE(ShmidDs);
DENSE(ShmInfo);
DENSE(ShmLimits);
DENSE(MsqidDs);
DENSE(MsgInfo);
DENSE(MqAttr);
DENSE(MountAttr);
DENSE(PollFd);
DENSE(FdSet);
DENSE(SelectSigmask);
DENSE(UserRegs);
DENSE(UserFpRegs);
DENSE(User);
PLAIN(PtraceSyscallInfo);  // holds a union
DENSE(PtracePeeksiginfoArgs);
DENSE(Rlimit64);
DENSE(Rusage);
DENSE(Rseq);
DENSE(RseqCs);
DENSE(CloneArgs);
DENSE(SchedParam);
DENSE(SchedAttr);
DENSE(SeccompData);
DENSE(SockFilter);
DENSE(SockFprog);
DENSE(SigSet);
DENSE(SigAction);
DENSE(StackT);
PLAIN(SigInfo);   // holds a union
PLAIN(SigEvent);  // holds a union
DENSE(SignalfdSiginfo);
DENSE(SigContext);
DENSE(FpStateSoftware);
DENSE(FpState);
DENSE(XStateHeader);
DENSE(UContext);
PLAIN(RtSigFrame);  // holds a union
DENSE(Sockaddr);
DENSE(SockaddrStorage);
DENSE(SockaddrUn);
DENSE(InAddr);
DENSE(SockaddrIn);
DENSE(In6Addr);
DENSE(SockaddrIn6);
DENSE(SockaddrNl);
DENSE(IpMreqn);
DENSE(Ipv6Mreq);
DENSE(MsgHdr);
DENSE(MMsgHdr);
DENSE(CmsgHdr);
DENSE(Ucred);
DENSE(Linger);
PLAIN(Ifreq);  // holds a union
DENSE(Ifconf);
DENSE(NlMsgHdr);
DENSE(NlMsgErr);
DENSE(Stat);
DENSE(StatxTimestamp);
DENSE(Statx);
DENSE(FsId);
DENSE(Statfs);
DENSE(Sysinfo);
DENSE(Termios);
DENSE(Termios2);
DENSE(Termio);
DENSE(Winsize);
DENSE(Timespec);
DENSE(Timeval);
DENSE(Timezone);
DENSE(Itimerval);
DENSE(Itimerspec);
DENSE(Utimbuf);
DENSE(Tms);
DENSE(Timex);
DENSE(IoVec);
DENSE(NewUtsname);

}  // namespace
