#include "store/redis/redis_store.h"

#include "store/redis/redis_connection.h"

namespace tracker::store::redis {

RedisStore::RedisStore(boost::asio::io_context& loop, const RedisSettings& settings)
    : connection_(std::make_unique<Connection>(loop, settings)) {}

RedisStore::~RedisStore() = default;

void RedisStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  connection_->track(hits, reply);
}

void RedisStore::add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) {
  connection_->add_token(id, deadline, reply);
}

const ReadinessSource& RedisStore::readiness() const {
  return connection_->readiness();
}

void RedisStore::wait_for_first_attempt(std::chrono::milliseconds longest) const {
  connection_->wait_for_first_attempt(longest);
}

}  // namespace tracker::store::redis
