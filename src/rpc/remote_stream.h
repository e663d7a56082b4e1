#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "counter/counter.h"
#include "domain/verdict.h"
#include "link/link.h"
#include "rpc/batch_message.h"
#include "rpc/grpc_connection.h"

namespace tracker::rpc {

/// A request to the counter to mint a token.
class MintCommand final : public link::Command {
 public:
  MintCommand(domain::Deadline deadline, counter::MintReply& its_reply)
      : Command(deadline), reply(its_reply) {}
  void on_failed(domain::Failure failure) override { reply.on_minted(failure); }

  counter::MintReply& reply;
};

struct RemoteStreamSettings {
  std::string authority;  // the counter's name in calls
  std::string version;
  const counter::CounterListPtr& list;  // of the RemoteCounter, as it is now
  std::uint32_t calls_max;
  /// Is told what the counter says of itself, before hits are sent and after every change.
  std::function<void(counter::CounterFacts facts)> on_facts;
};

/// One connection to the counter: one stream of messages, and a call beside it for each mint.
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
  struct Mint {
    MintCommand* command;
    std::optional<domain::Token> token;
  };

  void on_connected() override;
  void on_message(CallId call, std::string_view message) override;
  void on_call_end(CallId call, const CallStatus& status) override;
  void on_peer_ends() override;
  void on_lost(const std::string& reason) override;

  void set_deadlines(link::TimePoint now);
  void tell_list(std::string& message);
  void take_response(link::LinkCore& core, std::string_view message, link::TimePoint now);
  bool take_verdicts(std::string_view verdicts);
  void end_mint(link::LinkCore& core, CallId call, const CallStatus& status, link::TimePoint now);

  link::Link& link_;
  const link::LinkCore::ConnectionId id_;
  const RemoteStreamSettings settings_;
  CallId track_ = 0;
  counter::CounterListPtr told_list_;  // that the counter was told last; null: none
  bool unflushed_ = false;             // something was sent since the last flush()
  bool opened_ = false;                // the counter has answered the opening
  std::unordered_map<CallId, Mint> mints_;

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
