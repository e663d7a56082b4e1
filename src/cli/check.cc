#include "cli/check.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <cstdio>
#include <map>
#include <random>

#include "cli/check_load.h"
#include "runtime/listener.h"
#include "settings/setting_values.h"
#include "settings/startup_error.h"

namespace tracker::cli {

using settings::SettingTable;
using settings::StartupError;

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Stream = boost::beast::basic_stream<asio::ip::tcp>;
using Token = CheckShare::Token;

constexpr std::size_t connections_of_an_envoy = 16;
constexpr auto answer_deadline = std::chrono::seconds(10);

struct Request {
  Token token;
  std::string path;
};

/// What came back for one token and path.
struct Answers {
  std::vector<std::int64_t> counts;
  std::map<std::string, std::size_t> others;  // how often each other answer or failure came
};

/// One connection to an envoy, made anew when it breaks.
class Client {
 public:
  Client(asio::io_context& context, const asio::ip::tcp::endpoint& envoy, std::string host)
      : stream_(context), envoy_(envoy), host_(std::move(host)) {}

  struct Answer {
    unsigned status = 0;  // 0: none, and `body` says why
    std::string body;
  };

  asio::awaitable<Answer> get(const std::string& path, const std::string& token) {
    const auto as_tuple = asio::as_tuple(asio::use_awaitable);
    stream_.expires_after(answer_deadline);
    if (!connected_) {
      buffer_.clear();
      if (const auto [error] = co_await stream_.async_connect(envoy_, as_tuple); error)
        co_return failed(error);
      stream_.socket().set_option(asio::ip::tcp::no_delay(true));
      connected_ = true;
    }
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, host_);
    request.set(http::field::user_agent, "tracker check");
    // Without a scheme, which the first tracker's envoys do not know.
    if (!token.empty()) request.set(http::field::authorization, token);
    if (const auto [error, bytes] = co_await http::async_write(stream_, request, as_tuple); error) {
      co_return failed(error);
    }
    http::response<http::string_body> response;
    if (const auto [error, bytes] = co_await http::async_read(stream_, buffer_, response, as_tuple); error) {
      co_return failed(error);
    }
    if (!response.keep_alive()) close();
    co_return Answer{response.result_int(), response.body()};
  }

 private:
  Answer failed(const boost::system::error_code& error) {
    close();
    return {0, error.message()};
  }

  void close() {
    boost::system::error_code ignored;
    stream_.socket().close(ignored);
    connected_ = false;
  }

  Stream stream_;
  asio::ip::tcp::endpoint envoy_;
  std::string host_;
  boost::beast::flat_buffer buffer_;
  bool connected_ = false;
};

/// The text between `before` and `after`, if the body consists of these, perhaps with a newline at its end.
std::string inside(std::string_view body, std::string_view before, std::string_view after) {
  if (body.ends_with('\n')) body.remove_suffix(1);
  if (!body.starts_with(before) || !body.ends_with(after)) return {};
  return std::string(body.substr(before.size(), body.size() - before.size() - after.size()));
}

class Check {
 public:
  explicit Check(const CheckSettings& settings) : settings_(settings) {
    for (const auto& envoy : settings.envoys) {
      try {
        endpoints_.push_back(runtime::resolve(envoy));
      } catch (const boost::system::system_error& error) {
        throw StartupError(StartupError::refused_by_the_machine,
                           "--envoys: " + to_string(envoy) + ": " + error.code().message());
      }
    }
  }

  bool run() {
    if (!mint()) return false;
    const auto load = check_load(endpoints_.size(), settings_.requests);
    send(load);
    return judge(load);
  }

 private:
  template <typename Task>
  void run_all(std::vector<Task> tasks) {
    for (auto& task : tasks) {
      asio::co_spawn(context_, std::move(task), [](const std::exception_ptr& error) {
        if (error) std::rethrow_exception(error);
      });
    }
    context_.run();
    context_.restart();
  }

  Client client(std::size_t envoy) {
    return {context_, endpoints_[envoy], to_string(settings_.envoys[envoy])};
  }

  /// Sends one request, on a connection of its own.
  Client::Answer ask(std::size_t envoy, const std::string& path, const std::string& token) {
    Client::Answer answer;
    const auto get = [](Client asker, std::string its_path, std::string its_token,
                        Client::Answer& into) -> asio::awaitable<void> {
      into = co_await asker.get(its_path, its_token);
    };
    std::vector<asio::awaitable<void>> tasks;
    tasks.push_back(get(client(envoy), path, token, answer));
    run_all(std::move(tasks));
    return answer;
  }

  /// Gets two tokens, from the first envoy and from the last. Each must be valid at all envoys at once.
  bool mint() {
    for (auto [token, envoy] :
         {std::pair(Token::first, std::size_t{0}), std::pair(Token::second, endpoints_.size() - 1)}) {
      const auto answer = ask(envoy, "/auth", "");
      tokens_[token] = inside(answer.body, "{\"token\":\"", "\"}");
      if (answer.status == 200 && !tokens_[token].empty()) continue;
      std::fprintf(stderr, "no token from envoy %s: %s\n", to_string(settings_.envoys[envoy]).c_str(),
                   describe(answer).c_str());
      return false;
    }
    tokens_[Token::invalid] = "invalid";
    return true;
  }

  void send(const std::vector<CheckShare>& load) {
    std::mt19937 random{std::random_device{}()};
    std::vector<std::vector<Request>> requests(endpoints_.size());
    for (const auto& share : load) {
      requests[share.envoy].insert(requests[share.envoy].end(), share.requests, {share.token, share.path});
      total_ += share.requests;
    }
    std::vector<asio::awaitable<void>> tasks;
    for (std::size_t envoy = 0; envoy < endpoints_.size(); ++envoy) {
      std::shuffle(requests[envoy].begin(), requests[envoy].end(), random);
      for (std::size_t i = 0; i < connections_of_an_envoy; ++i)
        tasks.push_back(work(client(envoy), requests[envoy]));
    }
    run_all(std::move(tasks));
    progress(true);
  }

