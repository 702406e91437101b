// What compiler and standard headers expect of a C library, for an image without one.
#include <cstddef>
#include <cstdint>
#include <list>
#include <new>

#include "base/assert.h"

extern "C" {

void* memcpy(void* to, const void* from, size_t size) {
  void* result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

void* memmove(void* to, const void* from, size_t size) {
  if (reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from) >= size) {
    return memcpy(to, from, size);
  }
  void* last_to = static_cast<char*>(to) + size - 1;
  const void* last_from = static_cast<const char*>(from) + size - 1;
  asm volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
  return to;
}

void* memset(void* to, int value, size_t size) {
  void* result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return result;
}

int memcmp(const void* a, const void* b, size_t size) {
  auto* left = static_cast<const unsigned char*>(a);
  auto* right = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

const void* lxss_memchr(const void* in, int value, size_t size) asm("memchr");
const void* lxss_memchr(const void* in, int value, size_t size) {
  auto* bytes = static_cast<const unsigned char*>(in);
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) return bytes + i;
  }
  return nullptr;
}

size_t strlen(const char* text) {
  size_t length = 0;
  // The asm keeps the compiler from recognising strlen and calling it.
  while (text[length]) {
    ++length;
    asm volatile("" : "+r"(length));
  }
  return length;
}

void __cxa_pure_virtual() { LXSS_PANIC("pure virtual call"); }
int __cxa_atexit(void (*)(void*), void*, void*) { LXSS_PANIC("static destructor"); }
[[noreturn]] void abort() { LXSS_PANIC("abort"); }
}

namespace std {

[[gnu::noreturn]] void __throw_length_error(const char* what) { LXSS_PANIC(what); }
[[gnu::noreturn]] void __throw_logic_error(const char* what) { LXSS_PANIC(what); }
[[gnu::noreturn]] void __throw_out_of_range(const char* what) { LXSS_PANIC(what); }
[[gnu::noreturn]] void __throw_out_of_range_fmt(const char* what, ...) { LXSS_PANIC(what); }
[[gnu::noreturn]] void __throw_bad_alloc() { LXSS_PANIC("bad_alloc"); }
[[gnu::noreturn]] void __throw_bad_array_new_length() { LXSS_PANIC("bad_array_new_length"); }
[[gnu::noreturn]] void __throw_bad_function_call() { LXSS_PANIC("bad_function_call"); }
[[gnu::noreturn]] void __throw_bad_optional_access() { LXSS_PANIC("bad_optional_access"); }
[[gnu::noreturn]] void __throw_bad_variant_access(const char* what) { LXSS_PANIC(what); }
[[gnu::noreturn]] void __glibcxx_assert_fail(const char* file, int line, const char*,
                                             const char* what) noexcept {
  lxss::panic(file, line, what);
}

// The library's own use vector registers.
namespace __detail {

void _List_node_base::_M_hook(_List_node_base* position) noexcept {
  _M_next = position;
  _M_prev = position->_M_prev;
  position->_M_prev->_M_next = this;
  position->_M_prev = this;
}

void _List_node_base::_M_unhook() noexcept {
  _M_prev->_M_next = _M_next;
  _M_next->_M_prev = _M_prev;
}

void _List_node_base::_M_transfer(_List_node_base* first, _List_node_base* last) noexcept {
  if (this == last) return;
  _List_node_base* before_first = first->_M_prev;
  _List_node_base* before_last = last->_M_prev;
  before_last->_M_next = this;
  before_first->_M_next = last;
  _M_prev->_M_next = first;
  first->_M_prev = _M_prev;
  last->_M_prev = before_first;
  _M_prev = before_last;
}

}  // namespace __detail
}  // namespace std
