#include "doors/http_server.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/listener.h"
#include "support/deadline.h"
#include "support/raw_client.h"

namespace tracker::doors {
namespace {

using Server = HttpServer<boost::asio::ip::tcp>;
using tests::RawClient;

constexpr std::size_t connections_max = 64;

/// A server that answers /wait only when it is told to.
class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    auto acceptors = runtime::listen(loop_, {"127.0.0.1", 0});
    server_ =
        std::make_shared<Server>(std::move(acceptors.front()), 0,
                                 [this](const Request& request, const auto& /*passed*/, Server::Done done) {
                                   if (request.target() != "/wait")
                                     return done(respond(http::status::ok, "text/plain", ""));
                                   const std::lock_guard lock(mutex_);
                                   waiting_.push_back(std::move(done));
                                 });
    door_ = tests::Endpoint::parse(runtime::to_string(server_->endpoint()));
    server_->start();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~HttpServerTest() override {
    loop_.stop();
    thread_.join();
  }

  static void send(RawClient& client, const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  static void ask(RawClient& client) {
    send(client, "/");
    EXPECT_EQ(client.read_answer().status, 200);
  }
  void expect_waiting(std::size_t number) {
    for (const tests::Deadline deadline; !deadline.passed(); std::this_thread::yield()) {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() == number) return;
    }
    FAIL() << "the requests do not come";
  }
  void answer_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& done : waiting_) done(respond(http::status::ok, "text/plain", ""));
    waiting_.clear();
  }

  boost::asio::io_context loop_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  std::shared_ptr<Server> server_;
  tests::Endpoint door_;
  std::mutex mutex_;
  std::vector<Server::Done> waiting_;  // mutex_
  std::thread thread_;
};

TEST_F(HttpServerTest, WhoWaitsForAnAnswerKeepsItsPlace) {
  RawClient first(door_);
  send(first, "/wait");
  expect_waiting(1);
  std::deque<RawClient> clients;
  while (clients.size() < connections_max - 1) ask(clients.emplace_back(door_));
  std::deque<RawClient> others;
  for (int i = 0; i < 3; ++i) {
    ask(others.emplace_back(door_));
    EXPECT_EQ(clients.front().read_to_end(), RawClient::End::closed);
    clients.pop_front();
  }
  for (auto& client : clients) ask(client);
  answer_all();
  EXPECT_EQ(first.read_answer().status, 200);
}

TEST_F(HttpServerTest, WhereAllWaitTheNextOneIsClosed) {
  std::deque<RawClient> clients;
  while (clients.size() < connections_max) send(clients.emplace_back(door_), "/wait");
  expect_waiting(connections_max);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RawClient(door_).read_to_end(), RawClient::End::closed);
  answer_all();
  for (auto& client : clients) EXPECT_EQ(client.read_answer().status, 200);
  RawClient another(door_);
  ask(another);
}

}  // namespace
}  // namespace tracker::doors
