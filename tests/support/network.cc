#include "support/network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace tracker::tests {
namespace {

// The network of the calling thread.
int current_network() {
  const int network = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (network < 0) throw std::system_error(errno, std::generic_category(), "/proc/thread-self/ns/net");
  return network;
}

void enter(int network) {
  if (::setns(network, CLONE_NEWNET) != 0) throw std::system_error(errno, std::generic_category(), "setns");
}

}  // namespace

Network::Network() {
  const int before = current_network();
  if (::unshare(CLONE_NEWNET) != 0) {
    const int error = errno;
    ::close(before);
    throw std::system_error(error, std::generic_category(), "this user cannot make networks here");
  }
  network_ = current_network();
  enter(before);
  ::close(before);
  try {
    ip({"link", "set", "lo", "up"});
  } catch (...) {
    ::close(network_);
    throw;
  }
}

Network::~Network() {
  ::close(network_);
}

Network::Stay::Stay(const Network& network) : before_(current_network()) {
  enter(network.network_);
}

Network::Stay::~Stay() {
  ::setns(before_, CLONE_NEWNET);
  ::close(before_);
}

void Network::ip(const Arguments& arguments) const {
  const std::string executable = IP;
  if (executable.empty()) throw std::runtime_error("there is no ip (Debian package iproute2)");
  const Stay here(*this);
  Program program(arguments, {}, executable);
  if (program.wait_exit() == 0) return;
  std::string command = "ip";
  for (const auto& argument : arguments) command += ' ' + argument;
  throw std::runtime_error(command + ": " + program.output());
}

std::string Network::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(network_);
}

}  // namespace tracker::tests
