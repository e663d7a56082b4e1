#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "counter/counter.h"
#include "domain/verdict.h"
#include "link/link.h"
#include "rpc/batch_message.h"
#include "rpc/grpc_connection.h"
#include "rpc/own_counts_message.h"

namespace tracker::rpc {

/// A call of the counter beside its stream.
class CallCommand : public link::Command {
 public:
  using Command::Command;

  virtual std::string_view method() const = 0;
  virtual void append_request(std::string& out) const = 0;
  /// The response, if there is one, comes before the end.
  virtual void on_response(std::string_view message) = 0;
  virtual void on_end(const Status& status, bool not_processed) = 0;
};

/// A request to mint a token.
class MintCommand final : public CallCommand {
 public:
  MintCommand(domain::Deadline deadline, counter::MintReply& reply) : CallCommand(deadline), reply_(reply) {}

 private:
  std::string_view method() const override { return "/tracker.v1.Counting/Mint"; }
  void append_request(std::string& /*out*/) const override {}
  void on_response(std::string_view message) override { token_ = read_minted(message); }
  void on_end(const Status& status, bool not_processed) override;
  void on_failed(domain::Failure failure) override { reply_.on_minted(failure); }

  counter::MintReply& reply_;
  std::optional<domain::Token> token_;
};

/// A request to read counts.
class ReadCommand final : public CallCommand {
 public:
  ReadCommand(domain::Deadline deadline, OwnCountsRequest request, counter::OnRead on_read)
      : CallCommand(deadline), request_(std::move(request)), on_read_(std::move(on_read)) {}

 private:
  std::string_view method() const override { return "/tracker.v1.Counting/ReadOwnCounts"; }
  void append_request(std::string& out) const override { rpc::append_request(request_, out); }
  void on_response(std::string_view message) override { counts_ = read_own_counts(message); }
  void on_end(const Status& status, bool not_processed) override;
  void on_failed(domain::Failure failure) override;

  const OwnCountsRequest request_;
  const counter::OnRead on_read_;
  std::optional<store::TokenCounts> counts_;
};

struct RemoteStreamSettings {
  std::string authority;  // the counter's name in calls
  std::string version;
  const counter::CounterListPtr& list;  // of the RemoteCounter, as it is now
  std::uint32_t calls_max;
  /// Is told what the counter says of itself, before hits are sent and after every change.
  std::function<void(counter::CounterFacts facts)> on_facts;
};

/// One connection to the counter: one stream of messages, and a call beside it for each command.
class RemoteStream final : public GrpcConnection, public link::Channel {
 public:
  /// `link` must outlive this.
  RemoteStream(link::Link& link, link::LinkCore::ConnectionId id, std::unique_ptr<link::Transport> transport,
               RemoteStreamSettings settings);

  void greet() override { begin(); }
  void send(link::Gather& hits, link::TimePoint now) override;
  bool send(link::Command& command, link::TimePoint now) override;
  void ask(link::TimePoint now) override;
  void flush() override;
  void close() override { GrpcConnection::close(); }

 private:
  void on_connected() override;
  void on_message(CallId call, std::string_view message) override;
  void on_call_end(CallId call, const CallStatus& status) override;
  void on_peer_ends() override;
  void on_lost(const std::string& reason) override;

  void set_deadlines(link::TimePoint now);
  void tell_list(std::string& message);
  void take_response(link::LinkCore& core, std::string_view message, link::TimePoint now);
  bool take_verdicts(std::string_view verdicts);
  void end_command(link::LinkCore& core, CallId call, const CallStatus& status, link::TimePoint now);

  link::Link& link_;
  const link::LinkCore::ConnectionId id_;
  const RemoteStreamSettings settings_;
  CallId track_ = 0;
  counter::CounterListPtr told_list_;                  // that the counter was told last; null: none
  bool unflushed_ = false;                             // something was sent since the last flush()
  bool opened_ = false;                                // the counter has answered the opening
  std::unordered_map<CallId, CallCommand*> commands_;  // in flight; the link's core owns them

  struct Sent {
    std::uint64_t number;
    link::Gather* hits;
  };
  std::vector<Sent> in_flight_;                   // the messages in flight, in order
  std::uint64_t number_ = 0;                      // of the last message
  BatchHead head_;                                // of a message that is being written
  std::vector<const domain::HitBatch*> batches_;  // of a message that is being written
  std::vector<domain::HitVerdict> verdicts_;      // of a message that is being read
};

}  // namespace tracker::rpc
