#include "link/link.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "link/tcp_transport.h"

namespace tracker::link {

using Kind = LinkCore::Action::Kind;

Link::Link(boost::asio::io_context& loop, Peer peer)
    : loop_(loop),
      peer_(std::move(peer)),
      readiness_(domain::Readiness::not_ready(peer_.name + " is not reachable yet",
                                              std::chrono::system_clock::now())),
      core_(peer_.settings, std::random_device{}(), peer_.metrics),
      connector_(loop, peer_.address),
      timer_(loop, [this](TimePoint /*now*/) {
        go_on();
        return std::optional(core_.wake_at());
      }) {
  first_attempt_ = first_attempt_ends_.get_future();
  boost::asio::post(loop_, [this] { go_on(); });
}

Link::~Link() {
  timer_.stop();
  for (const auto& [id, channel] : channels_) channel->close();
}

// Any thread.

void Link::track(const domain::HitBatch& hits, domain::TrackReply& reply) {
  if (!ready_) return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  if (is_to_wait()) return put([&](Asked& asked) { asked.batches.push_back({&hits, &reply}); });
  on([&](LinkCore& core) { core.track(hits, reply); });
}

void Link::request(std::unique_ptr<Command> command) {
  if (!ready_) return command->on_failed(domain::Failure::not_done);
  if (is_to_wait()) return put([&](Asked& asked) { asked.commands.push_back(std::move(command)); });
  on([&](LinkCore& core) { core.request(std::move(command)); });
}

/// Returns whether a request waits for a later turn of the loop: it comes from another thread, or a message is in
/// flight and a further one could be sent. Then it leaves together with everything else that arrives in this turn.
bool Link::is_to_wait() const {
  return !loop_.get_executor().running_in_this_thread() || core_.can_send_more();
}

template <typename Fill>
void Link::put(Fill fill) {
  if (inbox_.put(fill)) boost::asio::post(loop_, [this] { take_requests(); });
}

void Link::wait_for_first_attempt(std::chrono::milliseconds longest) const {
  first_attempt_.wait_for(longest);
}

// Loop thread only.

void Link::take_requests() {
  inbox_.take(taken_);
  on([this](LinkCore& core) {
    for (const auto& [hits, reply] : taken_.batches) core.track(*hits, *reply);
    for (auto& command : taken_.commands) core.request(std::move(command));
    taken_.batches.clear();
    taken_.commands.clear();
  });
}

void Link::go_on() {
  busy_ = true;
  do {
    more_ = false;
    const auto now = runtime::Clock::now();
    while (act(now)) {
    }
    for (std::size_t i = 0; i < channels_.size(); ++i) channels_[i].channel->flush();
  } while (more_);
  busy_ = false;
  timer_.fire_by(core_.wake_at());
}

/// Does the next action. Returns false if there is nothing to do but wait.
bool Link::act(TimePoint now) {
  const auto action = core_.next(now);
  switch (action.kind) {
    case Kind::wait:
      return false;
    case Kind::connect:
      connect();
      break;
    case Kind::write_hits:
      channel(action.connection).send(*action.hits, now);
      break;
    case Kind::write_command:
      if (channel(action.connection).send(*action.command, now)) break;
      core_.on_command_not_done(action.connection, *action.command, now);
      core_.on_ending(action.connection, now);
      break;
    case Kind::ask:
      channel(action.connection).ask(now);
      break;
    case Kind::close:
      close(action.connection);
      break;
    case Kind::deliver:
      core_.deliver();
      break;
    case Kind::report:
      tell(core_.take_report());
      break;
  }
  return true;
}

void Link::connect() {
  connector_.connect([this](runtime::Connector::Outcome outcome) {
    on([&](LinkCore& core) {
      const auto now = runtime::Clock::now();
      if (!outcome) return core.on_not_connected(outcome.error(), now);
      const auto id = core.on_connected(now);
      channels_.push_back({id, peer_.make_channel(id, std::make_unique<TcpTransport>(std::move(*outcome)))});
      channels_.back().channel->greet();
    });
  });
}

/// The channel may be the one that is calling right now, so it is destroyed later.
void Link::close(LinkCore::ConnectionId id) {
  const auto found =
      std::find_if(channels_.begin(), channels_.end(), [id](const auto& its) { return its.id == id; });
  const auto channel = std::move(found->channel);
  channels_.erase(found);
  channel->close();
  boost::asio::post(loop_, [channel] {});
}

Channel& Link::channel(LinkCore::ConnectionId id) {
  return *std::find_if(channels_.begin(), channels_.end(), [id](const auto& its) {
            return its.id == id;
          })->channel;
}

void Link::tell(const LinkCore::Report& report) {
  using enum LinkCore::Report::Kind;
  const std::string line = peer_.name + " " + report.words;
  const bool is_good = report.kind == ready || report.kind == good_news;
  if (report.kind == ready || report.kind == not_ready) {
    const auto now = std::chrono::system_clock::now();
    ready_ = is_good;
    readiness_.set(is_good ? domain::Readiness::ready(now) : domain::Readiness::not_ready(line, now));
    if (!std::exchange(attempted_, true)) first_attempt_ends_.set_value();
  }
  if (peer_.changes == nullptr) return;
  if (is_good) {
    peer_.changes->good(line);
  } else {
    peer_.changes->bad(line);
  }
}

}  // namespace tracker::link
