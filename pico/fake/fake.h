// The hosted pico backend for unit tests: what stands in for a CPU and for waiting in the host.
//
// Guest memory is the test's own memory, guest code does not run. A host thread plays the task that
// it became (pico::become). Usually one host thread plays all tasks, one at a time, and a sleep is
// the moment to let others act; or each task has a host thread of its own, and a sleep is a sleep.
// Nothing here knows lxcore: what a test needs of a kernel is in tests/unit/fake_kernel.h.
#pragma once

#include <functional>

#include "pico/pico.h"

namespace lxss::fake {

/// Called when the calling thread would sleep, with lxcore's locks free. Returns with the same
/// thread current. False if nobody is there to act.
using OnSleep = std::function<bool()>;

/// How threads sleep from now on. With `on_sleep`, one host thread plays all tasks: a sleep calls
/// it and ends, and one that is not woken then and has no deadline ends the test. Without, sleeps
/// are the host's. Only while no other host thread runs.
void set_sleeping(OnSleep on_sleep);

/// Copies from or to [begin, begin + size) fault until the next call.
void make_inaccessible(const void* begin, usize size);

}  // namespace lxss::fake
