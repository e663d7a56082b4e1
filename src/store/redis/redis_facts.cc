#include "store/redis/redis_facts.h"

#include <hiredis/hiredis.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "domain/hex.h"
#include "store/redis/redis_error.h"
#include "store/redis/redis_round.h"

namespace tracker::store::redis {

namespace {
constexpr std::string_view run_id = "\nrun_id:";
}  // namespace

StoreFacts::Id new_identity() {
  StoreFacts::Id id{};
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1) {
    throw std::runtime_error("the system gives no random numbers");
  }
  return id;
}

std::string new_fence() {
  std::string fence;
  domain::append_hex(new_identity(), fence);
  return fence;
}

void RedisFacts::append_questions(const StoreFacts::Id& new_id, std::string& out) {
  std::string id;
  domain::append_hex(new_id, id);
  append_command({"HSETNX", facts_key, "id", id}, out);
  append_command({"HMGET", facts_key, "id", "record", "fence"}, out);
  append_command({"INFO", "server"}, out);
}

void RedisFacts::take(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR && refusal_.empty()) {
    refusal_ = text_of(reply);
  } else if (reply.type == REDIS_REPLY_ARRAY) {
    const auto text = [&](std::size_t i) { return string_of(*reply.element[i]); };
    StoreFacts::Id id{};
    if (domain::parse_hex(text(0), id)) id_ = id;
    record_ = text(1);
    fence_ = text(2);
  } else if (reply.type == REDIS_REPLY_STRING) {
    auto info = text_of(reply);
    if (const auto at = info.find(run_id); at != info.npos) {
      info.remove_prefix(at + run_id.size());
      run_ = info.substr(0, info.find_first_of("\r\n"));
    }
  }
}

RedisFacts RedisFacts::of_name(std::string_view name) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  RedisFacts facts;
  std::copy_n(digest.begin(), facts.id_.emplace().size(), facts.id_->begin());
  facts.run_ = "named " + std::string(name);
  return facts;
}

std::optional<StoreFacts> RedisFacts::facts() const {
  if (!id_ || run_.empty()) return std::nullopt;
  return StoreFacts{.id = *id_, .server_run = run_, .record = record_};
}

std::string RedisFacts::why_not(const RedisSettings& settings) const {
  if (!refusal_.empty()) return explain(refusal_, settings);
  if (!id_) return "the field id of " + std::string(facts_key) + " must be 32 hex digits";
  return "INFO has no run_id";
}

}  // namespace tracker::store::redis
