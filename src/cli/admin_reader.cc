#include "cli/admin_reader.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <fstream>
#include <optional>
#include <utility>

#include "cli/admin_client.h"
#include "cli/refusal.h"
#include "doors/admin_socket.h"
#include "runtime/listener.h"
#include "settings/shown_value.h"

namespace tracker::cli {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using settings::SettingTable;
using settings::StartupError;

namespace {

constexpr auto patience = std::chrono::minutes(1);
constexpr std::size_t answer_bytes_max = 64U << 20U;

std::string key_in(const std::string& file) {
  std::ifstream in(file);
  std::string key;
  if (!std::getline(in, key) || key.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--admin-key-file: " + settings::shown(file) +
                           ": its first line cannot be read, or is empty; it must be the key");
  }
  if (key.ends_with('\r')) key.pop_back();
  return key;
}

http::verb verb_of(AdminReader::Method method) {
  switch (method) {
    case AdminReader::Method::post:
      return http::verb::post;
    case AdminReader::Method::patch:
      return http::verb::patch;
    case AdminReader::Method::remove:
      return http::verb::delete_;
    case AdminReader::Method::get:
      break;
  }
  return http::verb::get;
}

}  // namespace

class AdminReader::Connection {
 public:
  Connection(const asio::generic::stream_protocol::endpoint& endpoint, std::string host, std::string key)
      : host_(std::move(host)), key_(std::move(key)) {
    wait([&](auto done) { socket_.async_connect(endpoint, std::move(done)); });
  }

  Answer ask(Method method, const std::string& target, const std::string& body) {
    http::request<http::string_body> request(verb_of(method), target, 11);
    request.set(http::field::host, host_);
    if (!key_.empty()) request.set(http::field::authorization, "Bearer " + key_);
    request.body() = body;
    if (!body.empty()) request.set(http::field::content_type, "application/json");
    request.prepare_payload();
    wait([&](auto done) {
      http::async_write(socket_, request, [done](auto error, std::size_t) { done(error); });
    });
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_bytes_max);
    wait([&](auto done) {
      http::async_read(socket_, buffer_, parser, [done](auto error, std::size_t) { done(error); });
    });
    return {parser.get().result_int(), std::move(parser.get().body())};
  }

 private:
  /// Throws boost::system::system_error.
  template <typename Start>
  void wait(Start start) {
    std::optional<boost::system::error_code> outcome;
    start([&outcome](boost::system::error_code error) { outcome = error; });
    context_.restart();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!outcome && context_.run_one_until(deadline) > 0) {
    }
    if (!outcome) {
      socket_.close();
      throw boost::system::system_error(asio::error::timed_out);
    }
    if (*outcome) throw boost::system::system_error(*outcome);
  }

  const std::string host_;
  const std::string key_;
  asio::io_context context_{1};
  asio::generic::stream_protocol::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
};

AdminReader::AdminReader(std::string name, std::unique_ptr<Connection> connection)
    : name_(std::move(name)), connection_(std::move(connection)) {}
AdminReader::~AdminReader() = default;

AdminReader::Answer AdminReader::ask(Method method, const std::string& target, const std::string& body) {
  Answer answer;
  try {
    answer = connection_->ask(method, target, body);
  } catch (const boost::system::system_error& error) {
    refuse(name_ + ": it does not answer (" + error.code().message() +
           "); see whether it runs, and try again");
  }
  if (answer.status == 401 || answer.status == 403) refuse(name_ + ": " + detail_of(answer));
  return answer;
}

std::string detail_of(const AdminReader::Answer& answer) {
  boost::system::error_code error;
  const auto body = boost::json::parse(answer.body, error);
  if (!error && body.is_object() && body.as_object().contains("detail") && body.at("detail").is_string())
    return std::string(body.at("detail").as_string());
  return "it answered " + std::to_string(answer.status) +
         "; it may be of an older version, which has nothing to read: restart it as this one";
}

void add_admin_door_settings(SettingTable& table, AdminDoorSettings& settings) {
  add_admin_socket_setting(table, settings.socket, "The admin socket of a service that runs.",
                           "the one of --store");
  table.add({"--admin", "",
             "The --admin-addr of services that run, with commas between them; their answers are merged.",
             "none: a socket is asked", "addresses of the form host:port, with commas between them",
             [&settings](std::string_view text) {
               settings.addresses.clear();
               while (true) {
                 const auto end = std::min(text.find(','), text.size());
                 const auto address = runtime::parse_address(text.substr(0, end));
                 if (!address) return false;
                 settings.addresses.push_back(*address);
                 if (end == text.size()) return true;
                 text.remove_prefix(end + 1);
               }
             },
             "ADDRESSES",
             SettingTable::Condition{"no --admin-socket", [&settings] { return settings.socket.empty(); }}});
  const SettingTable::Condition over_tcp{"--admin", [&settings] { return !settings.addresses.empty(); }};
  table.add_file("--admin-key-file", settings.key_file, "A file whose first line is a key for these.",
                 over_tcp);
  settings.store.add_copies_setting(
      table, "The store of a service that runs: its directory has a socket.",
      "the service of another store needs an --admin-socket",
      SettingTable::Condition{"no --admin-socket and no --admin",
                              [&settings] { return settings.socket.empty() && settings.addresses.empty(); }});
}

std::vector<std::unique_ptr<AdminReader>> open_admin_readers(const AdminDoorSettings& settings) {
  std::vector<std::unique_ptr<AdminReader>> readers;
  if (settings.addresses.empty()) {
    const auto& path = settings.socket;
    std::string name = path.empty() ? "--store " + settings.store.text() : path;
    try {
      const auto socket = path.empty() ? doors::AdminSocket::in(settings.store.kind().copies()->directory())
                                       : doors::AdminSocket::at(path);
      readers.emplace_back(new AdminReader(
          name, std::make_unique<AdminReader::Connection>(socket.address(), "localhost", "")));
    } catch (const boost::system::system_error& error) {
      refuse(name + ": no service can be asked there (" + error.code().message() +
             "); name the --admin-socket or the --store of one that runs, or its --admin address");
    }
    return readers;
  }
  if (settings.key_file.empty())
    throw StartupError(StartupError::bad_setting, "--admin: a key is needed; give --admin-key-file, too");
  const auto key = key_in(settings.key_file);
  for (const auto& address : settings.addresses) {
    const auto name = to_string(address);
    try {
      readers.emplace_back(new AdminReader(
          name, std::make_unique<AdminReader::Connection>(runtime::resolve(address), name, key)));
    } catch (const boost::system::system_error& error) {
      refuse("--admin: " + name + ": " + error.code().message() +
             "; give the --admin-addr of a service that runs");
    }
  }
  return readers;
}

}  // namespace tracker::cli
