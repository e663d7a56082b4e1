#include "store/redis/redis_store.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "link/link.h"
#include "runtime/log.h"
#include "store/readiness.h"
#include "store/redis/redis_channel.h"
#include "store/store_metrics.h"

namespace tracker::store::redis {

namespace {

using namespace std::chrono_literals;

link::LinkSettings link_settings(const RedisSettings& settings) {
  return {.retry_longest = 1'000ms,
          .cut_patience = 0ms,
          .window_bytes = 8 * 1024 * 1024,
          .progress = settings.reply_deadline,
          .question_pause = 1'000ms,  // its settings may change while it runs, and it may fall silent
          .asks_while_busy = true};
}

}  // namespace

struct RedisStore::Parts {
  Parts(boost::asio::io_context& its_loop, const RedisSettings& settings)
      : loop(its_loop),
        is_behind_proxy(settings.proxy),
        tokens_max(can_bound_tokens(settings) ? settings.rules.tokens_max : 0),
        shared(its_loop, settings),
        link(its_loop, {.name = shared.name,
                        .address = settings.redis.address,
                        .settings = link_settings(settings),
                        .changes = &changes,
                        .metrics = &metrics,
                        .make_channel = [this](auto id, std::unique_ptr<link::Transport> transport) {
                          return std::make_shared<RedisChannel>(shared, link, id, std::move(transport));
                        }}) {}

  boost::asio::io_context& loop;
  const bool is_behind_proxy;
  const std::uint64_t tokens_max;
  RedisShared shared;
  runtime::ChangeLog changes;
  link::LinkMetrics metrics;
  link::Link link;
  const JointReadiness joint{{&link.readiness(), &shared.room}};
};

RedisStore::RedisStore(boost::asio::io_context& loop, const RedisSettings& settings)
    : parts_(std::make_unique<Parts>(loop, settings)) {}

RedisStore::~RedisStore() = default;

void RedisStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  parts_->link.track(hits, reply);
}

void RedisStore::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                           domain::Deadline deadline, AddReply& reply) {
  parts_->link.request(std::make_unique<AddToken>(id, record, deadline, reply));
}

const StoreFactsSource& RedisStore::facts() const {
  return parts_->shared.facts;
}

void RedisStore::write_record(std::string record, domain::Deadline deadline, WriteReply& reply) {
  if (parts_->is_behind_proxy) return reply.on_written(domain::Failure::not_done);
  parts_->link.request(std::make_unique<WriteRecord>(std::move(record), deadline, reply));
}

void RedisStore::find_slots(SlotsReply& reply) {
  if (parts_->is_behind_proxy) return reply.on_slots(domain::Failure::not_done);
  parts_->link.request(std::make_unique<FindSlots>(reply));
}

const ReadinessSource& RedisStore::readiness() const {
  return parts_->joint.readiness();
}

void RedisStore::report(metrics::Page& page) const {
  const auto& metrics = parts_->metrics;
  metrics.report(page, "redis");
  report_commits(page, "redis", metrics.round_trips, metrics.message_hits);
  if (const auto tokens_max = parts_->tokens_max; tokens_max > 0)
    report_tokens(page, parts_->shared.keys, tokens_max);
}

void RedisStore::set_password(const std::string& password) {
  boost::asio::post(parts_->loop,
                    [parts = parts_.get(), password] { parts->shared.settings.redis.password = password; });
}

void RedisStore::wait_for_first_attempt(std::chrono::milliseconds longest) const {
  parts_->link.wait_for_first_attempt(longest);
}

}  // namespace tracker::store::redis
