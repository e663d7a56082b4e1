#include "support/redis_server.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>

#include <stdexcept>
#include <thread>
#include <utility>

#include "support/deadline.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

std::filesystem::path new_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "tracker-redis-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory like " + name);
  return std::filesystem::canonical(name);
}

RedisReply copy_of(const redisReply& reply) {
  RedisReply copy;
  copy.is_error = reply.type == REDIS_REPLY_ERROR;
  copy.integer = reply.integer;
  if (reply.str != nullptr) copy.text.assign(reply.str, reply.len);
  for (std::size_t i = 0; i < reply.elements; ++i) copy.elements.push_back(copy_of(*reply.element[i]));
  return copy;
}

using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;

RedisReply ask(const Context& context, const Arguments& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  const std::unique_ptr<void, decltype(&freeReplyObject)> reply(
      redisCommandArgv(context.get(), static_cast<int>(texts.size()), texts.data(), sizes.data()),
      &freeReplyObject);
  if (!reply) throw std::runtime_error("redis-server does not answer: " + std::string(context->errstr));
  return copy_of(*static_cast<redisReply*>(reply.get()));
}

}  // namespace

RedisServer::RedisServer(Keeps keeps, Arguments more, std::string password)
    : keeps_(keeps), more_(std::move(more)), password_(std::move(password)), directory_(new_directory()) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    endpoint_ = {"127.0.0.1", lasting_port()};
    launch();
    if (wait_for_answer()) return;
  }
  std::filesystem::remove_all(directory_);
  throw std::runtime_error("no port for redis-server; it said:\n" + program_->output());
}

RedisServer::~RedisServer() {
  program_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RedisServer::launch(const Arguments& also) {
  Arguments arguments{"--port",      std::to_string(endpoint_.port),
                      "--bind",      endpoint_.host,
                      "--dir",       directory_,
                      "--save",      "",
                      "--appendonly"};
  if (keeps_ == Keeps::everything) {
    arguments.insert(arguments.end(), {"yes", "--appendfsync", "always"});
  } else {
    arguments.insert(arguments.end(), {"no"});
  }
  if (!password_.empty()) arguments.insert(arguments.end(), {"--requirepass", password_});
  arguments.insert(arguments.end(), more_.begin(), more_.end());
  arguments.insert(arguments.end(), also.begin(), also.end());
  program_.reset();  // it would still occupy the port
  program_ = std::make_unique<Program>(arguments, Environment{}, REDIS_SERVER);
}

bool RedisServer::wait_for_answer() {
  for (const Deadline deadline; !deadline.passed();) {
    if (!program_->running()) return false;
    if (answers()) return true;
    std::this_thread::sleep_for(5ms);
  }
  throw std::runtime_error("redis-server does not answer; it said:\n" + program_->output());
}

// Another redis-server may have taken the port in the meantime. CONFIG may be forbidden.
bool RedisServer::answers() const {
  try {
    const std::string ours = "\nprocess_id:" + std::to_string(program_->pid()) + "\r";
    return command({"INFO", "server"}).text.find(ours) != std::string::npos &&
           command({"PING"}).text == "PONG";
  } catch (const std::runtime_error&) {
    return false;
  }
}

void RedisServer::send_signal(int signal) {
  program_->send_signal(signal);
}

void RedisServer::kill() {
  program_->send_signal(SIGKILL);
  if (!program_->wait_exit()) throw std::runtime_error("redis-server outlives SIGKILL");
}

void RedisServer::start_again(const Arguments& also) {
  launch(also);
  wait_until_it_answers(also);
}

void RedisServer::wait_until_it_answers(const Arguments& also) {
  for (const Deadline deadline; !deadline.passed(); launch(also)) {
    if (wait_for_answer()) return;
  }
  throw std::runtime_error("redis-server does not start again; it said:\n" + program_->output());
}

RedisReply RedisServer::command(const Arguments& arguments) const {
  const timeval limit{std::chrono::seconds(patience).count(), 0};
  const Context context(redisConnectWithTimeout(endpoint_.host.c_str(), endpoint_.port, limit), &redisFree);
  if (!context || context->err != 0) throw std::runtime_error("nobody at " + address());
  redisSetTimeout(context.get(), limit);
  if (!password_.empty()) ask(context, {"AUTH", password_});
  return ask(context, arguments);
}

void wait_received(const RedisServer& replica, const RedisServer& master) {
  const auto offset_of = [](const RedisServer& redis) {
    const auto info = redis.command({"INFO", "replication"}).text;
    const auto at = info.find("master_repl_offset:");
    return info.substr(at, info.find('\r', at) - at);
  };
  for (const Deadline deadline; offset_of(replica) != offset_of(master);) {
    if (deadline.passed()) throw std::runtime_error("a replica does not receive everything");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace tracker::tests
