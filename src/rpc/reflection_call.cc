#include "rpc/reflection_call.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpc/lookup/v1/rls.pb.h>
#include <manager_rpc.pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rpc/server_loop.h"
#include "rpc/wire_format.h"

namespace tracker::rpc {

namespace {

using google::protobuf::FileDescriptor;

// grpc/reflection/v1/reflection.proto.
namespace request_field {
constexpr std::uint32_t file_by_filename = 3;
constexpr std::uint32_t file_containing_symbol = 4;
constexpr std::uint32_t file_containing_extension = 5;
constexpr std::uint32_t all_extension_numbers_of_type = 6;
constexpr std::uint32_t list_services = 7;
}  // namespace request_field
namespace response_field {
constexpr std::uint32_t original_request = 2;
constexpr std::uint32_t file_descriptor_response = 4;
constexpr std::uint32_t list_services_response = 6;
constexpr std::uint32_t error_response = 7;
}  // namespace response_field

/// What a port shows: its own interface, its file, and the services that every port has.
struct Shown {
  std::string_view service;
  const FileDescriptor* file;
};

Shown shown_of(PublicInterface interface) {
  return {service_name(interface), interface == PublicInterface::counting
                                       ? manager_rpc::UpdateCounterRequest::descriptor()->file()
                                       : grpc::lookup::v1::RouteLookupRequest::descriptor()->file()};
}

/// Returns the public interface's file and everything that it imports. Each file comes after its imports.
std::vector<const FileDescriptor*> public_files(const FileDescriptor* file) {
  std::vector<const FileDescriptor*> files;
  for (int i = 0; i < file->dependency_count(); ++i) files.push_back(file->dependency(i));
  files.push_back(file);
  return files;
}

const FileDescriptor* file_with_name(std::string_view name, const Shown& shown) {
  for (const auto* file : public_files(shown.file)) {
    if (file->name() == name) return file;
  }
  return nullptr;
}

const FileDescriptor* file_with_symbol(std::string_view symbol, const Shown& shown) {
  const auto* found =
      google::protobuf::DescriptorPool::generated_pool()->FindFileContainingSymbol(std::string(symbol));
  return found == nullptr ? nullptr : file_with_name(found->name(), shown);
}

void append_file(const FileDescriptor* file, const Shown& shown, std::string& response) {
  std::string files;
  for (const auto* each : public_files(shown.file)) {
    const bool wanted = each == file || file == shown.file;  // this file imports all others
    if (!wanted) continue;
    google::protobuf::FileDescriptorProto proto;
    each->CopyTo(&proto);
    wire::append_bytes(1, proto.SerializeAsString(), files);
  }
  wire::append_bytes(response_field::file_descriptor_response, files, response);
}

void append_services(const Shown& shown, std::string& response) {
  std::string list;
  for (const auto service : {shown.service, std::string_view("grpc.health.v1.Health"),
                             std::string_view("grpc.reflection.v1.ServerReflection"),
                             std::string_view("grpc.reflection.v1alpha.ServerReflection")}) {
    std::string entry;
    wire::append_bytes(1, service, entry);
    wire::append_bytes(1, entry, list);
  }
  wire::append_bytes(response_field::list_services_response, list, response);
}

void append_error(StatusCode code, std::string_view message, std::string& response) {
  std::string error{static_cast<char>(wire::tag(1, wire::Type::varint)), static_cast<char>(code)};
  wire::append_bytes(2, message, error);
  wire::append_bytes(response_field::error_response, error, response);
}

void append_answer(std::uint32_t question, std::string_view value, const Shown& shown,
                   std::string& response) {
  const FileDescriptor* file = nullptr;
  switch (question) {
    case request_field::list_services:
      return append_services(shown, response);
    case request_field::file_by_filename:
      file = file_with_name(value, shown);
      break;
    case request_field::file_containing_symbol:
      file = file_with_symbol(value, shown);
      break;
    case request_field::file_containing_extension:
    case request_field::all_extension_numbers_of_type:
      return append_error(StatusCode::not_found, "proto3 has no extensions", response);
    default:
      return append_error(StatusCode::invalid_argument, "the request asks nothing", response);
  }
  if (file == nullptr)
    return append_error(StatusCode::not_found, "there is no such file or symbol", response);
  append_file(file, shown, response);
}

}  // namespace

void ReflectionCall::on_message(std::string_view message) {
  connection_.take_more(id_);
  std::uint32_t question = 0;
  std::string_view value;
  wire::Fields fields(message);
  while (fields.next()) {
    if (fields.type() != wire::Type::bytes || fields.number() < request_field::file_by_filename) continue;
    question = fields.number();
    value = fields.bytes();
  }
  if (fields.broken())
    return connection_.finish(id_,
                              {StatusCode::invalid_argument, "the request is not a ServerReflectionRequest"});
  std::string& response = connection_.new_message();
  wire::append_bytes(response_field::original_request, message, response);
  append_answer(question, value, shown_of(connection_.loop().interface()), response);
  connection_.send_message(id_);
}

}  // namespace tracker::rpc
