// docs/examples/nginx.conf, run by a real nginx: tracker counts a request before an API sees it. Only its addresses are
// replaced. Skipped if nginx is not installed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/fleet.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

// Replaces `as_written`, which must occur exactly once, by `address`.
void replace_address(std::string& text, const std::string& as_written, const std::string& address) {
  const auto at = text.find(as_written);
  if (at == text.npos || text.find(as_written, at + 1) != text.npos) {
    throw std::runtime_error(std::string(NGINX_EXAMPLE) + " does not hold " + as_written + " exactly once");
  }
  text.replace(at, as_written.size(), address);
}

// nginx with the example, before an API that answers with what it was asked.
class Nginx {
 public:
  explicit Nginx(const Endpoint& tracker) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      endpoint_ = {"127.0.0.1", lasting_port()};
      launch(tracker);
      if (wait_until_it_accepts()) return;
    }
    throw std::runtime_error("nginx does not start; it said:\n" + program_->output());
  }

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  void launch(const Endpoint& tracker) {
    const auto directory = directory_.path().string();
    const auto api = "unix:" + directory + "/api.sock";
    std::filesystem::remove(directory + "/api.sock");
    std::ostringstream example;
    example << std::ifstream(NGINX_EXAMPLE).rdbuf();
    auto text = example.str();
    replace_address(text, "127.0.0.1:6380", tracker.to_string());
    replace_address(text, "127.0.0.1:8090", api);
    replace_address(text, "127.0.0.1:8080", endpoint_.to_string());
    // One process, so that none is left when it is killed.
    std::ofstream(directory + "/nginx.conf")
        << "daemon off; master_process off; error_log stderr; pid nginx.pid; events {}\n"
        << "http { access_log off;\n"
        << "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
        << "uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
        << "server { listen " << api << "; return 200 'API: $request_method $request_uri'; }\n"
        << text << "}\n";
    program_.reset();
    program_ = std::make_unique<Program>(
        Arguments{"-e", "stderr", "-p", directory, "-c", directory + "/nginx.conf"}, Environment{}, NGINX);
  }

  bool wait_until_it_accepts() {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(5ms)) {
      if (!program_->running()) return false;
      try {
        const RawClient client(endpoint_);
        return true;
      } catch (const std::system_error&) {  // not yet
      }
    }
    return false;
  }

  const TemporaryDirectory directory_;
  Endpoint endpoint_;
  std::unique_ptr<Program> program_;
};

class NginxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(NGINX).empty()) GTEST_SKIP() << "nginx is not installed";
  }

  static Service start_serve(const Arguments& more = {}) {
    Arguments arguments{"serve",       "--store",   "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                        "127.0.0.1:0", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Service::start(arguments, "envoy");
  }
};

HttpAnswer ask(const Endpoint& nginx, const std::string& request) {
  RawClient client(nginx);
  client.send(request);
  return client.read_answer();
}

std::string token_from(const HttpAnswer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.to_string();
  EXPECT_THAT(answer.body, StartsWith(R"({"token":")"));
  return answer.body.substr(10, 36);
}

TEST_F(NginxTest, CountsEachRequestBeforeTheApiSeesIt) {
  const auto tracker = start_serve();
  const Nginx nginx(tracker.door);
  const auto token = token_from(ask(nginx.endpoint(), get_without_token("/auth")));

  const auto answer = ask(nginx.endpoint(), get("/users?page=2", token));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "API: GET /users?page=2");
  const auto bearer = get_without_token("/users", "Authorization: Bearer " + token + "\r\n");
  EXPECT_EQ(ask(nginx.endpoint(), bearer).body, "API: GET /users");
  // With any method and fields, and with a body.
  const auto post = "POST /users HTTP/1.1\r\nHost: api\r\nAuthorization: " + token +
                    "\r\nExpect: nothing\r\nCookie: " + repeated("c", 7000) +
                    "\r\nX-More: " + repeated("x", 7000) + "\r\nX-Even-More: " + repeated("y", 7000) +
                    "\r\nContent-Length: 5\r\n\r\nhello";
  EXPECT_EQ(ask(nginx.endpoint(), post).body, "API: POST /users");
  EXPECT_EQ(Caller(tracker.door).count("/api/users", token), 4);
}

TEST_F(NginxTest, NothingPassesWithoutAToken) {
  const auto tracker = start_serve();
  const Nginx nginx(tracker.door);
  const auto unknown = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";
  for (const auto& request : {get_without_token("/users"), get("/users", "nonsense"), get("/users", unknown),
                              get_without_token("/auth/"), get_without_token("/auth/x")}) {
    const auto answer = ask(nginx.endpoint(), request);
    EXPECT_EQ(answer.status, 401) << request;
    EXPECT_EQ(answer.field("WWW-Authenticate"), "Bearer");
    EXPECT_EQ(answer.body.find("API"), std::string::npos);
  }
  EXPECT_EQ(ask(nginx.endpoint(), get_without_token("/_count")).status, 404);
  // In any spelling, /auth hands out a token and does not reach the API.
  for (const auto* target :
       {"/auth?x", "/%61uth", "//auth", "/x/../auth", "/x/%2e%2e/auth", "/x%2f..%2fauth"}) {
    EXPECT_THAT(ask(nginx.endpoint(), get_without_token(target)).body, StartsWith(R"({"token":)")) << target;
  }
}

TEST_F(NginxTest, SaysForWhomItAsksForATokenWhateverTheClientSays) {
  const auto tracker =
      start_serve({"--mint-rate", "1", "--mint-burst", "5", "--trusted-proxies", "127.0.0.1"});
  const Nginx nginx(tracker.door);
  int tokens = 0;
  for (int i = 1; i <= 30; ++i) {
    const auto other = "192.0.2." + std::to_string(i);
    const auto answer =
        ask(nginx.endpoint(),
            get_without_token("/auth", "X-Forwarded-For: " + other + "\r\nForwarded: for=" + other + "\r\n"));
    if (answer.status == 200) ++tokens;
  }
  EXPECT_GE(tokens, 5);
  EXPECT_LT(tokens, 30) << "5 at once, and one a second";
}

TEST_F(NginxTest, SaysWhetherARequestWasCounted) {
  // An envoy without a counter counts nothing.
  auto tracker = Service::start({"envoy", "--counter-addr", "127.0.0.1:" + std::to_string(lasting_port()),
                                 "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"},
                                "envoy");
  const Nginx nginx(tracker.door);
  const auto request = get("/users", "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
  const auto not_counted = ask(nginx.endpoint(), request);
  EXPECT_EQ(not_counted.status, 503);
  EXPECT_TRUE(not_counted.field("Retry-After"));
  EXPECT_EQ(ask(nginx.endpoint(), get("/\xC3\xA4", "nonsense")).status, 400);

  tracker.program.reset();
  const auto perhaps = ask(nginx.endpoint(), request);
  EXPECT_EQ(perhaps.status, 504);
  EXPECT_FALSE(perhaps.field("Retry-After"));
}

}  // namespace
}  // namespace tracker::tests
