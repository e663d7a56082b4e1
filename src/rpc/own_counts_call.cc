#include "rpc/own_counts_call.h"

#include <boost/asio/dispatch.hpp>
#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include "rpc/own_counts_message.h"
#include "rpc/server_loop.h"

namespace tracker::rpc {

namespace {

void answer(ServerConnection& connection, GrpcConnection::CallId call, const counter::ReadOutcome& outcome) {
  if (const auto* failure = std::get_if<counter::ReadFailure>(&outcome))
    return connection.finish(call, status_of(*failure));
  append_own_counts(std::get<store::TokenCounts>(outcome), connection.new_message());
  connection.send_message(call);
  connection.finish(call, {});
}

}  // namespace

void OwnCountsCall::on_request(std::string_view bytes) {
  const auto request = read_own_counts_request(bytes);
  if (!request) return finish({StatusCode::invalid_argument, "the request is no ReadOwnCountsRequest"});
  const auto caller = connection_.caller();
  if (caller->enter(1) == 0) return finish({StatusCode::unavailable, "too many requests are in flight"});
  auto& loop = connection_.loop();
  auto on_read = [&context = loop.context(), connection = connection_.self(), caller,
                  call = id_](counter::ReadOutcome outcome) mutable {
    caller->leave(1);
    // The connection must end in its own thread: nothing of it stays here.
    boost::asio::dispatch(context, [connection = std::move(connection), call, outcome = std::move(outcome)] {
      answer(*connection, call, outcome);
      connection->flush();
    });
  };
  loop.counter().read(request->token, request->query, std::chrono::steady_clock::now() + time_,
                      std::move(on_read));
}

}  // namespace tracker::rpc
