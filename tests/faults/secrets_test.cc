// What the programs write, in an outage too, holds no token.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

// Where clients put a token, rightly and wrongly.
std::vector<std::string> requests_with(const std::string& token) {
  const std::string host = "Host: a\r\n";
  return {
      get("/a", token),
      "GET /a?token=" + token + " HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\n\r\n",
      "GET /a HTTP/1.1\r\n" + host + "Authorization: " + token + "x\r\n\r\n",
      "GET /a HTTP/1.1\r\n" + host + "Authorization: Basic " + token + "\r\n\r\n",
      "GET /a HTTP/1.1\r\n" + host + "Authorization: " + token + "\r\nAuthorization: " + token + "\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: " + token + "\r\nCookie: " + token + "\r\n" + token + ": " + token +
          "\r\n\r\n",
      "GET /a HTTP/1.1\r\n" + host + "Content-Length: " + token + "\r\n\r\n",
      "GET /a HTTP/1.1\r\n" + host + "Expect: " + token + "\r\n\r\n",
      "GET /a#" + token + " HTTP/1.1\r\n" + host + "\r\n",
      "GET " + token + " HTTP/1.1\r\n" + host + "\r\n",
      "GET /a " + token + "\r\n\r\n",
      token + " /a HTTP/1.1\r\n" + host + "\r\n",
      token + "\r\n\r\n",
      token + ": x\r\n\r\n",
      "POST /a HTTP/1.1\r\n" + host + "Authorization: " + token + "\r\nContent-Length: 36\r\n\r\n" + token,
  };
}

class SecretsTest : public testing::Test {
 protected:
  void SetUp() override {
    fleet_.start_counter();
    fleet_.start_envoy({"--access-log", path()});
    fleet_.start_envoy({"--access-log", "-", "--log-format", "json"});
    for (std::size_t i = 0; i < 2; ++i) {
      wait_readyz(fleet_.envoy(i).health, 200);
      tokens_.push_back(Caller(fleet_.envoy(i).door).mint());
    }
  }

  std::string path() const { return directory_.path() / "access.log"; }

  // Sends everything with every token to every envoy. The answers do not matter.
  void send_all() {
    for (std::size_t i = 0; i < 2; ++i) {
      for (const auto& token : tokens_) {
        for (const auto& request : requests_with(token)) {
          RawClient client(fleet_.envoy(i).door);
          client.send(request);
          static_cast<void>(client.read_answer_or_end());
        }
      }
    }
  }

  void restart_counter() {
    all_ += fleet_.counter().program->output();
    fleet_.kill_counter();
    wait_readyz(fleet_.envoy().health, 503);
    send_all();
    fleet_.start_counter();
    wait_ready();
  }

  void wait_ready() {
    for (std::size_t i = 0; i < 2; ++i) wait_readyz(fleet_.envoy(i).health, 200);
  }

  std::string all_output() {
    for (Program* program :
         {fleet_.envoy(0).program.get(), fleet_.envoy(1).program.get(), fleet_.counter().program.get()}) {
      program->send_signal(SIGTERM);
      EXPECT_EQ(program->wait_exit(), 0);
      all_ += program->output();
    }
    std::ifstream file(path());
    return all_ + std::string(std::istreambuf_iterator<char>(file), {});
  }

  TemporaryDirectory directory_;
  Fleet fleet_{RedisServer::Keeps::everything};
  std::vector<std::string> tokens_;
  std::string all_;
};

std::string without_hyphens(std::string text) {
  std::erase(text, '-');
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TEST_F(SecretsTest, NoOutputHoldsATokenWhateverFails) {
  send_all();
  fleet_.redis().kill();
  wait_readyz(fleet_.envoy().health, 503);
  send_all();
  fleet_.redis().start_again();
  wait_ready();
  restart_counter();
  send_all();
  const auto output = without_hyphens(all_output());
  for (const auto& token : tokens_)
    EXPECT_EQ(output.find(without_hyphens(token)), std::string::npos) << token;
  for (const std::string written : {" 200 1 ", "\"count\":", " 503 not_counted ", "listening", "drained"})
    EXPECT_NE(output.find(written), std::string::npos) << written << '\n' << output;
}

}  // namespace
}  // namespace tracker::tests
