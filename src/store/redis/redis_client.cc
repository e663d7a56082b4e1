#include "store/redis/redis_client.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "store/redis/redis_error.h"
#include "store/redis/redis_round.h"

namespace tracker::store::redis {

namespace {

timeval timeval_of(std::chrono::milliseconds time) {
  return {.tv_sec = time.count() / 1'000, .tv_usec = time.count() % 1'000 * 1'000};
}

/// In words, what reading and moving tokens needs beside what counting needs.
std::string explain_denied(std::string_view error, const RedisSettings& settings) {
  const std::string& user = settings.redis.user;
  return "it says " + printable(error) +
         ": its ACL is too narrow to read and move tokens; this adds what is missing: ACL SETUSER " +
         (user.empty() ? "default" : user) +
         " ~tracker:* +hgetall +hscan +hlen +hdel +rename +renamenx +unlink +hexists +hsetnx +hset +hget "
         "+hmget +del "
         "+eval "
         "+scan +select "
         "+config|get +info" +
         (settings.replicas > 0 ? " +wait" : "") + "; and, for a cluster, +cluster|nodes +asking";
}

}  // namespace

void FreeReply::operator()(redisReply* reply) const noexcept {
  freeReplyObject(reply);
}

void RedisClient::FreeContext::operator()(redisContext* context) const noexcept {
  redisFree(context);
}

RedisClient::RedisClient(const RedisSettings& settings)
    : settings_(settings), name_("Redis at " + to_string(settings.redis)) {}

RedisClient::~RedisClient() = default;

void RedisClient::begin() {
  if (due_ > 0) context_.reset();
  if (!context_) connect();
}

void RedisClient::connect() {
  due_ = 0;
  ++connections_;
  const auto& redis = settings_.redis;
  const auto patience = timeval_of(settings_.reply_deadline);
  context_.reset(redisConnectWithTimeout(redis.address.host.c_str(), redis.address.port, patience));
  if (!context_) throw std::bad_alloc();
  if (context_->err != 0) lose();
  if (redisSetTimeout(context_.get(), patience) != REDIS_OK) lose();
  std::string login;
  if (!redis.password.empty() && redis.user.empty()) append_command({"AUTH", redis.password}, login);
  if (!redis.password.empty() && !redis.user.empty())
    append_command({"AUTH", redis.user, redis.password}, login);
  if (!login.empty()) {
    send(login);
    const auto reply = take();
    if (reply->type == REDIS_REPLY_ERROR) {
      context_.reset();
      throw StoreError(name_ + ": " + explain_login(text_of(*reply), settings_));
    }
  }
  if (redis.database == 0) return;
  std::string choice;
  append_command({"SELECT", std::to_string(redis.database)}, choice);
  send(choice);
  const auto reply = take();
  if (reply->type == REDIS_REPLY_ERROR) context_.reset();
  check(*reply);
}

void RedisClient::lose() {
  const std::string what = context_->errstr;  // NOLINT(clang-analyzer-cplusplus.StringChecker): it is there
  const bool is_late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  context_.reset();
  due_ = 0;
  throw ConnectionLost(
      name_ +
      (is_late ? " has not replied within " + std::to_string(settings_.reply_deadline.count()) + " ms"
               : ": " + what) +
      "; run this again when it is well");
}

void RedisClient::send(std::string_view commands, std::size_t number) {
  if (redisAppendFormattedCommand(context_.get(), commands.data(), commands.size()) != REDIS_OK) lose();
  due_ += number;
}

void RedisClient::flush() {
  for (int done = 0; done == 0;) {
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) lose();
  }
}

RedisReplyPtr RedisClient::take() {
  void* reply = nullptr;
  if (redisGetReply(context_.get(), &reply) != REDIS_OK) lose();
  --due_;
  return RedisReplyPtr(static_cast<redisReply*>(reply));
}

std::vector<RedisReplyPtr> RedisClient::exchange(std::string_view commands, std::size_t number) {
  const bool is_old = context_ != nullptr;
  std::vector<RedisReplyPtr> replies;
  try {
    begin();
    send(commands, number);
    while (replies.size() < number) replies.push_back(take());
    return replies;
  } catch (const ConnectionLost&) {
    if (!is_old) throw;
  }
  return exchange(commands, number);
}

RedisReplyPtr RedisClient::call(std::initializer_list<std::string_view> command) {
  std::string text;
  append_command(command, text);
  auto reply = std::move(exchange(text, 1).front());
  check(*reply);
  return reply;
}

void RedisClient::check(const redisReply& reply, std::string_view about) const {
  if (reply.type != REDIS_REPLY_ERROR) return;
  const auto error = text_of(reply);
  throw StoreError(name_ + ": " + (about.empty() ? "" : std::string(about) + ": ") +
                   (is_denied(error) ? explain_denied(error, settings_) : explain(error, settings_)));
}

}  // namespace tracker::store::redis
