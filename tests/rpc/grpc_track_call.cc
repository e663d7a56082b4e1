#include "grpc_track_call.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "grpc_client.h"

namespace tracker::tests {
namespace {

std::string id_of(const std::string& token_bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(token_bytes.data(), token_bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), 16};
}

std::string text_of(const std::string& token_bytes) {
  std::string text;
  for (std::size_t i = 0; i < token_bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(token_bytes[i]);
    text += "0123456789abcdef"[byte >> 4U];
    text += "0123456789abcdef"[byte & 0xFU];
  }
  return text;
}

}  // namespace

MintedToken mint_by_bytes(const std::shared_ptr<grpc::Channel>& channel) {
  v1::MintResponse minted;
  grpc::ClientContext context;
  set_deadline(context);
  const grpc::Status status = v1::Counting::NewStub(channel)->Mint(&context, {}, &minted);
  if (!status.ok()) throw std::runtime_error("no token: " + status.error_message());
  EXPECT_EQ(minted.token().size(), 16U);
  return {text_of(minted.token()), id_of(minted.token())};
}

void add_hit(v1::HitBatch& batch, const std::string& id, const std::string& path) {
  *batch.mutable_ids() += id;
  *batch.mutable_paths() += path;
  batch.add_path_bytes(static_cast<std::uint32_t>(path.size()));
}

v1::HitBatch batch_of(std::uint64_t number, std::size_t hits, const std::string& id,
                      const std::string& path) {
  v1::HitBatch batch;
  batch.set_number(number);
  batch.set_deadline_ms(20'000);
  for (std::size_t i = 0; i < hits; ++i) add_hit(batch, id, path);
  return batch;
}

TrackCall::TrackCall(const std::shared_ptr<grpc::Channel>& channel) : stub_(v1::Counting::NewStub(channel)) {
  set_deadline(context_);
  stream_ = stub_->Track(&context_);
}

TrackCall::~TrackCall() {
  if (finished_) return;
  try_cancel();
  end();
}

v1::TrackResponse TrackCall::open() {
  v1::TrackRequest request;
  request.mutable_opening()->set_version("0.0.0-test");
  v1::TrackResponse response;
  if (!stream_->Write(request) || !stream_->Read(&response)) throw std::runtime_error("no opening");
  return response;
}

bool TrackCall::send(const v1::HitBatch& batch) {
  v1::TrackRequest request;
  *request.mutable_batch() = batch;
  // Like a later version.
  if (says_more_) request.GetReflection()->MutableUnknownFields(&request)->AddVarint(99, 1);
  batches_[batch.number()].resize(static_cast<std::size_t>(batch.path_bytes_size()));
  return stream_->Write(request);
}

bool TrackCall::read() {
  v1::TrackResponse response;
  if (!stream_->Read(&response)) return false;
  if (response.has_verdicts()) take(response.verdicts());
  return true;
}

const std::vector<Judged>& TrackCall::verdicts_on(std::uint64_t number) {
  while (missing(number) > 0) {
    if (!read()) throw std::runtime_error("the stream ended before all the verdicts on a batch");
  }
  return batches_.at(number);
}

std::vector<Judged> TrackCall::verdicts() const {
  std::vector<Judged> all;
  for (const auto& [number, hits] : batches_) all.insert(all.end(), hits.begin(), hits.end());
  return all;
}

std::size_t TrackCall::missing(std::uint64_t number) const {
  const auto& hits = batches_.at(number);
  return static_cast<std::size_t>(
      std::count_if(hits.begin(), hits.end(), [](const Judged& hit) { return !hit.kind; }));
}

grpc::Status TrackCall::end() {
  while (read()) {
  }
  finished_ = true;
  return stream_->Finish();
}

void TrackCall::take(const v1::Verdicts& verdicts) {
  auto& hits = batches_.at(verdicts.number());
  const bool in_order = verdicts.hits_size() == 0;
  const auto said = static_cast<std::size_t>(verdicts.counts_size());
  if (in_order) {
    EXPECT_EQ(said, hits.size());
  }
  for (std::size_t i = 0; i < said; ++i) {
    const int at = static_cast<int>(i);
    Judged& hit = hits.at(in_order ? i : verdicts.hits(at));
    EXPECT_FALSE(hit.kind.has_value()) << "judged twice";
    const char kind = verdicts.kinds().empty() ? char{v1::VERDICT_KIND_COUNTED} : verdicts.kinds().at(i);
    hit = {static_cast<v1::VerdictKind>(kind), verdicts.counts(at)};
  }
}

}  // namespace tracker::tests
