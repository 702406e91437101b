// Identity and permission: user and group ids, mode bits, set-id programs, capabilities.
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

namespace {

constexpr uid_t kUser = 1234, kOther = 4321;
constexpr gid_t kGroup = 2345, kOtherGroup = 5432;

void become(uid_t uid, gid_t gid, const std::vector<gid_t>& groups = {}) {
  OK(setgroups(groups.size(), groups.data()));
  OK(setresgid(gid, gid, gid));
  OK(setresuid(uid, uid, uid));
}

/// Runs `body` as an ordinary user in a child.
template <typename Body>
void as_user(uid_t uid, gid_t gid, const std::vector<gid_t>& groups, Body body) {
  CHECK_EXIT(in_child([&] {
               become(uid, gid, groups);
               body();
             }),
             0);
}

/// Lets everyone into the directory of the test, which mkdtemp made private.
void open_up() { OK(chmod(".", 0777)); }

std::string ids() {
  uid_t uids[3];
  gid_t gids[3];
  OK(getresuid(&uids[0], &uids[1], &uids[2]));
  OK(getresgid(&gids[0], &gids[1], &gids[2]));
  std::string text;
  for (uid_t uid : uids) text += std::to_string(uid) + ' ';
  for (gid_t gid : gids) text += std::to_string(gid) + ' ';
  return text;
}

bool has_effective_capability(int capability) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &header, data));
  return data[capability / 32].effective >> capability % 32 & 1;
}

}  // namespace

HELPER(print_ids) {
  std::printf("%s", ids().c_str());
  return 0;
}

TEST(ids_agree) {
  uid_t real, effective, saved;
  OK(getresuid(&real, &effective, &saved));
  CHECK_EQ(real, getuid());
  CHECK_EQ(effective, geteuid());
  CHECK_ERRNO(syscall(SYS_getresuid, 1, 1, 1), EFAULT);
  CHECK_ERRNO(getgroups(-1, nullptr), EINVAL);
}

TEST(ordinary_user_cannot_change_ids) {
  const auto body = [] {
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(setgid(0), EPERM);
    CHECK_ERRNO(setresuid(0, -1, -1), EPERM);
    CHECK_ERRNO(setreuid(-1, 0), EPERM);
    CHECK_ERRNO(setgroups(0, nullptr), EPERM);
    OK(setuid(getuid()));
    OK(setresuid(-1, -1, -1));
  };
  if (geteuid() != 0) {
    body();
  } else {
    as_user(kUser, kGroup, {}, body);
  }
}

TEST(setuid_of_root_sets_all_three) {
  need_root();
  CHECK_EXIT(in_child([] {
               OK(setgid(kGroup));
               OK(setuid(kUser));
               CHECK_EQ(ids(), "1234 1234 1234 2345 2345 2345 ");
               CHECK_ERRNO(setuid(0), EPERM);
             }),
             0);
}

TEST(saved_ids_allow_the_way_back) {
  need_root();
  CHECK_EXIT(in_child([] {
               OK(setresuid(kUser, kUser, 0));
               CHECK_EQ(geteuid(), kUser);
               OK(seteuid(0));
               CHECK_EQ(geteuid(), 0);
               OK(setreuid(kUser, kOther));
               // Linux: setreuid with a real id makes the saved one the new effective one.
               CHECK_EQ(ids().substr(0, 15), "1234 4321 4321 ");
               OK(setreuid(kOther, kUser));
               CHECK_ERRNO(setreuid(0, -1), EPERM);
             }),
             0);
}

TEST(setfsuid_returns_the_old_one) {
  need_root();
  CHECK_EXIT(in_child([] {
               CHECK_EQ(setfsuid(kUser), 0);
               CHECK_EQ(setfsuid(-1), kUser);
             }),
             0);
}

