#include "rpc/remote_link.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace tracker::rpc {

namespace {

constexpr auto retry_first = std::chrono::milliseconds(50);
constexpr auto retry_longest = std::chrono::milliseconds(2'000);
/// A connection that has lasted so long is replaced at once; one that ends sooner might do so again and again.
constexpr auto lasts = std::chrono::milliseconds(1'000);
/// What cannot be sent is refused so long before its deadline, so that the refusal is not too late.
constexpr auto refusal_margin = std::chrono::milliseconds(20);
constexpr std::size_t message_bytes_max = 1024 * 1024;

template <typename Batches>
void refuse(const Batches& batches) {
  for (const auto& [hits, reply] : batches) {
    reply->on_one_verdict_for_all(hits->size(), domain::Verdict::not_counted());
  }
}

}  // namespace

RemoteLink::RemoteLink(boost::asio::io_context& worker, const RemoteCounterSettings& settings)
    : worker_(worker),
      settings_(settings),
      connector_(worker, settings.address),
      readiness_(domain::Readiness::not_ready("counter " + name() + " is not reachable yet",
                                              std::chrono::system_clock::now())),
      waiting_timer_(worker),
      connect_timer_(worker),
      backoff_(retry_first, retry_longest) {
  boost::asio::post(worker_, [this] { connect(); });
}

RemoteLink::~RemoteLink() {
  if (stream_) stream_->close();
  for (const auto& stream : leaving_) stream->close();
}

std::string RemoteLink::name() const {
  return runtime::to_string(settings_.address);
}

// Readiness.

void RemoteLink::become_ready() {
  ready_ = true;
  readiness_.set(domain::Readiness::ready(std::chrono::system_clock::now()));
  settings_.changes->good("counter " + name() + " is reachable");
}

void RemoteLink::become_unready(const std::string& why_not) {
  const auto line = "counter " + name() + why_not;
  ready_ = false;
  readiness_.set(domain::Readiness::not_ready(line, std::chrono::system_clock::now()));
  settings_.changes->bad(line);
  refuse_waiting();
}

// Connections.

void RemoteLink::connect() {
  connector_.connect([this](runtime::Socket socket, const std::string& trouble) {
    if (!trouble.empty()) {
      become_unready(" is not reachable: " + trouble);
      return connect_later(backoff_.next());
    }
    connected_at_ = Clock::now();
    stream_ =
        std::make_shared<RemoteStream>(*this, worker_, std::move(socket), settings_.calls_per_connection);
    stream_->start(name(), settings_.version);
  });
}

void RemoteLink::connect_later(std::chrono::milliseconds pause) {
  connect_timer_.expires_after(pause);
  connect_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) connect();
  });
}

/// How long to wait before a connection that was open is replaced.
std::chrono::milliseconds RemoteLink::pause_after_open() {
  if (Clock::now() - connected_at_ >= lasts) {
    backoff_.reset();
    at_once_ = true;
  }
  return std::exchange(at_once_, false) ? std::chrono::milliseconds(0) : backoff_.next();
}

void RemoteLink::on_heard(RemoteStream& stream, bool news) {
  if (&stream != stream_.get()) return;
  if (news || !ready_) {
    if (!stream.counters_why_not().empty())
      return become_unready(" is reachable, but " + stream.counters_why_not());
    become_ready();
  }
  send_waiting();
}

void RemoteLink::on_silent(RemoteStream& stream) {
  if (&stream == stream_.get()) become_unready(" does not answer");
}

void RemoteLink::on_ending(RemoteStream& stream) {
  if (&stream != stream_.get()) return;
  if (!stream.is_open()) return on_lost(stream, "it takes no more calls");
  const auto ending = std::exchange(stream_, nullptr);
  leaving_.push_back(ending);
  settings_.changes->good("counter " + name() + " ends its connection; a new one is made");
  connect_later(pause_after_open());
  ending->leave();
}

void RemoteLink::on_lost(RemoteStream& stream, const std::string& reason) {
  if (&stream != stream_.get()) {
    const auto has_left = std::find_if(leaving_.begin(), leaving_.end(),
                                       [&](const auto& leaving) { return leaving.get() == &stream; });
    const auto left = std::move(*has_left);
    leaving_.erase(has_left);
    return left->abandon();
  }
  const auto lost = std::exchange(stream_, nullptr);
  if (lost->is_open()) {
    if (ready_) {
      settings_.changes->bad("counter " + name() + ": the connection was lost (" + reason +
                             "); a new one is made");
    } else {
      become_unready(" is not reachable: " + reason);
    }
    connect_later(pause_after_open());
  } else {
    connect_later(backoff_.next());
    become_unready(" is not reachable: " + reason);
  }
  lost->abandon();
}

// What waits.

void RemoteLink::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  if (!ready_) return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  waiting_.push_back({&hits, &reply});
  if (!is_open()) return bound_waiting(hits.deadline());
  send_waiting();
}

void RemoteLink::mint(domain::Deadline deadline, counter::MintReply& reply) {
  if (!ready_) return reply.on_minted(domain::Failure::not_done);
  if (is_open() && stream_->mint(deadline, reply)) return;
  if (is_open()) on_ending(*stream_);  // it has had all the calls that it can have
  waiting_mints_.push_back({deadline, &reply});
  bound_waiting(deadline);
}

void RemoteLink::send_waiting() {
  waits_until_.reset();
  if (!waiting_mints_.empty()) send_waiting_mints();
  if (is_open() && stream_->has_room() && !waiting_.empty()) send_message();
}

void RemoteLink::send_waiting_mints() {
  for (const auto& [deadline, reply] : std::exchange(waiting_mints_, {})) {
    if (deadline <= Clock::now()) {
      reply->on_minted(domain::Failure::not_done);
    } else {
      mint(deadline, *reply);
    }
  }
}

void RemoteLink::send_message() {
  const auto now = Clock::now();
  auto& message = stream_->next_message();
  std::vector<WaitingBatch> late;
  std::size_t taken = 0;
  for (; taken < waiting_.size() && message.bytes() < message_bytes_max; ++taken) {
    const auto& [hits, reply] = waiting_[taken];
    if (hits->deadline() <= now) {
      late.push_back(waiting_[taken]);
    } else {
      message.add(*hits, *reply);
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (message.batches() > 0) stream_->send();
  refuse(late);  // at last, since whom it answers may bring new hits
}

/// Sees to it that what waits for a connection is refused before its deadline.
void RemoteLink::bound_waiting(domain::Deadline deadline) {
  if (waits_until_) return;  // what came before has the earlier deadline
  waits_until_ = deadline - refusal_margin;
  waiting_timer_.expires_at(*waits_until_);
  waiting_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !waits_until_ || Clock::now() < *waits_until_) return;
    become_unready(" is not reachable: a new connection takes longer than hits can wait");
  });
}

void RemoteLink::refuse_waiting() {
  waits_until_.reset();
  const auto mints = std::exchange(waiting_mints_, {});
  refuse(std::exchange(waiting_, {}));
  for (const auto& waiting : mints) waiting.reply->on_minted(domain::Failure::not_done);
}

}  // namespace tracker::rpc
