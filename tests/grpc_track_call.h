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

// What was said of one hit; no kind: nothing yet.
struct Judged {
  std::optional<v1::VerdictKind> kind;
  std::int64_t count = 0;
};

// A token as Mint gives it: its 16 bytes; its text, as the public service takes it; its id, as Track does.
struct MintedToken {
  std::string text;
  std::string id;
};
MintedToken mint_by_bytes(const std::shared_ptr<grpc::Channel>& channel);

void add_hit(v1::HitBatch& batch, const std::string& id, const std::string& path);
v1::HitBatch batch_of(std::uint64_t number, std::size_t hits, const std::string& id, const std::string& path);

// One call of Track. Everything ends within `patience`.
class TrackCall {
 public:
  explicit TrackCall(const std::shared_ptr<grpc::Channel>& channel);
  // Cancels it if it has not ended.
  ~TrackCall();
  TrackCall(const TrackCall&) = delete;
  TrackCall& operator=(const TrackCall&) = delete;

  // Opens, and returns what the counter says first; throws if it says nothing.
  v1::TrackResponse open();

  // False: the stream takes no more.
  bool send(const v1::HitBatch& batch);
  // From now on its messages hold more than is known today.
  void say_more() { says_more_ = true; }
  bool send_nothing() { return stream_->Write({}); }
  void half_close() { stream_->WritesDone(); }

  // The next message is taken into the verdicts. False: the stream has ended.
  bool read();
  // All verdicts on a batch that was sent; throws if the stream ends before.
  const std::vector<Judged>& verdicts_on(std::uint64_t number);
  // What was said so far on all batches.
  std::vector<Judged> verdicts() const;
  // How many hits of the batch have no verdict yet.
  std::size_t missing(std::uint64_t number) const;

  // What the server ends it with, after everything that it still says.
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
