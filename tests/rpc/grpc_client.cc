#include "grpc_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <signal.h>

#include <stdexcept>

namespace tracker::tests {

using google::protobuf::Int32Value;
using google::protobuf::StringValue;
using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

Arguments counter_arguments(const std::string& store, const Arguments& more) {
  Arguments arguments{"counter",     "--store",       store,        "--counter-addr",
                      "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::shared_ptr<grpc::Channel> channel_to(const Endpoint& door) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  return grpc::CreateCustomChannel(door.to_string(), grpc::InsecureChannelCredentials(), arguments);
}

void set_deadline(grpc::ClientContext& context, std::chrono::milliseconds after) {
  context.set_deadline(std::chrono::system_clock::now() + after);
}

CounterClient::CounterClient(const Endpoint& counter)
    : channel_(channel_to(counter)), stub_(manager_rpc::CounterService::NewStub(channel_)) {}

grpc::Status CounterClient::new_token(std::string& token, std::chrono::milliseconds deadline) {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  manager_rpc::NewTokenResponse response;
  const grpc::Status status = stub_->NewToken(&context, {}, &response);
  token = response.token();
  return status;
}

Update CounterClient::update(const std::string& token, const std::string& path,
                             std::chrono::milliseconds deadline) {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  manager_rpc::UpdateCounterRequest request;
  request.set_token(token);
  request.set_path(path);
  manager_rpc::UpdateCounterResponse response;
  const grpc::Status status = stub_->UpdateCounter(&context, request, &response);
  return {status, response.success(), response.counter()};
}

std::string CounterClient::mint() {
  std::string token;
  const grpc::Status status = new_token(token);
  if (!status.ok()) throw std::runtime_error("no token: " + status.error_message());
  return token;
}

std::int64_t CounterClient::count(const std::string& token, const std::string& path) {
  const Update answer = update(token, path);
  if (!answer.success) throw std::runtime_error("not counted: " + answer.status.error_message());
  return answer.counter;
}

AssertionResult has_status(const grpc::Status& status, grpc::StatusCode code) {
  if (status.error_code() == code) return AssertionSuccess();
  return AssertionFailure() << "status " << status.error_code() << " " << status.error_message()
                            << " instead of " << code;
}

AssertionResult is_counted(const Update& update, std::int64_t counter) {
  if (auto ok = has_status(update.status, grpc::OK); !ok) return ok;
  if (update.success && update.counter == counter) return AssertionSuccess();
  return AssertionFailure() << "success=" << update.success << " counter=" << update.counter << " instead of "
                            << counter;
}

AssertionResult is_unknown(const Update& update) {
  if (auto ok = has_status(update.status, grpc::OK); !ok) return ok;
  if (!update.success && update.counter == 0) return AssertionSuccess();
  return AssertionFailure() << "success=" << update.success << " counter=" << update.counter;
}

AssertionResult counts_without_gap(const std::multiset<std::int64_t>& counts) {
  std::int64_t expected = 0;
  for (const std::int64_t count : counts) {
    if (count != ++expected) return AssertionFailure() << count << " instead of " << expected;
  }
  return AssertionSuccess();
}

grpc::Status check_health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                          Health& health) {
  StringValue request;
  request.set_value(service);
  Int32Value response;
  const grpc::Status status = call_by_name(channel, "/grpc.health.v1.Health/Check", request, response);
  health = Health{response.value()};
  return status;
}

HealthWatch::HealthWatch(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  // Longer than any test. Each wait has its own bound.
  set_deadline(context_, 10 * patience);
  call_ = Stub(channel).PrepareCall(&context_, "/grpc.health.v1.Health/Watch", &queue_);
  call_->StartCall(this);
  done();
  StringValue request;
  request.set_value(service);
  call_->WriteLast(request, grpc::WriteOptions(), this);
  done();
}

HealthWatch::~HealthWatch() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

std::optional<Health> HealthWatch::next(std::chrono::milliseconds within) {
  call_->Read(&response_, this);
  if (!done(within)) return std::nullopt;
  return Health{response_.value()};
}

bool HealthWatch::done(std::chrono::milliseconds within) {
  void* tag = nullptr;
  bool ok = false;
  const auto deadline = std::chrono::system_clock::now() + within;
  return queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT && ok;
}

bool wait_serving(const std::shared_ptr<grpc::Channel>& channel) {
  HealthWatch watch(channel, "");
  for (auto health = watch.next(); health; health = watch.next()) {
    if (*health == Health::serving) return true;
  }
  return false;
}

CounterTest::CounterTest(const Arguments& more)
    : program_(counter_arguments("memory", more)),
      door_(program_.wait_listening().at("counter")),
      client_(door_) {}

void CounterTest::TearDown() {
  EXPECT_TRUE(program_.running()) << program_.output();
  program_.send_signal(SIGTERM);
  EXPECT_EQ(program_.wait_exit(), 0) << program_.output();
}

}  // namespace tracker::tests
