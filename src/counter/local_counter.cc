#include "counter/local_counter.h"

#include <memory>

#include "domain/token_id.h"

namespace tracker::counter {

namespace {

/// A token on its way into the store. It is handed out when it is stored. Deletes itself then.
class Minting final : public store::AddReply {
 public:
  explicit Minting(MintReply& reply) : reply_(reply) {}

  const domain::Token& token() const { return token_; }

  void on_added(domain::Result<void> added) override {
    const std::unique_ptr<Minting> self(this);
    if (added) {
      reply_.on_minted(token_);
    } else {
      reply_.on_minted(added.error());
    }
  }

 private:
  const domain::Token token_ = domain::random_token();
  MintReply& reply_;
};

}  // namespace

void LocalCounter::mint(domain::Deadline deadline, MintReply& reply) {
  auto minting = std::make_unique<Minting>(reply);
  const auto id = domain::token_id(minting->token());
  store_.add_token(id, deadline, *minting.release());
}

}  // namespace tracker::counter
