#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "counter/counter.h"
#include "link/link.h"
#include "runtime/address.h"
#include "runtime/log.h"

namespace tracker::rpc {

struct RemoteCounterSettings {
  runtime::Address address;
  std::string version;
  runtime::ChangeLog* changes = nullptr;  // of this counter, shared by all who ask it; outlives them
  /// So many calls, and another connection takes its place; HTTP/2 has no more (RFC 9113, section 5.1.1).
  std::uint32_t calls_per_connection = 1U << 30U;
};

/// A counter service in another process, over one stream. Hits that wait while a message is under way go into
/// the next one together. It connects, and connects again, by itself. While it is not connected, or the
/// counter says that it cannot count or says nothing any more, every hit is refused at once. What was sent is
/// never sent again. All may be called from any thread. From the worker's own, what is asked costs no thread switch;
/// replies come there.
class RemoteCounter final : public counter::Counter {
 public:
  /// Starts to connect as soon as the worker runs; a counter that is not there is no error.
  RemoteCounter(boost::asio::io_context& worker, const RemoteCounterSettings& settings);

  /// The worker has been stopped; its io_context is still there.
  ~RemoteCounter() override;

  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override;
  void mint(domain::Deadline deadline, counter::MintReply& reply) override;
  const counter::ReadinessSource& readiness() const override;

 private:
  link::Link link_;
};

}  // namespace tracker::rpc
