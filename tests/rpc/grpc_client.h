#ifndef TRACKER_TESTS_GRPC_CLIENT_H_
#define TRACKER_TESTS_GRPC_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <google/protobuf/wrappers.pb.h>
#include <manager_rpc.grpc.pb.h>
#include "support/deadline.h"
#include "support/endpoint.h"
#include "support/program.h"

namespace tracker::tests {

// The arguments of `tracker counter` on free loopback ports, over this store.
Arguments counter_arguments(const std::string& store, const Arguments& more = {});

// A connection that is not shared with any other channel of the process. It connects and reconnects by itself.
std::shared_ptr<grpc::Channel> channel_to(const Endpoint& door);

void set_deadline(grpc::ClientContext& context, std::chrono::milliseconds after = patience);

// The outcome of a call of UpdateCounter.
struct Update {
  grpc::Status status;
  bool success = false;
  std::int64_t counter = 0;
};

// The public service as its generated client sees it, over one connection. Any thread.
class CounterClient {
 public:
  explicit CounterClient(const Endpoint& counter);

  grpc::Status new_token(std::string& token, std::chrono::milliseconds deadline = patience);
  Update update(const std::string& token, const std::string& path,
                std::chrono::milliseconds deadline = patience);

  // The same as the two above. Throws for anything but a success.
  std::string mint();
  std::int64_t count(const std::string& token, const std::string& path);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  manager_rpc::CounterService::Stub& stub() { return *stub_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<manager_rpc::CounterService::Stub> stub_;
};

testing::AssertionResult has_status(const grpc::Status& status, grpc::StatusCode code);
testing::AssertionResult is_counted(const Update& update, std::int64_t counter);
// Checks for OK with success=false and counter 0.
testing::AssertionResult is_unknown(const Update& update);
// Checks for 1, 2, 3 and so on, each once.
testing::AssertionResult counts_without_gap(const std::multiset<std::int64_t>& counts);

// A call of any method by name, such as "/manager_rpc.CounterService/NewToken", without a generated client. Request and
// Response may be google::protobuf::Message, for dynamic messages.
template <typename Request, typename Response>
grpc::Status call_by_name(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                          const Request& request, Response& response) {
  grpc::TemplatedGenericStub<Request, Response> stub(channel);
  grpc::ClientContext context;
  set_deadline(context);
  std::promise<grpc::Status> answered;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](const grpc::Status& status) { answered.set_value(status); });
  return answered.get_future().get();
}

// The statuses of grpc.health.v1, with its numbers.
enum class Health : std::int32_t { unknown = 0, serving = 1, not_serving = 2, service_unknown = 3 };

grpc::Status check_health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                          Health& health);

// One call of Watch.
class HealthWatch {
 public:
  HealthWatch(const std::shared_ptr<grpc::Channel>& channel, const std::string& service);
  ~HealthWatch();

  // Returns the next status. Returns nothing if the call ended, or if no status comes within `within`. Then this object
  // is useless.
  std::optional<Health> next(std::chrono::milliseconds within = patience);

 private:
  // Returns whether the last operation has ended well.
  bool done(std::chrono::milliseconds within = patience);

  // HealthCheckRequest has one string and HealthCheckResponse one enum, both with number 1. On the wire they are the
  // same as these types.
  using Stub = grpc::TemplatedGenericStub<google::protobuf::StringValue, google::protobuf::Int32Value>;
  using Call = grpc::ClientAsyncReaderWriter<google::protobuf::StringValue, google::protobuf::Int32Value>;

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  google::protobuf::Int32Value response_;
  std::unique_ptr<Call> call_;
};

// Waits, by Watch, until the whole service serves. Returns false if it does not.
bool wait_serving(const std::shared_ptr<grpc::Channel>& channel);

// A running `tracker counter` over the memory store. At the end of the test it must still be running and drain well.
class CounterTest : public testing::Test {
 protected:
  explicit CounterTest(const Arguments& more = {});
  void TearDown() override;

  Program program_;
  const Endpoint door_;
  CounterClient client_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_GRPC_CLIENT_H_
