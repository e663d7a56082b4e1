// docs/examples/own-counts.html in a real browser, on a page of another origin than the self door. Skipped if chromium is not
// installed (packaging/install-packages pages).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "self/self_reader.h"
#include "support/caller.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::Not;
using Tcp = boost::asio::ip::tcp;

// Serves one page, whatever it is asked for.
class PageServer {
 public:
  ~PageServer() {
    boost::system::error_code ignored;
    ends_ = true;
    Tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);
    if (thread_.joinable()) thread_.join();
  }

  std::string origin() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

  void serve(const std::string& page) {
    thread_ = std::thread([this, page] {
      while (true) {
        auto client = acceptor_.accept();
        if (ends_) return;
        boost::system::error_code ignored;
        std::string request;
        boost::asio::read_until(client, boost::asio::dynamic_buffer(request), "\r\n\r\n", ignored);
        boost::asio::write(client,
                           boost::asio::buffer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: "
                                               "close\r\nContent-Length: " +
                                               std::to_string(page.size()) + "\r\n\r\n" + page),
                           ignored);
      }
    });
  }

 private:
  boost::asio::io_context context_;
  Tcp::acceptor acceptor_{context_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

// The example, with the address of this door.
std::string example_page(const Endpoint& door) {
  std::ostringstream text;
  text << std::ifstream(OWN_COUNTS_PAGE).rdbuf();
  auto page = text.str();
  const std::string written = "http://127.0.0.1:6386";
  const auto at = page.find(written);
  if (at == page.npos) throw std::runtime_error(std::string(OWN_COUNTS_PAGE) + " does not name a door");
  return page.replace(at, written.size(), "http://" + door.to_string());
}

// A script that does to the page what a person would, one step after the other, each as soon as the page is done with
// the one before. Then the title is `done`.
std::string driver(const std::string& steps) {
  return "<script>const idle = async () => { do await new Promise((go) => setTimeout(go, 20));"
         " while (element('message').textContent.startsWith('Reading')); };"
         "(async () => { " +
         steps + " document.title = 'done'; })();</script>";
}

class OwnCountsPageTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(CHROMIUM).empty()) GTEST_SKIP() << "chromium is not installed";
  }

  void start(const Arguments& flags) {
    Arguments all{"serve",   "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                  "--store", "memory",       "--self-addr", "127.0.0.1:0"};
    all.insert(all.end(), flags.begin(), flags.end());
    tracker_.emplace(all);
    doors_ = tracker_->wait_listening();
  }

  // The page, as the browser shows it after these steps.
  std::string shown_after(const std::string& steps) {
    pages_.serve(example_page(doors_.at("self")) + driver(steps));
    const TemporaryDirectory profile;
    Program browser({"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--user-data-dir=" + profile.path().string(),
                     "--virtual-time-budget=60000", "--dump-dom", pages_.origin() + "/"},
                    {{"HOME", profile.path().string()}}, CHROMIUM);
    const auto exit_code = browser.wait_exit(std::chrono::seconds(90));
    EXPECT_EQ(exit_code, 0) << browser.output();
    EXPECT_THAT(browser.standard_output(), HasSubstr("<title>done</title>")) << browser.standard_error();
    return browser.standard_output();
  }

  PageServer pages_;
  std::optional<Program> tracker_;
  std::map<std::string, Endpoint> doors_;
};

std::string fill_in(const std::string& token, const std::string& prefix = "") {
  return "element('token').value = '" + token + "'; element('prefix').value = '" + prefix +
         "'; element('form').requestSubmit(); await idle(); ";
}
constexpr const char* click_more = "element('more').click(); await idle(); ";

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++number;
  return number;
}

TEST_F(OwnCountsPageTest, ShowsACustomerItsCountsPageByPage) {
  start({"--self-origins", pages_.origin()});
  Caller caller(doors_.at("envoy"));
  const auto token = caller.mint();
  for (int i = 0; i < 150; ++i) caller.count("/in/" + std::to_string(i), token);
  caller.count("/in/7", token);
  caller.count("/out?<b>", token);
  const auto page = shown_after(fill_in(token, "/in/") + click_more);
  EXPECT_THAT(page, HasSubstr("<td>/in/7</td><td>2</td>"));
  EXPECT_EQ(occurrences(page, "<td>/in/"), 150U);
  EXPECT_THAT(page, Not(HasSubstr("/out")));
  EXPECT_THAT(page, HasSubstr(R"(<button id="more" hidden="">)"));
  EXPECT_EQ(caller.count("/in/7", token), 3) << "the page has counted nothing";
}

TEST_F(OwnCountsPageTest, SaysWhatIsWrongAndForgetsAnotherTokensCounts) {
  start({"--self-origins", pages_.origin()});
  Caller caller(doors_.at("envoy"));
  const auto token = caller.mint();
  caller.count("/mine", token);
  const auto page = shown_after(fill_in(token) + fill_in("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd"));
  EXPECT_THAT(page, HasSubstr("This token is not known here."));
  EXPECT_THAT(page, Not(HasSubstr("/mine")));
}

TEST_F(OwnCountsPageTest, TheBrowserKeepsPagesOfOtherOriginsOut) {
  start({"--self-origins", "https://a.example"});
  Caller caller(doors_.at("envoy"));
  const auto token = caller.mint();
  caller.count("/mine", token);
  const auto page = shown_after(fill_in(token));
  EXPECT_THAT(page, HasSubstr("Failed to fetch"));
  EXPECT_THAT(page, Not(HasSubstr("/mine")));
}

}  // namespace
}  // namespace tracker::tests
