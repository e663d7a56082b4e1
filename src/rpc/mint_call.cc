#include "rpc/mint_call.h"

#include <boost/asio/dispatch.hpp>
#include <utility>

#include "rpc/batch_message.h"
#include "rpc/server_loop.h"

namespace tracker::rpc {

namespace {

/// A mint in progress for a call. Deletes itself.
class PendingMint final : public counter::MintReply {
 public:
  using Answer = std::function<void(ServerConnection&, GrpcConnection::CallId, const Minted&)>;

  PendingMint(ServerConnection& connection, GrpcConnection::CallId call,
              std::shared_ptr<Flight::Caller> caller, Answer answer)
      : loop_(connection.loop().context()),
        connection_(connection.self()),
        call_(call),
        caller_(std::move(caller)),
        answer_(std::move(answer)) {}

  /// Any thread. The call is answered in the connection's thread.
  void on_minted(Minted minted) override {
    caller_->leave(1);
    boost::asio::dispatch(loop_, [self = std::unique_ptr<PendingMint>(this), minted] {
      self->answer_(*self->connection_, self->call_, minted);
      self->connection_->flush();
    });
  }

 private:
  boost::asio::io_context& loop_;
  const std::shared_ptr<ServerConnection> connection_;
  const GrpcConnection::CallId call_;
  const std::shared_ptr<Flight::Caller> caller_;
  const Answer answer_;
};

}  // namespace

void mint(ServerConnection& connection, GrpcConnection::CallId call, std::chrono::milliseconds time,
          std::shared_ptr<Flight::Caller> caller, PendingMint::Answer answer) {
  auto* pending = new PendingMint(connection, call, std::move(caller), std::move(answer));
  connection.loop().counter().mint(std::chrono::steady_clock::now() + time, *pending);
}

void MintCall::on_request(std::string_view /*request*/) {
  const auto& caller = connection_.caller();
  if (caller->enter(1) == 0) return finish({StatusCode::unavailable});
  mint(connection_, id_, time_, caller,
       [](ServerConnection& connection, GrpcConnection::CallId call, const Minted& minted) {
         if (!minted) {
           const bool not_done = minted.error() == domain::Failure::not_done;
           return connection.finish(call, {not_done ? StatusCode::unavailable : StatusCode::unknown});
         }
         append_minted(*minted, connection.new_message());
         connection.loop().metrics().tokens.add();
         connection.send_message(call);
         connection.finish(call, {});
       });
}

}  // namespace tracker::rpc
