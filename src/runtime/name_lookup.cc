#include "runtime/name_lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>

#include "runtime/workers.h"

namespace tracker::runtime {

namespace {

namespace ip = boost::asio::ip;

ip::address address_of(const addrinfo& found) {
  if (found.ai_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, found.ai_addr, sizeof v4);
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, found.ai_addr, sizeof v6);
  ip::address_v6::bytes_type bytes;
  std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
  return ip::address_v6(bytes, v6.sin6_scope_id);
}

}  // namespace

FoundAddresses look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* all = nullptr;
  // getaddrinfo() needs a service if there is no host.
  const int error =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), host.empty() ? "1" : nullptr, &hints, &all);
  if (error == EAI_SYSTEM) return std::generic_category().message(errno);
  if (error != 0) return std::string(::gai_strerror(error));
  std::vector<ip::address> found;
  for (const addrinfo* one = all; one != nullptr; one = one->ai_next) {
    if (one->ai_family == AF_INET || one->ai_family == AF_INET6) found.push_back(address_of(*one));
  }
  ::freeaddrinfo(all);
  if (found.empty()) return std::string("it has no address");
  return found;
}

/// The receiver of a look-up's result.
struct NameLookup::Owner {
  std::mutex mutex;
  NameLookup* lookup;  // mutex; null once it is gone
};

NameLookup::NameLookup(boost::asio::io_context& loop, std::string host, LookUp look_up)
    : loop_(loop), host_(std::move(host)), look_up_(std::move(look_up)), owner_(std::make_shared<Owner>()) {
  owner_->lookup = this;
}

NameLookup::~NameLookup() {
  const std::lock_guard lock(owner_->mutex);
  owner_->lookup = nullptr;
}

void NameLookup::start(Done done) {
  done_ = std::move(done);
  if (!found_ && !under_way_) begin();
  if (!found_) return;
  boost::asio::post(loop_, [owner = owner_] {
    if (owner->lookup != nullptr) owner->lookup->deliver();
  });
}

void NameLookup::begin() {
  boost::system::error_code not_numeric;
  const auto number = ip::make_address(host_, not_numeric);
  if (!not_numeric) {
    found_ = std::vector{number};
    return;
  }
  try {
    start_thread("look-up", [owner = owner_, look_up = look_up_, host = host_] {
      auto found = look_up(host);
      const std::lock_guard lock(owner->mutex);
      if (owner->lookup == nullptr) return;
      boost::asio::post(owner->lookup->loop_, [owner, found = std::move(found)]() mutable {
        NameLookup* lookup = owner->lookup;
        if (lookup == nullptr) return;
        lookup->under_way_ = false;
        lookup->found_ = std::move(found);
        lookup->deliver();
      });
    }).detach();
    under_way_ = true;
  } catch (const std::system_error& error) {
    found_ = "no thread for it: " + error.code().message();
  }
}

void NameLookup::deliver() {
  if (!done_ || !found_) return;
  const auto done = std::exchange(done_, nullptr);
  const auto found = *std::exchange(found_, std::nullopt);
  done(found);
}

}  // namespace tracker::runtime
