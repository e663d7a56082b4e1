#include "rpc/track_stream.h"

#include <algorithm>
#include <utility>

#include "rpc/batch_message.h"

namespace tracker::rpc {

namespace {
/// More than an envoy sends ahead; one that does is not read until it has its verdicts.
constexpr std::size_t batches_in_flight_max = 64;
constexpr std::size_t unwritten_max = 64;
}  // namespace

/// A batch under way. Used again.
class TrackStream::Batch final : public counter::TrackReply {
 public:
  explicit Batch(TrackStream& stream) : stream_(stream) {}

  domain::HitBatch hits;
  std::uint64_t number = 0;
  std::size_t unsettled = 0;

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override { stream_.answer(*this, verdicts); }

 private:
  TrackStream& stream_;
};

TrackStream::TrackStream(CountingService& service) : service_(service) {}

TrackStream::~TrackStream() = default;

void TrackStream::start(const std::string& why_not_ready) {
  v1::TrackResponse opening;
  opening.mutable_opening()->set_version(service_.version_);
  opening.mutable_readiness()->set_why_not(why_not_ready);
  const std::lock_guard lock(mutex_);
  unwritten_.push_back(std::move(opening));
  reading_ = true;
  StartRead(&request_);
}

void TrackStream::set_readiness(const std::string& why_not) {
  v1::TrackResponse response;
  response.mutable_readiness()->set_why_not(why_not);
  const std::lock_guard lock(mutex_);
  push(std::move(response));
}

void TrackStream::end() {
  bool done = false;
  {
    const std::lock_guard lock(mutex_);
    reading_ended_ = true;
    done = is_done();
  }
  if (done) finish();
}

void TrackStream::OnReadDone(bool ok) {
  const bool understood = !ok || take_request();
  bool done = false;
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    misspoken_ = misspoken_ || !understood;
    reading_ended_ = reading_ended_ || !ok || !understood;
    read_next();
    done = is_done();
  }
  if (done) finish();
}

/// Answers false if the client speaks another language.
bool TrackStream::take_request() {
  std::unique_ptr<Batch> batch;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return true;  // too late, and nobody waits for its verdicts
    if (request_.has_opening()) {
      opened_ = true;
      write_next();
      return true;
    }
    if (!opened_) return false;
    if (!request_.has_batch()) {
      push({});
      return true;
    }
    ++batches_in_flight_;
    if (!free_batches_.empty()) {
      batch = std::move(free_batches_.back());
      free_batches_.pop_back();
    }
  }
  if (!batch) batch = std::make_unique<Batch>(*this);
  batch->hits.clear();
  if (!read_hits(request_.batch(), batch->hits) || batch->hits.empty()) {
    const std::lock_guard lock(mutex_);
    --batches_in_flight_;
    return false;
  }
  batch->number = request_.batch().number();
  batch->unsettled = batch->hits.size();
  const auto left =
      std::min(std::chrono::milliseconds(request_.batch().deadline_ms()), service_.request_deadline_);
  batch->hits.set_deadline(std::chrono::steady_clock::now() + left);

  Batch& under_way = *batch.release();  // answer() takes it back with its last verdict
  if (service_.flight_.enter(under_way.hits.size())) {
    service_.counter_.track(under_way.hits, under_way);
  } else {
    service_.flight_.hits += under_way.hits.size();  // answer() lets them leave
    under_way.on_one_verdict_for_all(under_way.hits.size(), domain::Verdict::not_counted());
  }
  return true;
}

void TrackStream::answer(Batch& batch, std::span<const domain::HitVerdict> verdicts) {
  v1::TrackResponse response;
  write_verdicts(verdicts, batch.hits.size(), *response.mutable_verdicts());
  response.mutable_verdicts()->set_number(batch.number);
  service_.flight_.leave(verdicts.size());

  bool done = false;
  {
    const std::lock_guard lock(mutex_);
    push(std::move(response));
    batch.unsettled -= verdicts.size();
    if (batch.unsettled == 0) {
      free_batches_.emplace_back(&batch);
      --batches_in_flight_;
      if (opened_) read_next();
    }
    done = is_done();
  }
  if (done) finish();
}

void TrackStream::OnWriteDone(bool ok) {
  bool done = false;
  {
    const std::lock_guard lock(mutex_);
    unwritten_.pop_front();
    writing_ = false;
    if (!ok) {
      broken_ = true;
      unwritten_.clear();
    }
    write_next();
    read_next();
    done = is_done();
  }
  if (done) finish();
}

void TrackStream::OnDone() {
  service_.leave(*this);
  delete this;
}

void TrackStream::push(v1::TrackResponse response) {
  if (broken_ || finished_) return;
  unwritten_.push_back(std::move(response));
  write_next();
}

void TrackStream::write_next() {
  if (writing_ || !opened_ || broken_ || finished_ || unwritten_.empty()) return;
  writing_ = true;
  StartWrite(&unwritten_.front());
}

void TrackStream::read_next() {
  if (reading_ || reading_ended_ || finished_ || batches_in_flight_ >= batches_in_flight_max ||
      unwritten_.size() >= unwritten_max) {
    return;
  }
  reading_ = true;
  StartRead(&request_);
}

bool TrackStream::is_done() {
  const bool written = broken_ || !opened_ || unwritten_.empty();
  if (finished_ || !reading_ended_ || batches_in_flight_ > 0 || writing_ || !written) return false;
  finished_ = true;
  return true;
}

void TrackStream::finish() {
  Finish(misspoken_
             ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "this is not how tracker's envoys speak")
             : grpc::Status::OK);
}

}  // namespace tracker::rpc
