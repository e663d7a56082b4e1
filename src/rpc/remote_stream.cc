#include "rpc/remote_stream.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <boost/asio/post.hpp>
#include <utility>

namespace tracker::rpc {

namespace {

/// One attempt, one connection: the link has a backoff of its own. Proxies of the environment are for the
/// web.
std::shared_ptr<grpc::Channel> make_channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

RemoteStream::RemoteStream(RemoteLink& link, const std::string& address, boost::asio::io_context& worker)
    : link_(&link),
      worker_(worker),
      outstanding_(link.outstanding()),
      stub_(v1::Counting::NewStub(make_channel(address))) {}

void RemoteStream::start(const std::string& version) {
  self_ = shared_from_this();
  outstanding_.enter();
  stub_->async()->Track(&context_, this);
  request_.mutable_opening()->set_version(version);
  writing_ = true;
  held_ = true;
  AddHold();
  StartRead(&response_);
  StartWrite(&request_);
  StartCall();
}

void RemoteStream::abandon() {
  link_ = nullptr;
  context_.TryCancel();
  let_go();
}

void RemoteStream::let_go() {
  if (std::exchange(held_, false)) RemoveHold();
}

void RemoteStream::read_on() {
  if (held_) StartRead(&response_);
}

bool RemoteStream::writable() noexcept {
  if (!held_) return false;
  if (!writing_) return true;
  write_wanted_ = true;
  return !writing_ && write_wanted_.exchange(false);
}

void RemoteStream::write() {
  writing_ = true;
  StartWrite(&request_);
}

void RemoteStream::OnReadDone(bool ok) {
  boost::asio::post(worker_, [self = shared_from_this(), ok] {
    if (!ok) {
      self->let_go();  // OnDone() tells why
    } else if (self->link_ != nullptr) {
      self->link_->on_read(*self);
    }
  });
}

void RemoteStream::OnWriteDone(bool ok) {
  if (!ok) return;
  writing_ = false;
  if (!write_wanted_.exchange(false)) return;
  boost::asio::post(worker_, [self = shared_from_this()] {
    if (self->link_ != nullptr) self->link_->on_writable();
  });
}

void RemoteStream::OnDone(const grpc::Status& status) {
  const std::string reason = status.error_message().empty() ? "it ended the stream" : status.error_message();
  boost::asio::post(worker_, [self = std::exchange(self_, nullptr), reason] {
    if (self->link_ != nullptr) self->link_->on_lost(reason);
  });
  outstanding_.leave();
}

}  // namespace tracker::rpc
