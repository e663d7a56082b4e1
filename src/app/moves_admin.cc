#include "app/moves_admin.h"

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

#include "counter/lost_slots.h"
#include "domain/hex.h"
#include "doors/admin_calls.h"
#include "runtime/log.h"
#include "runtime/priority.h"
#include "store/store_error.h"
#include "transfer/requests.h"

namespace tracker::app {

namespace {

using Answer = doors::AdminDoor::Answer;
using store::StoreError;

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(8);

/// Throws StoreError if there is none yet.
counter::PartitionRecord durable_record(const counter::PartitionMember& member) {
  auto record = member.record();
  if (!record)
    throw StoreError("this counter is not settled in its store; see why at /readyz, and try again later");
  return std::move(*record);
}

/// Asks the counter of this process, which is one of several.
class MemberGuard final : public transfer::ImportGuard {
 public:
  explicit MemberGuard(counter::PartitionMember& member) : member_(member) {}

  /// Also what an import by an earlier list has left.
  domain::SlotSet copies(const transfer::ExportHeader& header) override {
    const auto record = durable_record(member_);
    auto copies = record.gone;
    for (const auto& [id, coming] : record.coming) {
      if (id != header.id) copies |= coming.slots;
    }
    return copies;
  }

  void begin(const transfer::ExportHeader& header) override {
    require_same_list(header);
    wait_for([&](auto done) { member_.begin_import(import_of(header), std::move(done)); });
  }

  void end(const transfer::ExportHeader& header) override {
    wait_for([&](auto done) { member_.end_import(import_of(header), std::move(done)); });
  }

 private:
  static counter::Membership::Import import_of(const transfer::ExportHeader& header) {
    return {.id = header.id,
            .source = header.store,
            .slots = header.slots,
            .is_lost = header.kind == transfer::ExportHeader::Kind::lost};
  }

  static void wait_for(const std::function<void(counter::PartitionMember::OnImport)>& decide) {
    const auto outcome = std::make_shared<std::promise<std::optional<std::string>>>();
    auto why_not = outcome->get_future();
    decide([outcome](const auto& words) { outcome->set_value(words); });
    if (why_not.wait_for(patience) != std::future_status::ready)
      throw StoreError("the record of the store has not been written in time; import the file again");
    if (const auto words = why_not.get()) throw StoreError(*words);
  }

  void require_same_list(const transfer::ExportHeader& header) {
    if (header.kind != transfer::ExportHeader::Kind::lost) return;
    const auto record = durable_record(member_);
    const auto& list = *record.list;
    if (header.owner != record.name)
      throw StoreError("its slots are " + header.owner + "'s, and this counter is " + record.name);
    if (header.list_version == list.version() && header.list_fingerprint == list.table().fingerprint())
      return;
    throw StoreError("it was exported by another list of counters (version " +
                     std::to_string(header.list_version) + ") than this counter has, " + list.described() +
                     "; give both counters the same list, and export again");
  }

  counter::PartitionMember& member_;
};

class Moving {
 public:
  Moving(const OpenStore& open_store, counter::PartitionMember* member)
      : open_store_(open_store), member_(member) {}

  Answer export_tokens(const std::string& body, const runtime::Descriptor& file) const {
    const auto request = understood(transfer::parse_export_request(body));
    require_file(file);
    const auto contents = open_store_.contents();
    const auto exported =
        to_string(transfer::export_tokens(movable(*contents), request, file.number(), beside_counting()));
    runtime::log_info("export: " + exported);
    return {true, exported};
  }

  /// None, as long as this counter is not settled in its store.
  Answer lost_owners() const {
    if (member_ == nullptr || !member_->record()) return {true, ""};
    return {true, transfer::lost_owners(movable(*open_store_.contents()))};
  }

  Answer require_held(const std::string& body) const {
    return {true, transfer::require_held(movable(*open_store_.contents()), id_of(body))};
  }

  Answer end_hold(const std::string& body) const {
    return logged(transfer::end_hold_in_words(movable(*open_store_.contents()), id_of(body)));
  }