  asio::awaitable<void> work(Client client, std::vector<Request>& requests) {
    while (!requests.empty()) {
      const Request request = std::move(requests.back());
      requests.pop_back();
      const auto answer = co_await client.get(request.path, tokens_[request.token]);
      auto& answers = answers_[{request.token, request.path}];
      std::int64_t count = 0;
      if (is_count(answer, count)) {
        answers.counts.push_back(count);
      } else {
        ++answers.others[describe(answer)];
      }
      ++done_;
      progress(false);
    }
  }

  static bool is_count(const Client::Answer& answer, std::int64_t& count) {
    const auto text = inside(answer.body, "{\"count\":", "}");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return answer.status == 200 && error == std::errc() && end == text.data() + text.size();
  }

  static std::string describe(const Client::Answer& answer) {
    return answer.status == 0 ? "no answer (" + answer.body + ")" : "status " + std::to_string(answer.status);
  }

  void progress(bool last) {
    const auto percent = total_ == 0 ? 100 : done_ * 100 / total_;
    if (!last && (percent == percent_ || isatty(STDERR_FILENO) == 0)) return;
    percent_ = percent;
    std::fprintf(stderr, "%s%zu of %zu requests answered%s", isatty(STDERR_FILENO) != 0 ? "\r" : "", done_,
                 total_, last ? "\n" : "");
  }

  /// Sends one more request for each token and path. Its count must be the number of requests so far.
  bool judge(const std::vector<CheckShare>& load) {
    std::printf("%-8s %-7s %9s %9s %6s  %s\n", "token", "path", "expected", "answered", "then", "");
    bool all_right = true;
    for (const auto& [token, path, name] :
         {std::tuple(Token::first, "/test", "first"), std::tuple(Token::first, "/test2", "first"),
          std::tuple(Token::second, "/test", "second")}) {
      const auto expected = requests_of(load, token, path);
      const auto& answers = answers_[{token, path}];
      auto trouble = others(answers, "");
      if (trouble.empty()) trouble = judge_counts(answers.counts, expected);
      const auto then = one_more(token, path);
      if (trouble.empty() && then != std::to_string(expected + 1)) {
        trouble = "one more should answer " + std::to_string(expected + 1);
      }
      row(name, path, expected, answers.counts.size(), then, trouble);
      all_right = all_right && trouble.empty();
    }
    for (const auto* path : {"/test", "/test2"}) {
      const auto expected = requests_of(load, Token::invalid, path);
      const auto& answers = answers_[{Token::invalid, path}];
      const auto refused = answers.others.find("status 401");
      const auto answered = refused == answers.others.end() ? 0 : refused->second;
      auto trouble = others(answers, "status 401");
      if (trouble.empty() && static_cast<std::int64_t>(answered) != expected)
        trouble = "not all were refused";
      row("invalid", path, expected, answered, "401", trouble);
      all_right = all_right && trouble.empty();
    }
    std::printf("%s\n", all_right ? "all as it must be" : "NOT as it must be");
    return all_right;
  }

  std::string one_more(Token token, const std::string& path) {
    const auto answer = ask(0, path, tokens_[token]);
    std::int64_t count = 0;
    return is_count(answer, count) ? std::to_string(count) : describe(answer);
  }

  static std::string others(const Answers& answers, const std::string& but) {
    std::string text;
    if (!but.empty() && !answers.counts.empty()) text = std::to_string(answers.counts.size()) + " x counted";
    for (const auto& [what, times] : answers.others) {
      if (what != but) text += (text.empty() ? "" : ", ") + std::to_string(times) + " x " + what;
    }
    return text;
  }

  static void row(const char* token, const std::string& path, std::int64_t expected, std::size_t answered,
                  const std::string& then, const std::string& trouble) {
    std::printf("%-8s %-7s %9lld %9zu %6s  %s\n", token, path.c_str(), static_cast<long long>(expected),
                answered, then.c_str(), trouble.empty() ? "ok" : trouble.c_str());
  }

  const CheckSettings& settings_;
  asio::io_context context_{1};
  std::vector<asio::ip::tcp::endpoint> endpoints_;
  std::map<Token, std::string> tokens_;
  std::map<std::pair<Token, std::string>, Answers> answers_;
  std::size_t total_ = 0;
  std::size_t done_ = 0;
  std::size_t percent_ = 101;
};

bool parse_envoys(std::string_view text, std::vector<runtime::Address>& into) {
  into.clear();
  while (true) {
    const auto comma = text.find(',');
    const auto address = runtime::parse_address(settings::trimmed(text.substr(0, comma)));
    if (!address || address->host.empty() || address->port == 0) return false;
    into.push_back(*address);
    if (comma == text.npos) return true;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

void add_check_settings(SettingTable& table, CheckSettings& settings) {
  table.begin_group(SettingTable::Group::load);
  table.add({"--envoys", "", "The envoys to send to: host:port,host:port,...", "none: it is required",
             "host:port, or several of them with commas between",
             [&settings](std::string_view text) { return parse_envoys(text, settings.envoys); },
             "ADDRESSES"});
  table.add_count("--requests", settings.requests, 40, 100'000'000, "About how many requests to send.");
}

bool check(const CheckSettings& settings) {
  if (settings.envoys.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--envoys is missing: say which, as host:port,host:port,...");
  }
  return Check(settings).run();
}

}  // namespace tracker::cli
