#include "cli/admin_client.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <sstream>
#include <utility>

#include "doors/passed_descriptor.h"
#include "settings/startup_error.h"

namespace tracker::cli {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using settings::StartupError;

void add_admin_socket_setting(settings::SettingTable& table, std::string& path, const std::string& help,
                              const std::string& default_text,
                              std::optional<settings::SettingTable::Condition> condition) {
  table.begin_group(settings::SettingTable::Group::addresses);
  table.add({"--admin-socket", "", help, default_text, "the path of a socket",
             [&path](std::string_view text) {
               path = text;
               return !text.empty() && text.find("://") == text.npos;
             },
             "PATH", std::move(condition)});
}

AdminClient::AdminClient(std::unique_ptr<asio::io_context> context, Socket socket)
    : context_(std::move(context)), socket_(std::move(socket)) {}

std::optional<AdminClient> AdminClient::connect(const doors::AdminSocket& admin) {
  auto context = std::make_unique<asio::io_context>(1);
  Socket socket(*context);
  boost::system::error_code error;
  socket.connect(admin.address(), error);
  if (!error) return AdminClient(std::move(context), std::move(socket));
  if (error == boost::system::errc::no_such_file_or_directory || error == asio::error::connection_refused) {
    return std::nullopt;
  }
  throw StartupError(StartupError::refused_by_the_machine,
                     admin.path() + ": " + error.message() + "; run this as the user that serves the store");
}

AdminClient::Answer AdminClient::ask(const std::string& call, const std::string& body, int descriptor) {
  http::request<http::string_body> request(http::verb::post, call, 11);
  request.set(http::field::host, "admin");
  request.body() = body;
  request.prepare_payload();
  if (descriptor < 0) {
    http::write(socket_, request);
  } else {
    std::ostringstream bytes;
    bytes << request;
    if (!doors::send_with_descriptor(socket_.native_handle(), bytes.str(), descriptor))
      throw boost::system::system_error(errno, boost::system::system_category());
  }
  http::response<http::string_body> response;
  boost::beast::flat_buffer buffer;
  http::read(socket_, buffer, response);
  auto text = response.body();
  while (text.ends_with('\n')) text.pop_back();
  return {response.result() != http::status::not_found, response.result() == http::status::ok,
          std::move(text)};
}

}  // namespace tracker::cli
