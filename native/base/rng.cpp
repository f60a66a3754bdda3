#include "base/rng.h"

#include <cmath>

namespace cae {
namespace {

/// One round's multiplication: the high half goes to `high`, the low half is returned.
uint32_t multiply(uint32_t a, uint32_t b, uint32_t& high) {
  const uint64_t product = static_cast<uint64_t>(a) * b;
  high = static_cast<uint32_t>(product >> 32);
  return static_cast<uint32_t>(product);
}

/// Ten rounds of Philox 4x32; multipliers and key increments are those of the paper.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint32_t high0 = 0, high1 = 0;
    const uint32_t low0 = multiply(0xD2511F53U, counter[0], high0);
    const uint32_t low1 = multiply(0xCD9E8D57U, counter[2], high1);
    counter = {high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace

RngStream::RngStream(const RngKey& key)
    : key_{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)},
      counter_{0, key.index, key.time, static_cast<uint32_t>(key.purpose)} {}

uint32_t RngStream::word() {
  if (used_ == block_.size()) {
    block_ = philox(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[used_++];
}

double RngStream::uniform() {
  const uint32_t a = word() >> 5, b = word() >> 6;
  return (static_cast<double>(a) * 67108864.0 + static_cast<double>(b)) / 9007199254740992.0;
}

double RngStream::uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }

void RngStream::fill(std::span<float> out) {
  for (float& number : out) number = (static_cast<float>(word() >> 9) + 0.5F) * 0x1p-23F;
}

int64_t RngStream::integer(int64_t lo, int64_t hi) {
  return lo + static_cast<int64_t>(std::floor(uniform() * static_cast<double>(hi - lo + 1)));
}

}  // namespace cae
