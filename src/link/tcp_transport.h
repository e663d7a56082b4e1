#pragma once

#include <memory>

#include "link/transport.h"
#include "runtime/listener.h"

namespace tracker::link {

/// A transport in clear text, on a connected socket.
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
