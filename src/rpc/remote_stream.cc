#include "rpc/remote_stream.h"

#include <algorithm>
#include <utility>

#include "rpc/remote_link.h"

namespace tracker::rpc {

namespace {

boost::system::result<domain::Token, domain::Failure> outcome(StatusCode code, bool not_processed,
                                                              const std::string& bytes) {
  domain::Token token{};
  if (code == StatusCode::ok && bytes.size() == token.bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), token.bytes.begin());
    return token;
  }
  return code == StatusCode::unavailable || not_processed ? domain::Failure::not_done
                                                          : domain::Failure::perhaps_done;
}

}  // namespace

RemoteStream::RemoteStream(RemoteLink& link, boost::asio::io_context& worker, std::uint32_t calls_max)
    : Http2Connection(End::client, runtime::Socket(worker.get_executor()), calls_max), link_(&link) {}

void RemoteStream::start(const runtime::Address& address, const std::string& version) {
  authority_ = runtime::to_string(address);
  version_ = version;
  connect(address);
}

void RemoteStream::abandon() {
  link_ = nullptr;
  close();
  for (const auto& [call, mint] : std::exchange(mints_, {})) {
    mint.reply->on_minted(domain::Failure::perhaps_done);
  }
}

void RemoteStream::write(const v1::TrackRequest& request) {
  send(track_, request);
}

void RemoteStream::write_batch(const BatchHead& head, std::span<const domain::HitBatch* const> batches) {
  append_batch(head, batches, new_message());
  send_message(track_);
}

void RemoteStream::mint(std::chrono::milliseconds deadline, counter::MintReply& reply) {
  const auto call = begin_call(authority_, "/tracker.v1.Counting/Mint", deadline);
  if (!call) return reply.on_minted(domain::Failure::not_done);
  mints_[*call].reply = &reply;
  send(*call, v1::MintRequest(), true);
}

void RemoteStream::on_connected() {
  track_ = begin_call(authority_, "/tracker.v1.Counting/Track").value();  // it is the first
  v1::TrackRequest request;
  request.mutable_opening()->set_version(version_);
  send(track_, request);
}

void RemoteStream::on_message(CallId call, std::string_view message) {
  if (link_ == nullptr) return;
  const int size = static_cast<int>(message.size());
  if (call == track_) {
    if (const auto verdicts = verdicts_in(message)) return link_->on_verdicts(*verdicts);
    if (!response_.ParseFromArray(message.data(), size)) {
      return link_->on_lost("it answers what makes no sense");
    }
    link_->on_read(response_);
  } else if (const auto mint = mints_.find(call); mint != mints_.end()) {
    mint->second.response.ParseFromArray(message.data(), size);  // a wrong one gives no token
  }
}

void RemoteStream::on_call_end(CallId call, const CallStatus& status) {
  if (call == track_) {
    return on_lost(status.detail.empty() ? "it ended the stream" : status.detail);
  }
  const auto mint = mints_.find(call);
  if (mint == mints_.end()) return;
  const Mint its = std::move(mint->second);
  mints_.erase(mint);
  its.reply->on_minted(outcome(status.code, status.not_processed, its.response.token()));
}

void RemoteStream::on_lost(const std::string& reason) {
  if (link_ != nullptr) link_->on_lost(reason);
}

}  // namespace tracker::rpc
