#include "link/tcp_transport.h"

#include <boost/asio/buffer.hpp>
#include <utility>
#include <vector>

namespace tracker::link {

namespace {
namespace asio = boost::asio;
constexpr std::size_t read_bytes = 64 * 1024;
}  // namespace

/// Handlers on the event loop keep it alive. They do nothing after it is closed.
class TcpTransport::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(runtime::Socket socket) : socket_(std::move(socket)), buffer_(read_bytes) {}

  void start(User& user) {
    user_ = &user;
    read();
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
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](
                                                       boost::system::error_code error, std::size_t bytes) {
      if (self->user_ == nullptr) return;
      if (error) {
        return self->user_->on_end(error == asio::error::eof ? "it closed the connection" : error.message());
      }
      self->user_->on_bytes({self->buffer_.data(), bytes});
      if (self->user_ != nullptr) self->read();
    });
  }

  runtime::Socket socket_;
  std::vector<char> buffer_;
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
