// Every group of system calls.
#pragma once

#include "lxcore/syscalls/event.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/syscalls/memory.h"
#include "lxcore/syscalls/misc.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/poll.h"
#include "lxcore/syscalls/signal.h"
#include "lxcore/syscalls/socket.h"
#include "lxcore/syscalls/task.h"
#include "lxcore/syscalls/time.h"
