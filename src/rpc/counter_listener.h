#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/address.h"
#include "runtime/bound_log.h"
#include "runtime/listener.h"

namespace tracker::rpc {

/// The counter's port. A connection that begins as tracker's own envoys do is kept on the loop; every other
/// one is gRPC's. Belongs to the loop's thread.
class CounterListener {
 public:
  using Take = std::function<void(runtime::Socket socket)>;

  /// Listens and accepts. Throws boost::system::system_error if it cannot listen; the port is never shared.
  /// Of those that have not said yet what they are, there are `unsorted_max` at most: the oldest makes way for the next.
  CounterListener(boost::asio::io_context& loop, const runtime::Address& address, std::size_t unsorted_max,
                  Take take_envoy, Take take_other);

  /// On all the addresses of a name.
  std::vector<runtime::Endpoint> endpoints() const { return runtime::endpoints_of(acceptors_); }

  /// Accepts no more, and drops those of whom it does not know yet what they are.
  void close();

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T, boost::asio::io_context::executor_type>;

  Awaitable<void> accept(runtime::Acceptor& acceptor);
  Awaitable<void> sort(std::shared_ptr<runtime::Socket> socket);
  Awaitable<std::optional<bool>> whose(std::shared_ptr<runtime::Socket> socket);
  void make_way();

  std::vector<runtime::Acceptor> acceptors_;
  bool open_ = true;
  const Take take_envoy_;
  const Take take_other_;
  const std::size_t unsorted_max_;
  std::list<std::shared_ptr<runtime::Socket>> unsorted_;  // the oldest first
  runtime::BoundLog unsorted_log_;
};

}  // namespace tracker::rpc
