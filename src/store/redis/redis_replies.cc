#include "store/redis/redis_replies.h"

#include <hiredis/hiredis.h>

#include <new>

namespace tracker::store::redis {

namespace {

// The replies to tracker's commands are smaller than this.
constexpr int elements_max = 1024 * 1024;
constexpr std::size_t reply_bytes_max = 32 * 1024 * 1024;

/// hiredis' own functions, which allocate each reply.
const redisReplyObjectFunctions& allocating() {
  static const redisReplyObjectFunctions functions = [] {
    const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
    if (!reader) throw std::bad_alloc();
    return *reader->fn;
  }();
  return functions;
}

/// A number in an array becomes part of the array. A number by itself is written into the reader's own reply.
void* create_integer(const redisReadTask* task, long long value) {
  if (task->parent != nullptr) return allocating().createInteger(task, value);
  auto* number = static_cast<redisReply*>(task->privdata);
  number->integer = value;
  return number;
}

/// The only array in an array is in the reply to SCAN: the second of two elements. hiredis would free deeper ones by
/// recursion, and a peer could make it allocate much by a few bytes.
void* create_array(const redisReadTask* task, int elements) {
  const auto* outer = task->parent;
  if (outer != nullptr && (outer->parent != nullptr || outer->elements != 2 || task->idx != 1))
    return nullptr;
  if (elements < 0 || elements > elements_max) return nullptr;
  return allocating().createArray(task, elements);
}

redisReplyObjectFunctions* sparing() {
  static redisReplyObjectFunctions functions = [] {
    auto its = allocating();
    its.createInteger = create_integer;
    its.createArray = create_array;
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
  unread_ += bytes.size();
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) broken_ = true;
}

const redisReply* RedisReplies::next() {
  other_.reset();
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) broken_ = true;
  if (reply != nullptr) unread_ = 0;
  if (unread_ > reply_bytes_max) broken_ = true;
  if (reply != number_.get()) other_.reset(static_cast<redisReply*>(reply));
  return static_cast<redisReply*>(reply);
}

}  // namespace tracker::store::redis
