#include "support/nutcracker.h"

#include <hiredis/hiredis.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "support/deadline.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

// The addresses in packaging/nutcracker.yml: its own, and those of the Redis.
constexpr const char* own_address = "127.0.0.1:6470";
constexpr const char* redis_addresses[Nutcracker::servers] = {"127.0.0.1:6471", "127.0.0.1:6472",
                                                              "127.0.0.1:6473"};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (text.empty()) throw std::runtime_error("there is no " + file.string());
  return text;
}

void replace(std::string& text, const std::string& old, const std::string& by) {
  const auto at = text.find(old);
  if (at == text.npos || text.find(old, at + 1) != text.npos) {
    throw std::runtime_error(old + " should be once in packaging/nutcracker.yml");
  }
  text.replace(at, old.size(), by);
}

}  // namespace

Nutcracker::Nutcracker(const std::vector<Endpoint>& redis) : redis_(redis) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    choose_ports();
    launch();
    if (wait_for_answer()) return;
  }
  throw std::runtime_error("no port for nutcracker; it said:\n" + text_of(directory_.path() / "log"));
}

void Nutcracker::choose_ports() {
  endpoint_ = {"127.0.0.1", lasting_port()};
  statistics_ = {"127.0.0.1", lasting_port()};
  std::string configuration = text_of(NUTCRACKER_CONFIGURATION);
  replace(configuration, own_address, address());
  for (std::size_t i = 0; i < servers; ++i)
    replace(configuration, redis_addresses[i], redis_.at(i).to_string());
  std::ofstream(directory_.path() / "nutcracker.yml") << configuration;
}

void Nutcracker::launch() {
  program_.reset();  // it would still occupy the port
  const Arguments arguments{"--conf-file",  directory_.path() / "nutcracker.yml",
                            "--output",     directory_.path() / "log",
                            "--stats-addr", statistics_.host,
                            "--stats-port", std::to_string(statistics_.port)};
  program_ = std::make_unique<Program>(arguments, Environment{}, NUTCRACKER);
}

bool Nutcracker::wait_for_answer() {
  for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(5ms)) {
    if (!program_->running()) return false;
    if (answers()) return program_->running();
  }
  throw std::runtime_error("nutcracker does not answer");
}

void Nutcracker::wait_until_it_answers() {
  for (const Deadline deadline; !deadline.passed(); launch()) {
    if (wait_for_answer()) return;
  }
  throw std::runtime_error("nutcracker does not start again; it said:\n" +
                           text_of(directory_.path() / "log"));
}

bool Nutcracker::answers() const {
  const timeval limit{1, 0};
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(
      redisConnectWithTimeout(endpoint_.host.c_str(), endpoint_.port, limit), &redisFree);
  if (!context || context->err != 0) return false;
  redisSetTimeout(context.get(), limit);
  const std::unique_ptr<void, decltype(&freeReplyObject)> reply(redisCommand(context.get(), "PING"),
                                                                &freeReplyObject);
  return reply != nullptr;
}

}  // namespace tracker::tests
