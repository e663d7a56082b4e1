#include "link/tcp_transport.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <utility>

namespace tracker::link {

namespace {
namespace asio = boost::asio;
constexpr std::size_t read_bytes = 64 * 1024;
}  // namespace

/// Handlers on the event loop keep it alive. They do nothing after it is closed.
class TcpTransport::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(runtime::Socket socket) : socket_(std::move(socket)) {}

  void start(User& user) {
    boost::system::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    user_ = &user;
    wait_for_bytes();
  }

  void close() {
    user_ = nullptr;
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  bool write(std::string& out) {
    if (waiting_ || broken_) return false;
    boost::system::error_code error;
    out.erase(0, socket_.write_some(asio::buffer(out), error));
    if (error && error != asio::error::would_block) {
      broken_ = true;  // perhaps half of a command was written; nothing may follow it
      socket_.shutdown(runtime::Socket::shutdown_both, error);  // so that the reader notices, too
      return false;
    }
    if (out.empty()) return true;
    waiting_ = true;
    socket_.async_wait(runtime::Socket::wait_write,
                       [self = shared_from_this()](boost::system::error_code wait_error) {
                         self->waiting_ = false;
                         if (!wait_error && self->user_ != nullptr) self->user_->on_writable();
                       });
    return false;
  }

 private:
  void wait_for_bytes() {
    socket_.async_wait(runtime::Socket::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (!error && self->user_ != nullptr) self->read();
                       });
  }

  void read() {
    static thread_local std::array<char, read_bytes> buffer;
    boost::system::error_code error;
    const std::size_t size = socket_.read_some(asio::buffer(buffer), error);
    if (error && error != asio::error::would_block) {
      return user_->on_end(error == asio::error::eof ? "it closed the connection" : error.message());
    }
    if (size > 0) user_->on_bytes({buffer.data(), size});
    if (user_ != nullptr) wait_for_bytes();
  }

  runtime::Socket socket_;
  User* user_ = nullptr;  // null: not started, or closed
  bool waiting_ = false;  // for the socket to take more
  bool broken_ = false;   // it takes no more bytes
};

TcpTransport::TcpTransport(runtime::Socket socket) : stream_(std::make_shared<Stream>(std::move(socket))) {}

TcpTransport::~TcpTransport() {
  stream_->close();
}

void TcpTransport::start(User& user) {
  stream_->start(user);
}

bool TcpTransport::write(std::string& out) {
  return out.empty() || stream_->write(out);
}

}  // namespace tracker::link
