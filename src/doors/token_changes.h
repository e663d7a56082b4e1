#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/token.h"
#include "domain/token_record.h"
#include "doors/api_answer.h"
#include "store/token_keeper.h"

namespace tracker::doors {

/// The requests of the admin door that make, change and remove tokens: POST, PATCH and DELETE below /v1/tokens. Everything that
/// one of them answers is as durable as a count. docs/openapi.yaml describes them. One thread at a time, which is no worker's.
class TokenChanges {
 public:
  struct Parts {
    /// Throws store::StoreError. Null: the tokens of the store cannot be changed.
    std::function<std::unique_ptr<store::TokenKeeper>()> make_keeper = nullptr;
    /// Mints a token with this record. Blocks. Nothing: not now. Null: no tokens are minted here.
    std::function<std::optional<domain::Token>(const domain::TokenRecord& record)> mint = nullptr;
    /// The record of a token of an operator, made now.
    std::function<domain::TokenRecord()> new_record = nullptr;
    /// By which tokens end.
    std::function<domain::Seconds()> now_s = nullptr;
    OwnTokens own = {};
  };
  explicit TokenChanges(Parts parts) : parts_(std::move(parts)) {}

  enum class Method : std::uint8_t { post, patch, remove, other };
  ApiAnswer answer(Method method, std::string_view target, std::string_view body);

 private:
  ApiAnswer mint(std::string_view body);
  ApiAnswer change(const domain::TokenId& id, const store::TokenChange& change);
  ApiAnswer purge(const domain::TokenId& id);
  store::TokenKeeper& keeper();

  const Parts parts_;
  std::unique_ptr<store::TokenKeeper> keeper_;
};

}  // namespace tracker::doors
