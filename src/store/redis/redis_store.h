#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "store/counter_store.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Counts in Redis, over one pipelined connection on an event loop, which others may share. It connects and reconnects
/// by itself. While it has no connection, every hit is refused at once. Nothing that was sent is sent again.
class RedisStore final : public CounterStore {
 public:
  /// Starts to connect as soon as the loop runs. A Redis that is not there is no error. A call from the loop's own
  /// thread costs no thread switch.
  RedisStore(boost::asio::io_context& loop, const RedisSettings& settings);

  /// The loop must have stopped and must still exist.
  ~RedisStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 AddReply& reply) override;
  /// They are asked for whenever it connects. Where Redis denies what that takes, there are none. Behind a proxy they
  /// follow from the store_name of the settings; without a name there are none.
  const StoreFactsSource& facts() const override;
  /// Not done behind a proxy; so is find_slots().
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) override;
  void find_slots(SlotsReply& reply) override;
  const ReadinessSource& readiness() const override;
  void report(metrics::Page& page) const override;

  /// Connections made from now on log in with this password. Any thread.
  void set_password(const std::string& password);

  /// Waits until the first attempt to connect has succeeded or failed, or until `longest` has passed. With that, the
  /// first lines of the log say what this Redis may lose. Blocks; for start-up only.
  void wait_for_first_attempt(std::chrono::milliseconds longest) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::store::redis
