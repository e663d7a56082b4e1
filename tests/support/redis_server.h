#ifndef TRACKER_TESTS_SUPPORT_REDIS_SERVER_H_
#define TRACKER_TESTS_SUPPORT_REDIS_SERVER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/endpoint.h"
#include "support/program.h"

namespace tracker::tests {

// A reply of Redis.
struct RedisReply {
  bool is_error = false;
  std::int64_t integer = 0;
  std::string text;  // of a string, a status or an error
  std::vector<RedisReply> elements;
};

// A real redis-server on a port of 127.0.0.1, in a directory that is removed at the end. Main thread of the test only,
// except for command().
class RedisServer {
 public:
  // What it keeps when it is killed: nothing, or everything that it replied to.
  enum class Keeps { nothing, everything };

  // Returns when it answers. `more` are further settings of redis-server, in the form of its command line.
  explicit RedisServer(Keeps keeps = Keeps::nothing, Arguments more = {}, std::string password = "");
  ~RedisServer();

  const Endpoint& endpoint() const { return endpoint_; }
  std::string address() const { return endpoint_.to_string(); }
  bool running() const { return program_ && program_->running(); }

  void send_signal(int signal);
  // SIGKILL. Returns when it is gone.
  void kill();
  // Starts it again after kill(), on the same port and in the same directory. Returns when it answers. `also` are
  // settings for this run only.
  void start_again(const Arguments& also = {});
  // The same in two steps.
  void launch(const Arguments& also = {});
  void wait_until_it_answers(const Arguments& also = {});
  Program& program() { return *program_; }

  // Sends one command over a new connection and returns the reply. Throws if there is none within `patience`. Any
  // thread.
  RedisReply command(const Arguments& arguments) const;

 private:
  // Returns false if it ended because the port was taken.
  bool wait_for_answer();
  bool answers() const;

  const Keeps keeps_;
  const Arguments more_;
  const std::string password_;
  std::filesystem::path directory_;
  Endpoint endpoint_;
  std::unique_ptr<Program> program_;
};

// Waits until the replica has received everything that its master has written so far. (WAIT waits only for what was written
// on its own connection.) Throws at the deadline.
void wait_received(const RedisServer& replica, const RedisServer& master);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_REDIS_SERVER_H_