TEST(groups) {
  need_root();
  CHECK_EXIT(in_child([] {
               const std::vector<gid_t> wanted = {5, 3, 9};
               OK(setgroups(wanted.size(), wanted.data()));
               gid_t groups[8];
               CHECK_EQ(getgroups(0, nullptr), 3);
               CHECK_EQ(getgroups(8, groups), 3);
               CHECK_ERRNO(getgroups(2, groups), EINVAL);
               const std::vector<gid_t> too_many(65537, 1);
               CHECK_ERRNO(setgroups(too_many.size(), too_many.data()), EINVAL);
             }),
             0);
}

TEST(mode_bits_for_owner_group_and_others) {
  need_root();
  open_up();
  write_file("file", "x");
  OK(chown("file", kUser, kGroup));
  const auto check_mode = [](mode_t mode, bool owner, bool group, bool others) {
    OK(chmod("file", mode));
    as_user(kUser, kOtherGroup, {}, [=] { CHECK_EQ(access("file", R_OK) == 0, owner); });
    as_user(kOther, kGroup, {}, [=] { CHECK_EQ(access("file", R_OK) == 0, group); });
    as_user(kOther, kOtherGroup, {kGroup}, [=] { CHECK_EQ(access("file", R_OK) == 0, group); });
    as_user(kOther, kOtherGroup, {}, [=] { CHECK_EQ(access("file", R_OK) == 0, others); });
  };
  check_mode(0400, true, false, false);
  check_mode(0040, false, true, false);
  // The first class that fits decides.
  check_mode(0004, false, false, true);
  check_mode(0044, false, true, true);
}

TEST(open_checks_permission) {
  need_root();
  open_up();
  write_file("file", "x");
  OK(chmod("file", 0444));
  as_user(kUser, kGroup, {}, [] {
    OK(open("file", O_RDONLY));
    CHECK_ERRNO(open("file", O_WRONLY), EACCES);
    CHECK_ERRNO(open("file", O_RDWR), EACCES);
    CHECK_ERRNO(open("file", O_RDONLY | O_TRUNC), EACCES);
    CHECK_ERRNO(truncate("file", 0), EACCES);
    CHECK_ERRNO(chmod("file", 0666), EPERM);
    CHECK_ERRNO(chown("file", kUser, -1), EPERM);
    CHECK_ERRNO(open("file", O_RDONLY | O_NOATIME), EPERM);
    OK(open("file", O_PATH));
  });
  // Root reads and writes what it likes, but executes only what someone may execute.
  OK(chmod("file", 0));
  OK(open("file", O_RDWR));
  CHECK_ERRNO(access("file", X_OK), EACCES);
}

TEST(directories_need_execute_and_write) {
  need_root();
  open_up();
  OK(mkdir("directory", 0755));
  write_file("directory/file", "x");
  as_user(kUser, kGroup, {}, [] {
    OK(open("directory/file", O_RDONLY));
    CHECK_ERRNO(open("directory/new", O_CREAT | O_RDWR, 0644), EACCES);
    CHECK_ERRNO(unlink("directory/file"), EACCES);
    CHECK_ERRNO(rename("directory/file", "moved"), EACCES);
    CHECK_ERRNO(mkdir("directory/inner", 0755), EACCES);
    CHECK_ERRNO(symlink("x", "directory/link"), EACCES);
  });
  OK(chmod("directory", 0744));
  as_user(kUser, kGroup, {}, [] {
    OK(open("directory", O_RDONLY));
    CHECK_ERRNO(open("directory/file", O_RDONLY), EACCES);
    CHECK_ERRNO(access("directory/missing", F_OK), EACCES);
    CHECK_ERRNO(chdir("directory"), EACCES);
  });
  OK(chmod("directory", 0711));
  as_user(kUser, kGroup, {}, [] {
    CHECK_ERRNO(open("directory", O_RDONLY), EACCES);
    OK(access("directory/file", F_OK));
    OK(chdir("directory"));
  });
}

