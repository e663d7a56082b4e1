#include "store/redis/redis_replies.h"

#include <hiredis/hiredis.h>

#include <new>

namespace tracker::store {

namespace {

/// hiredis' own, which allocate each reply.
const redisReplyObjectFunctions& allocating() {
  static const redisReplyObjectFunctions functions = [] {
    const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
    if (!reader) throw std::bad_alloc();
    return *reader->fn;
  }();
  return functions;
}

/// A number within an array is part of that; one by itself is written into the reader's own.
void* create_integer(const redisReadTask* task, long long value) {
  if (task->parent != nullptr) return allocating().createInteger(task, value);
  auto* number = static_cast<redisReply*>(task->privdata);
  number->integer = value;
  return number;
}

redisReplyObjectFunctions* sparing() {
  static redisReplyObjectFunctions functions = [] {
    auto its = allocating();
    its.createInteger = create_integer;
    return its;
  }();
  return &functions;
}

}  // namespace

void RedisReplies::Free::operator()(redisReader* reader) const noexcept {
  redisReaderFree(reader);
}

void RedisReplies::Free::operator()(redisReply* reply) const noexcept {
  freeReplyObject(reply);
}

RedisReplies::RedisReplies() : reader_(redisReaderCreateWithFunctions(sparing())) {
  redisReadTask task{};
  task.type = REDIS_REPLY_INTEGER;
  number_.reset(static_cast<redisReply*>(allocating().createInteger(&task, 0)));
  if (!reader_ || !number_) throw std::bad_alloc();
  reader_->privdata = number_.get();
}

RedisReplies::~RedisReplies() = default;

void RedisReplies::feed(std::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

const redisReply* RedisReplies::next() {
  other_.reset();
  void* reply = nullptr;
  broken_ = redisReaderGetReply(reader_.get(), &reply) != REDIS_OK;
  if (reply != number_.get()) other_.reset(static_cast<redisReply*>(reply));
  return static_cast<redisReply*>(reply);
}

}  // namespace tracker::store
