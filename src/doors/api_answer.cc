#include "doors/api_answer.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "domain/hex.h"
#include "doors/problem.h"
#include "store/count_reader.h"
#include "store/store_error.h"

namespace tracker::doors {

namespace {

/// What is answered instead of what was asked for.
struct Refused {
  ApiAnswer answer;
};

}  // namespace

ApiAnswer problem(unsigned status, const std::string& detail) {
  return {.status = status, .type = problem_type, .body = problem_json(status, detail)};
}

void refuse(unsigned status, const std::string& detail) {
  throw Refused{problem(status, detail)};
}

void refuse(ApiAnswer answer) {
  throw Refused{std::move(answer)};
}

ApiAnswer answer_of(const std::function<ApiAnswer()>& make) {
  try {
    return make();
  } catch (const Refused& refused) {
    return refused.answer;
  } catch (const std::invalid_argument& error) {
    return problem(400, error.what());
  } catch (const store::UnsupportedError& error) {
    return problem(501, error.what());
  } catch (const store::StoreError& error) {
    return problem(503, error.what());
  }
}

ApiTarget::ApiTarget(std::string_view target) {
  const auto question = std::min(target.find('?'), target.size());
  path = target.substr(0, question);
  query = target.substr(std::min(question + 1, target.size()));
}

domain::TokenId ApiTarget::token_id(std::string_view rest) const {
  auto digits = path.substr(std::string_view("/v1/tokens/").size());
  digits.remove_suffix(rest.size());
  domain::TokenId id{};
  if (!domain::parse_hex(digits, id.bytes))
    refuse(404, "A token's id has 32 hex digits. It is not the token itself.");
  return id;
}

void OwnTokens::require(const domain::TokenId& id) const {
  const auto owner = owner_elsewhere ? owner_elsewhere(id) : std::nullopt;
  if (owner) refuse(421, "This token is counted by another counter: ask " + *owner + ".");
  if (!slots()[domain::slot_of(id)])
    refuse(503, "The slot of this token is not settled at this counter; see why at /readyz.");
}

}  // namespace tracker::doors
