#include "rpc/counting_service.h"

#include "rpc/track_stream.h"

namespace tracker::rpc {

namespace {

/// A token under way to an envoy. Deletes itself.
class MintCall final : public counter::MintReply {
 public:
  MintCall(grpc::ServerUnaryReactor& reactor, v1::MintResponse& response, Flight& flight)
      : reactor_(reactor), response_(response), flight_(flight) {}

  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    const std::unique_ptr<MintCall> self(this);
    flight_.leave(1);
    if (!minted) return reactor_.Finish(status_of(minted.error()));
    response_.set_token(minted->bytes.data(), minted->bytes.size());
    reactor_.Finish(grpc::Status::OK);
  }

 private:
  grpc::ServerUnaryReactor& reactor_;
  v1::MintResponse& response_;
  Flight& flight_;
};

}  // namespace

CountingService::CountingService(counter::Counter& counter, Flight& flight, std::string version,
                                 std::chrono::milliseconds request_deadline)
    : counter_(counter), flight_(flight), version_(std::move(version)), request_deadline_(request_deadline) {}

grpc::ServerBidiReactor<v1::TrackRequest, v1::TrackResponse>* CountingService::Track(
    grpc::CallbackServerContext* /*context*/) {
  auto* stream = new TrackStream(*this);  // deletes itself
  const std::lock_guard lock(mutex_);
  streams_.insert(stream);
  stream->start(why_not_ready_);
  if (ending_) stream->end();
  return stream;
}

grpc::ServerUnaryReactor* CountingService::Mint(grpc::CallbackServerContext* context,
                                                const v1::MintRequest* /*request*/,
                                                v1::MintResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (!flight_.enter(1)) {
    reactor->Finish(status_of(domain::Failure::not_done));
    return reactor;
  }
  counter_.mint(deadline_of(*context, request_deadline_), *new MintCall(*reactor, *response, flight_));
  return reactor;
}

void CountingService::set_readiness(const std::string& why_not) {
  const std::lock_guard lock(mutex_);
  if (why_not == why_not_ready_) return;
  why_not_ready_ = why_not;
  for (auto* stream : streams_) stream->set_readiness(why_not);
}

void CountingService::end_streams() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (auto* stream : streams_) stream->end();
}

bool CountingService::has_streams() {
  const std::lock_guard lock(mutex_);
  return !streams_.empty();
}

void CountingService::leave(TrackStream& stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(&stream);
}

}  // namespace tracker::rpc
