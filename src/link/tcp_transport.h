#pragma once

#include <memory>

#include "link/transport.h"
#include "runtime/listener.h"

namespace tracker::link {

/// In clear text, on a socket that is connected and does not block.
class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(runtime::Socket socket);
  ~TcpTransport() override;

  void start(User& user) override;
  bool write(std::string& out) override;

 private:
  class Stream;
  const std::shared_ptr<Stream> stream_;
};

}  // namespace tracker::link