TEST(sticky_directories) {
  need_root();
  open_up();
  OK(mkdir("sticky", 0755));
  OK(chmod("sticky", 01777));
  as_user(kUser, kGroup, {}, [] { write_file("sticky/file", "x", 0666); });
  as_user(kOther, kGroup, {}, [] {
    CHECK_ERRNO(unlink("sticky/file"), EPERM);
    CHECK_ERRNO(rename("sticky/file", "sticky/other"), EPERM);
    write_file("sticky/own", "x");
    CHECK_ERRNO(rename("sticky/own", "sticky/file"), EPERM);
    OK(unlink("sticky/own"));
  });
  as_user(kUser, kGroup, {}, [] { OK(unlink("sticky/file")); });
}

TEST(new_files_belong_to_the_effective_user) {
  need_root();
  open_up();
  as_user(kUser, kGroup, {}, [] { write_file("file", "x"); });
  struct stat status;
  OK(stat("file", &status));
  CHECK_EQ(status.st_uid, kUser);
  CHECK_EQ(status.st_gid, kGroup);
  OK(mkdir("inherit", 0777));
  OK(chown("inherit", 0, kOtherGroup));
  OK(chmod("inherit", 02777));
  as_user(kUser, kGroup, {}, [] {
    write_file("inherit/file", "x");
    OK(mkdir("inherit/directory", 0755));
  });
  OK(stat("inherit/file", &status));
  CHECK_EQ(status.st_gid, kOtherGroup);
  OK(stat("inherit/directory", &status));
  CHECK_EQ(status.st_mode & 07777, 02755);
}

TEST(owner_may_change_group_to_an_own_one) {
  need_root();
  open_up();
  as_user(kUser, kGroup, {kOtherGroup}, [] {
    write_file("file", "x");
    OK(chown("file", -1, kOtherGroup));
    CHECK_ERRNO(chown("file", -1, 77), EPERM);
    CHECK_ERRNO(chown("file", kOther, -1), EPERM);
  });
  // S_ISGID goes when the owner is not in the file's group.
  OK(chown("file", kUser, 77));
  as_user(kUser, kGroup, {}, [] { OK(chmod("file", 02755)); });
  struct stat status;
  OK(stat("file", &status));
  CHECK_EQ(status.st_mode & 07777, 0755);
}

TEST(writing_takes_set_id_bits_away) {
  need_root();
  open_up();
  write_file("file", "x");
  OK(chmod("file", 06777));
  as_user(kUser, kGroup, {}, [] { CHECK_EQ(write(OK(open("file", O_WRONLY)), "y", 1), 1); });
  struct stat status;
  OK(stat("file", &status));
  CHECK_EQ(status.st_mode & 07777, 0777);
}

TEST(set_id_programs) {
  need_root();
  open_up();
  std::filesystem::copy_file(own_path(), "program");
  OK(chown("program", kOther, kOtherGroup));
  const auto ids_when_run = [](mode_t mode) {
    OK(chmod("program", mode));
    Signpost output;
    const pid_t child = in_child([&] {
      become(kUser, kGroup);
      dup2(output.write_end(), STDOUT_FILENO);
      execl("./program", "program", "--helper", "print_ids", nullptr);
    });
    CHECK_EXIT(child, 0);
    close(output.write_end());
    return read_fd(output.read_end());
  };
  CHECK_EQ(ids_when_run(0755), "1234 1234 1234 2345 2345 2345 ");
  CHECK_EQ(ids_when_run(04755), "1234 4321 4321 2345 2345 2345 ");
  CHECK_EQ(ids_when_run(02755), "1234 1234 1234 2345 5432 5432 ");
  CHECK_EQ(ids_when_run(06755), "1234 4321 4321 2345 5432 5432 ");
}

TEST(no_new_privs_disarms_set_id_programs) {
  need_root();
  open_up();
  std::filesystem::copy_file(own_path(), "program");
  OK(chown("program", kOther, kOtherGroup));
  OK(chmod("program", 06755));
  Signpost output;
  const pid_t child = in_child([&] {
    become(kUser, kGroup);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    dup2(output.write_end(), STDOUT_FILENO);
    execl("./program", "program", "--helper", "print_ids", nullptr);
  });
  CHECK_EXIT(child, 0);
  close(output.write_end());
  CHECK_EQ(read_fd(output.read_end()), "1234 1234 1234 2345 2345 2345 ");
}

