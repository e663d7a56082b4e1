#ifndef TRACKER_TESTS_GRPC_TRACK_CALL_H_
#define TRACKER_TESTS_GRPC_TRACK_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tracker/v1/counting.grpc.pb.h>

namespace tracker::tests {

// The verdict on one hit. No kind: no verdict yet.
struct Judged {
  std::optional<v1::VerdictKind> kind;
  std::int64_t count = 0;
};

// A token as Mint gives it: its 16 bytes, its text for the public service, and its id for Track.
struct MintedToken {
  std::string text;
  std::string id;
};
MintedToken mint_by_bytes(const std::shared_ptr<grpc::Channel>& channel);

void add_hit(v1::HitBatch& batch, const std::string& id, const std::string& path);
v1::HitBatch batch_of(std::uint64_t number, std::size_t hits, const std::string& id, const std::string& path);

// One call of Track. Every wait ends within `patience`.
class TrackCall {
 public:
  explicit TrackCall(const std::shared_ptr<grpc::Channel>& channel);
  // Cancels the call if it has not ended.
  ~TrackCall();
  TrackCall(const TrackCall&) = delete;
  TrackCall& operator=(const TrackCall&) = delete;

  // Sends the opening, and returns the counter's first message. Throws if there is none.
  v1::TrackResponse open();

  // Returns false if the stream takes no more.
  bool send(const v1::HitBatch& batch);
  // From now on its messages have fields that are unknown today.
  void say_more() { says_more_ = true; }
  bool send_nothing() { return stream_->Write({}); }
  void half_close() { stream_->WritesDone(); }

  // Reads the next message into the verdicts. Returns false if the stream has ended.
  bool read();
  // Returns all verdicts on a batch that was sent. Throws if the stream ends first.
  const std::vector<Judged>& verdicts_on(std::uint64_t number);
  // Returns the verdicts on all batches so far.
  std::vector<Judged> verdicts() const;
  // Returns how many hits of the batch have no verdict yet.
  std::size_t missing(std::uint64_t number) const;

  // Returns the status with which the server ends the call, after all its messages.
  grpc::Status end();
  // Any thread.
  void try_cancel() { context_.TryCancel(); }

 private:
  void take(const v1::Verdicts& verdicts);

  std::unique_ptr<v1::Counting::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TrackRequest, v1::TrackResponse>> stream_;
  bool says_more_ = false;
  std::map<std::uint64_t, std::vector<Judged>> batches_;
  bool finished_ = false;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_GRPC_TRACK_CALL_H_