  Answer import_tokens(const std::string& body, const runtime::Descriptor& file) const {
    const auto request = understood(transfer::parse_import_request(body));
    require_file(file);
    const auto contents = open_store_.contents();
    std::optional<MemberGuard> guard;
    if (member_ != nullptr) {
      guard.emplace(*member_);
    } else {
      require_no_record(*contents);
    }
    const auto receipt = transfer::import_tokens(*contents, request, file.number(), guard ? &*guard : nullptr,
                                                 beside_counting());
    runtime::log_info("import: " + receipt.to_string());
    return {true, receipt.to_string()};
  }

  Answer drop(const std::string& body) const {
    const auto request = understood(transfer::parse_drop_request(body));
    return logged(transfer::drop_in_words(movable(*open_store_.contents()), request));
  }

  void end() {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

 private:
  template <typename Request>
  static Request understood(std::optional<Request> request) {
    if (!request)
      throw StoreError("the process that serves the store is of another version; restart it as this one");
    return std::move(*request);
  }

  static Answer logged(std::string words) {
    runtime::log_info(words);
    return {true, std::move(words)};
  }

  static store::ExportId id_of(const std::string& text) {
    store::ExportId id{};
    if (!domain::parse_hex(text, id)) throw StoreError("the body of the request is the id of an export");
    return id;
  }

  static void require_file(const runtime::Descriptor& file) {
    if (!file.is_open()) throw StoreError("no file came with the request");
  }

  /// A store that has counted as that of one of several is not moved by a service that knows no others.
  static void require_no_record(store::StoreContents& contents) {
    if (contents.facts().record.empty()) return;
    throw StoreError(
        "the store has counted some of the tokens only, as one of several counters; start tracker counter "
        "with the same --peers and --name as before");
  }

  transfer::MovableStore movable(store::StoreContents& contents) const {
    if (member_ != nullptr) return {contents, durable_record(*member_)};
    require_no_record(contents);
    return {contents};
  }

  /// Pauses after each step for several times as long as it took, so that counting has the processor and the disk. Gives
  /// up when the process ends.
  transfer::Progress beside_counting() const {
    return [this, begun = Clock::now()](const auto&) mutable {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, runtime::pause_after(Clock::now() - begun), [this] { return has_ended_; }))
        throw StoreError("the process that serves the store ends; do the same again when it runs");
      begun = Clock::now();
    };
  }

  const OpenStore& open_store_;
  counter::PartitionMember* const member_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool has_ended_ = false;  // mutex_
};

}  // namespace

domain::SlotSet empty_for_forgetting(const OpenStore& open_store, const counter::PartitionMember& member,
                                     const std::string& name) {
  const auto record = member.record();
  if (!record || !open_store.contents) return {};
  if (!record->names.contains(name) && !record->bound.contains(name)) return {};
  const auto slots = counter::given_up_slots(*record, name);
  if (slots.any()) transfer::empty_slots(*open_store.contents(), slots);
  return slots;
}

void add_move_calls(const OpenStore& open_store, const AdminParts& parts,
                    std::vector<doors::AdminDoor::Call>& calls) {
  if (!open_store.contents) return;
  const auto moving = std::make_shared<Moving>(open_store, parts.member);
  const auto end = [moving] { moving->end(); };
  calls.push_back({doors::export_tokens,
                   [moving](const auto& body, const auto& file) { return moving->export_tokens(body, file); },
                   end});
  calls.push_back({doors::lost_owners, [moving](const auto&, const auto&) { return moving->lost_owners(); }});
  calls.push_back(
      {doors::end_hold, [moving](const auto& body, const auto&) { return moving->end_hold(body); }});
  calls.push_back(
      {doors::drop_tokens, [moving](const auto& body, const auto&) { return moving->drop(body); }});
  calls.push_back(
      {doors::is_held, [moving](const auto& body, const auto&) { return moving->require_held(body); }});
  calls.push_back({doors::import_tokens,
                   [moving](const auto& body, const auto& file) { return moving->import_tokens(body, file); },
                   end});
}

}  // namespace tracker::app