TEST(access_uses_the_real_ids) {
  need_root();
  open_up();
  write_file("file", "x");
  OK(chown("file", kUser, 0));
  OK(chmod("file", 0400));
  CHECK_EXIT(in_child([] {
               OK(setresuid(kOther, kUser, 0));
               CHECK_ERRNO(access("file", R_OK), EACCES);
               OK(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
             }),
             0);
}

TEST(execute_permission) {
  need_root();
  open_up();
  std::filesystem::copy_file(own_path(), "program");
  OK(chmod("program", 0700));
  as_user(kUser, kGroup, {}, [] { CHECK_ERRNO(execl("./program", "program", nullptr), EACCES); });
  // Execution alone is enough for a binary.
  OK(chmod("program", 0711));
  as_user(kUser, kGroup, {}, [] {
    CHECK_EXIT(in_child([] { execl("./program", "program", "--list", nullptr); }), 0);
  });
}

TEST(capabilities_follow_the_user_id) {
  need_root();
  CHECK(has_effective_capability(CAP_CHOWN));
  CHECK_EXIT(in_child([] {
               OK(setresuid(kUser, kUser, 0));
               CHECK(!has_effective_capability(CAP_CHOWN));
               OK(setresuid(-1, 0, -1));
               CHECK(has_effective_capability(CAP_CHOWN));
               OK(setuid(kUser));
               CHECK(!has_effective_capability(CAP_CHOWN));
             }),
             0);
}

TEST(capabilities_may_be_dropped) {
  need_root();
  open_up();
  CHECK_EXIT(in_child([] {
               __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
               __user_cap_data_struct data[2];
               OK(syscall(SYS_capget, &header, data));
               data[0].effective &= ~(1u << CAP_CHOWN);
               OK(syscall(SYS_capset, &header, data));
               write_file("file", "x");
               CHECK_ERRNO(chown("file", kUser, -1), EPERM);
               data[0].permitted &= ~(1u << CAP_CHOWN);
               OK(syscall(SYS_capset, &header, data));
               data[0].permitted |= 1u << CAP_CHOWN;
               CHECK_ERRNO(syscall(SYS_capset, &header, data), EPERM);
             }),
             0);
}

TEST(capability_call_errors) {
  __user_cap_header_struct header = {0x12345678, 0};
  __user_cap_data_struct data[2];
  CHECK_ERRNO(syscall(SYS_capget, &header, data), EINVAL);
  CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
  header.pid = 0x3fffffff;
  CHECK_ERRNO(syscall(SYS_capget, &header, data), ESRCH);
  CHECK_ERRNO(syscall(SYS_capget, 8, data), EFAULT);
}

TEST(keepcaps_and_bounding_set) {
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
  CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
  CHECK_ERRNO(prctl(PR_CAPBSET_READ, 1000), EINVAL);
  need_root();
  CHECK_EXIT(in_child([] {
               OK(prctl(PR_SET_KEEPCAPS, 1));
               OK(setuid(kUser));
               __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
               __user_cap_data_struct data[2];
               OK(syscall(SYS_capget, &header, data));
               CHECK(data[0].permitted >> CAP_CHOWN & 1);
               CHECK(!(data[0].effective >> CAP_CHOWN & 1));
             }),
             0);
}

TEST(what_ordinary_users_may_not_do) {
  const auto body = [] {
    CHECK_ERRNO(chroot("/"), EPERM);
    CHECK_ERRNO(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, nullptr), EPERM);
    CHECK_ERRNO(sethostname("x", 1), EPERM);
    CHECK_ERRNO(mknod("device", S_IFCHR | 0600, 0x103), EPERM);
    const timespec now = {1, 0};
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, &now), EPERM);
    CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, nullptr), EPERM);
    CHECK_ERRNO(nice(-1), EPERM);
  };
  open_up();
  if (geteuid() != 0) {
    body();
  } else {
    as_user(kUser, kGroup, {}, body);
  }
}
