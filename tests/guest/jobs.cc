// Process groups and sessions, and stopping and continuing them.
#include "check.h"

namespace {

pid_t pausing_child() {
  return in_child([] {
    while (true) pause();
  });
}

void end(pid_t child) {
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

}  // namespace

TEST(groups_are_inherited) {
  CHECK_EQ(getpgrp(), getpid());
  const pid_t group = getpgrp(), session = getsid(0);
  CHECK_EXIT(in_child([=] {
               CHECK_EQ(getpgrp(), group);
               CHECK_EQ(getsid(0), session);
             }),
             0);
}

TEST(setpgid_forms) {
  const pid_t leader = pausing_child(), member = pausing_child();
  OK(setpgid(leader, 0));
  CHECK_EQ(getpgid(leader), leader);
  OK(setpgid(member, leader));
  CHECK_EQ(getpgid(member), leader);
  OK(setpgid(member, getpgrp()));
  CHECK_EQ(getpgid(member), getpgrp());
  end(leader);
  end(member);
}

TEST(setpgid_errors) {
  CHECK_ERRNO(setpgid(0, -1), EINVAL);
  CHECK_ERRNO(setpgid(0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
  const pid_t child = pausing_child();
  CHECK_ERRNO(setpgid(child, 0x3fffffff), EPERM);
  CHECK_ERRNO(getpgid(0x3fffffff), ESRCH);
  CHECK_ERRNO(getsid(0x3fffffff), ESRCH);
  end(child);
}

TEST(setpgid_after_exec_is_refused) {
  Signpost running;
  const pid_t child = in_child([&] {
    dup2(running.write_end(), STDOUT_FILENO);
    execl(own_path().c_str(), "name", "--helper", "announce_and_pause", nullptr);
  });
  running.await();
  CHECK_ERRNO(setpgid(child, child), EACCES);
  end(child);
}

HELPER(announce_and_pause) {
  OK(write(STDOUT_FILENO, ".", 1));
  return pause();
}

TEST(setsid_makes_a_session) {
  CHECK_ERRNO(setsid(), EPERM);
  CHECK_EXIT(in_child([] {
               CHECK_EQ(OK(setsid()), getpid());
               CHECK_EQ(getsid(0), getpid());
               CHECK_EQ(getpgrp(), getpid());
               CHECK_ERRNO(setsid(), EPERM);
               CHECK_ERRNO(setpgid(0, 0), EPERM);
               CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
             }),
             0);
}

TEST(other_sessions_are_out_of_reach) {
  Signpost separated;
  const pid_t child = in_child([&] {
    OK(setsid());
    separated.reach();
    pause();
  });
  separated.await();
  CHECK_ERRNO(setpgid(child, child), EPERM);
  CHECK_ERRNO(setpgid(0, child), EPERM);
  CHECK_EQ(getsid(child), child);
  end(child);
}

TEST(stop_and_continue_by_group) {
  const pid_t leader = pausing_child(), member = pausing_child();
  OK(setpgid(leader, leader));
  OK(setpgid(member, leader));
  OK(kill(-leader, SIGSTOP));
  for (pid_t pid : {leader, member}) {
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(check::thread_state(pid), 'T');
  }
  OK(kill(-leader, SIGCONT));
  for (pid_t pid : {leader, member}) {
    CHECK_EQ(waitpid(pid, nullptr, WCONTINUED), pid);
    await_state(pid, 'S');
  }
  end(leader);
  end(member);
}

TEST(a_stopped_process_does_nothing) {
  const Signpost go, done;
  const pid_t child = in_child([&] {
    go.await();
    done.reach();
  });
  OK(kill(child, SIGSTOP));
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED), child);
  go.reach();
  CHECK_EQ(check::thread_state(child), 'T');
  OK(kill(child, SIGCONT));
  done.await();
  CHECK_EXIT(child, 0);
}

TEST(stop_signals_may_be_caught_but_not_sigstop) {
  const Signpost caught;
  const pid_t child = in_child([&] {
    static const Signpost* post = &caught;
    signal(SIGTSTP, [](int) { post->reach(); });
    signal(SIGTTIN, SIG_IGN);
    caught.reach();
    while (true) pause();
  });
  caught.await();
  OK(kill(child, SIGTTIN));
  OK(kill(child, SIGTSTP));
  caught.await();
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED | WNOHANG), 0);
  end(child);
}

TEST(continue_runs_its_handler) {
  const Signpost continued;
  const pid_t child = in_child([&] {
    static const Signpost* post = &continued;
    signal(SIGCONT, [](int) { post->reach(); });
    raise(SIGSTOP);
    while (true) pause();
  });
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED), child);
  OK(kill(child, SIGCONT));
  continued.await();
  end(child);
}

TEST(orphaned_groups_ignore_terminal_stops) {
  CHECK_EXIT(in_child([] {
               OK(setsid());
               // The leader of a session without a parent in it: an orphaned group.
               OK(raise(SIGTSTP));
               OK(raise(SIGTTIN));
               OK(raise(SIGTTOU));
             }),
             0);
}

TEST(newly_orphaned_stopped_group_gets_hangup_and_continue) {
  const Signpost told;
  const pid_t session = in_child([&] {
    OK(setsid());
    const pid_t parent = in_child([&] {
      const pid_t stopped = in_child([&] {
        static const Signpost* post = &told;
        OK(setpgid(0, 0));
        signal(SIGHUP, [](int) { post->reach('h'); });
        raise(SIGSTOP);
        told.reach('c');
      });
      CHECK_EQ(waitpid(stopped, nullptr, WUNTRACED), stopped);
    });
    CHECK_EXIT(parent, 0);
    CHECK_EQ(told.await(), 'h');
    CHECK_EQ(told.await(), 'c');
  });
  CHECK_EXIT(session, 0);
}
