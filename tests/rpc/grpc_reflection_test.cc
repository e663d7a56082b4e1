// Server reflection: a tool learns the whole contract from a running counter, and can call it.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "grpc_client.h"

namespace tracker::tests {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

std::string text(const Message& message, const std::string& field) {
  return message.GetReflection()->GetString(message, message.GetDescriptor()->FindFieldByName(field));
}

void set_text(Message& message, const std::string& field, const std::string& value) {
  message.GetReflection()->SetString(&message, message.GetDescriptor()->FindFieldByName(field), value);
}

const Message& part(const Message& message, const std::string& field) {
  return message.GetReflection()->GetMessage(message, message.GetDescriptor()->FindFieldByName(field));
}

// Reflection's messages are in gRPC's library, but their headers are not.
std::unique_ptr<Message> reflection_message(const std::string& name) {
  [[maybe_unused]] static const bool library_is_linked = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  const Descriptor* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      "grpc.reflection.v1alpha." + name);
  if (type == nullptr) throw std::runtime_error("no message type " + name);
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

class ReflectionTest : public CounterTest {
 protected:
  // Asks one question, by its field of the request, and returns the answer. Uses the stream like a single call, which
  // is the same on the wire.
  std::unique_ptr<Message> ask(const std::string& field, const std::string& value) {
    const auto request = reflection_message("ServerReflectionRequest");
    set_text(*request, field, value);
    auto response = reflection_message("ServerReflectionResponse");
    const grpc::Status status = call_by_name<Message, Message>(
        client_.channel(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", *request,
        *response);
    EXPECT_TRUE(has_status(status, grpc::OK));
    return response;
  }

  std::set<std::string> services() {
    const auto response = ask("list_services", "*");
    const Message& list = part(*response, "list_services_response");
    std::set<std::string> names;
    for (const Message& service : list.GetReflection()->GetRepeatedFieldRef<Message>(
             list, list.GetDescriptor()->FindFieldByName("service"))) {
      names.insert(text(service, "name"));
    }
    return names;
  }

  // Adds the files that this symbol needs according to the server.
  void learn(const std::string& symbol) {
    const auto response = ask("file_containing_symbol", symbol);
    const Message& answer = part(*response, "file_descriptor_response");
    for (const std::string& bytes : answer.GetReflection()->GetRepeatedFieldRef<std::string>(
             answer, answer.GetDescriptor()->FindFieldByName("file_descriptor_proto"))) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      if (known_.insert(file.name()).second) {
        ASSERT_TRUE(files_.Add(file));
      }
    }
  }

  std::set<std::string> known_;
  google::protobuf::SimpleDescriptorDatabase files_;
  google::protobuf::DescriptorPool pool_{&files_};
  google::protobuf::DynamicMessageFactory messages_{&pool_};
};

TEST_F(ReflectionTest, ListsTheServices) {
  const std::set<std::string> names = services();
  for (const char* name :
       {"manager_rpc.CounterService", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  for (const std::string& name : names) {
    EXPECT_TRUE(name == "manager_rpc.CounterService" || name.starts_with("grpc.")) << name;
  }
}

TEST_F(ReflectionTest, CounterServiceIsExactlyTheContracts) {
  learn("manager_rpc.CounterService");
  const auto* service = pool_.FindServiceByName("manager_rpc.CounterService");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->file()->package(), "manager_rpc");
  EXPECT_EQ(service->file()->syntax(), google::protobuf::FileDescriptor::SYNTAX_PROTO3);
  EXPECT_EQ(service->file()->service_count(), 1);
  EXPECT_EQ(service->file()->message_type_count(), 3);
  EXPECT_EQ(service->DebugString(), R"(service CounterService {
  rpc NewToken(.google.protobuf.Empty) returns (.manager_rpc.NewTokenResponse);
  rpc UpdateCounter(.manager_rpc.UpdateCounterRequest) returns (.manager_rpc.UpdateCounterResponse);
}
)");
  const auto message = [&](const std::string& name) {
    const Descriptor* type = pool_.FindMessageTypeByName("manager_rpc." + name);
    return type == nullptr ? "no " + name : type->DebugString();
  };
  EXPECT_EQ(message("NewTokenResponse"), "message NewTokenResponse {\n  string token = 1;\n}\n");
  EXPECT_EQ(message("UpdateCounterRequest"),
            "message UpdateCounterRequest {\n  string token = 1;\n  string path = 2;\n}\n");
  EXPECT_EQ(message("UpdateCounterResponse"),
            "message UpdateCounterResponse {\n  bool success = 1;\n  int64 counter = 2;\n}\n");
}

// This client knows only what the server has told it.
TEST_F(ReflectionTest, DynamicClientCounts) {
  learn("manager_rpc.CounterService");
  const auto* service = pool_.FindServiceByName("manager_rpc.CounterService");
  ASSERT_NE(service, nullptr);
  const auto call = [&](const std::string& method_name, const std::string& token, const std::string& path) {
    const auto* method = service->FindMethodByName(method_name);
    const std::unique_ptr<Message> request(messages_.GetPrototype(method->input_type())->New());
    if (!token.empty()) set_text(*request, "token", token);
    if (!path.empty()) set_text(*request, "path", path);
    std::unique_ptr<Message> response(messages_.GetPrototype(method->output_type())->New());
    const grpc::Status status = call_by_name<Message, Message>(
        client_.channel(), "/" + service->full_name() + "/" + method->name(), *request, *response);
    EXPECT_TRUE(has_status(status, grpc::OK));
    return response;
  };
  const std::string token = text(*call("NewToken", "", ""), "token");
  for (int i = 1; i <= 3; ++i) {
    const auto response = call("UpdateCounter", token, "/p");
    EXPECT_EQ(response->ShortDebugString(), "success: true counter: " + std::to_string(i));
  }
  EXPECT_EQ(call("UpdateCounter", "invalid", "/p")->ShortDebugString(), "");
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 4));
}

TEST_F(ReflectionTest, UnknownSymbolIsAnError) {
  const auto response = ask("file_containing_symbol", "manager_rpc.Nonsense");
  EXPECT_TRUE(response->GetReflection()->HasField(
      *response, response->GetDescriptor()->FindFieldByName("error_response")));
}

}  // namespace
}  // namespace tracker::tests
