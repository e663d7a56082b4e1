// A library for preloading into a program. It adds two names: slow.test, which is 127.0.0.1 but takes 3 s to look up,
// and stuck.test, whose look-up never ends.

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <string_view>

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  using Getaddrinfo = int(const char*, const char*, const addrinfo*, addrinfo**);
  static auto* const next = reinterpret_cast<Getaddrinfo*>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name = node == nullptr ? "" : node;
  if (name == "stuck.test") {
    for (;;) ::pause();
  }
  if (name != "slow.test") return next(node, service, hints, found);
  ::usleep(3'000'000);
  return next("127.0.0.1", service, hints, found);
}
