// Clang's thread safety analysis: which lock guards a field, what a function requires. Empty for
// other compilers. `./test` compiles the kernel half with the analysis on.
#pragma once

#if defined(__clang__)
#define LXSS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define LXSS_THREAD_ANNOTATION(x)
#endif

#define LXSS_CAPABILITY(x) LXSS_THREAD_ANNOTATION(capability(x))
#define LXSS_SCOPED_CAPABILITY LXSS_THREAD_ANNOTATION(scoped_lockable)
#define LXSS_GUARDED_BY(x) LXSS_THREAD_ANNOTATION(guarded_by(x))
#define LXSS_PT_GUARDED_BY(x) LXSS_THREAD_ANNOTATION(pt_guarded_by(x))
#define LXSS_ACQUIRED_BEFORE(...) LXSS_THREAD_ANNOTATION(acquired_before(__VA_ARGS__))
#define LXSS_ACQUIRED_AFTER(...) LXSS_THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
#define LXSS_REQUIRES(...) LXSS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define LXSS_EXCLUDES(...) LXSS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define LXSS_ACQUIRE(...) LXSS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define LXSS_RELEASE(...) LXSS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define LXSS_TRY_ACQUIRE(...) LXSS_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define LXSS_ASSERT_CAPABILITY(x) LXSS_THREAD_ANNOTATION(assert_capability(x))
#define LXSS_RETURN_CAPABILITY(x) LXSS_THREAD_ANNOTATION(lock_returned(x))
/// With a sentence that says why the analysis cannot follow.
#define LXSS_NO_THREAD_SAFETY_ANALYSIS LXSS_THREAD_ANNOTATION(no_thread_safety_analysis)
